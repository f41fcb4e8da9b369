from pathlib import Path

from local import audit, components
from local.components import Endpoints

STATE = Path("/state")
NODE = Endpoints("10.89.7.2")
LOOPBACK = Endpoints("127.0.0.1", api=50001, etcd=50002, etcd_peer=50003)


def flags(argv: list[str]) -> dict[str, str]:
    return dict(flag.removeprefix("--").partition("=")[::2] for flag in argv[1:])


def test_etcd_is_reached_on_loopback_and_by_certificate_only() -> None:
    for at in (NODE, LOOPBACK):
        found = flags(components.etcd(Path("etcd"), STATE, at))
        assert found["listen-client-urls"] == f"https://127.0.0.1:{at.etcd}"
        assert found["listen-peer-urls"].startswith("http://127.0.0.1:")
        assert "client-cert-auth" in found
        assert found["trusted-ca-file"] == "/state/pki/etcd/etcd.crt"


def test_the_api_server_listens_where_it_was_placed() -> None:
    found = flags(components.apiserver(Path("kube-apiserver"), STATE, NODE))
    assert (found["bind-address"], found["secure-port"]) == ("10.89.7.2", "6443")
    assert found["authorization-mode"] == "Node,RBAC"
    assert NODE.server == "https://10.89.7.2:6443"


def test_only_a_loopback_address_is_kept_out_of_the_service() -> None:
    reconciler = "endpoint-reconciler-type"
    assert flags(components.apiserver(Path("a"), STATE, LOOPBACK))[reconciler] == "none"
    assert reconciler not in flags(components.apiserver(Path("a"), STATE, NODE))


def test_job_controller_and_scheduler_may_make_many_requests() -> None:
    for argv in (components.controller_manager(Path("m"), STATE), components.scheduler(Path("s"), STATE)):
        assert flags(argv)["kube-api-qps"] == "1000"
        assert flags(argv)["leader-elect"] == "false"


def test_the_three_ports_of_a_control_plane_differ() -> None:
    from local.controlplane import _free_endpoints

    at = _free_endpoints()
    assert len({at.api, at.etcd, at.etcd_peer}) == 3
    assert at.loopback


def test_what_service_accounts_ask_for_is_logged() -> None:
    found = flags(components.apiserver(Path("a"), STATE, NODE))
    assert found["audit-policy-file"] == "/state/audit-policy.json"
    assert found["audit-log-path"] == str(audit.log(STATE))

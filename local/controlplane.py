"""A control plane without nodes: etcd, API server, controller manager and scheduler, for API-level tests.

    with ControlPlane(tmp_path / "cluster") as plane:
        ...  # plane.kubeconfig

It needs no root, listens on loopback at free ports, and several can run at once. The whole cluster is built
on the same class: `local.cluster` gives it the address and the network namespace that it shall use.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from local import audit, build, components, kubeconfig, pki
from local.api import Api, wait_until
from local.components import Endpoints
from local.places import SERVICE_ADDRESS, Places
from local.ports import free_ports
from local.processes import Daemons, Startable

READY_SECONDS = 90  # a few seconds on an idle machine; test machines are not always idle
# The API server ignores SIGTERM once etcd has gone, so it is ended, and has ended, before etcd is.
STOP_ORDER = ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")


class ControlPlane(Startable):
    """One control plane; everything it writes lies in `state`, a directory of its own.

    With `detached` its programs outlive the caller (the command line); otherwise they end with the thread
    that called `start`, even if that is killed. `endpoints` and `prefix` (a command to start each program
    through) place it somewhere else than on loopback.
    """

    def __init__(
        self,
        state: Path,
        *,
        places: Places | None = None,
        endpoints: Endpoints | None = None,
        prefix: Sequence[str] = (),
        detached: bool = False,
    ) -> None:
        self.state = state.absolute()
        self.places = places or Places.here()
        self.daemons = Daemons(self.state, prefix, die_with_parent=not detached)
        self._endpoints = endpoints

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig; there once `start` has returned."""
        return self.state / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.state / "pki"

    @property
    def audit_log(self) -> Path:
        """What ServiceAccounts asked of the API server, a line of JSON for each request."""
        return audit.log(self.state)

    @property
    def kubectl(self) -> Path:
        """A kubectl of the same version, built if need be."""
        return build.program(self.places, "kubectl")

    def running(self) -> bool:
        """Whether all four programs run and the API server says that it is ready."""
        return all(map(self.daemons.alive, STOP_ORDER)) and self._answers("/readyz")

    def start(self) -> None:
        """Start what does not run yet, and wait until Pods could be created; left-overs are removed first."""
        if self.running():
            return
        programs = {**build.ensure(self.places, build.KUBERNETES), **build.ensure(self.places, build.ETCD)}
        self.stop()
        shutil.rmtree(self.state / "etcd", ignore_errors=True)
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        at = self._endpoints or _free_endpoints()
        self._write_credentials(at)
        audit.write_policy(self.state)
        start, state = self.daemons.start, self.state
        start("etcd", components.etcd(programs["etcd"], state, at))
        start("kube-apiserver", components.apiserver(programs["kube-apiserver"], state, at))
        self._wait("/readyz", "the API server to be ready", "etcd", "kube-apiserver")
        # Both end when the API server does not answer, so they are started after it.
        start(
            "kube-controller-manager",
            components.controller_manager(programs["kube-controller-manager"], state),
        )
        start("kube-scheduler", components.scheduler(programs["kube-scheduler"], state))
        # Pods are refused in a namespace until the controller manager has made its ServiceAccount.
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._wait(account, "the controller manager to make the first ServiceAccount", *STOP_ORDER)

    def stop(self) -> None:
        """End all programs, in the order that they can bear; no error if they do not run."""
        for name in STOP_ORDER:
            self.daemons.stop(name, grace=5)

    def api(self) -> Api:
        """The API server, as administrator."""
        return Api(self.kubeconfig)

    def _answers(self, path: str) -> bool:
        return self.kubeconfig.is_file() and self.api().answers(path)

    def _wait(self, path: str, what: str, *programs: str) -> None:
        wait_until(what, lambda: self._answers(path), READY_SECONDS, lambda: self.daemons.check(*programs))

    def _write_credentials(self, at: Endpoints) -> None:
        shutil.rmtree(self.pki, ignore_errors=True)
        etcd_authority = pki.new_authority(self.pki / "etcd", "etcd")
        pki.issue(etcd_authority, "server", "etcd", hosts=["127.0.0.1", "localhost"])
        pki.issue(etcd_authority, "client", "kube-apiserver")
        authority = pki.new_authority(self.pki, "kubernetes")
        service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        service.append(f"{service[-1]}.cluster.local")
        hosts = [
            at.address,
            "127.0.0.1",
            SERVICE_ADDRESS,
            "localhost",
            *service,
            f"{service[-1]}.cluster.local",
        ]
        # It is also the API server's identity towards kubelets (logs, exec).
        pki.issue(authority, "apiserver", "kube-apiserver", "system:masters", sorted(set(hosts)))
        pki.new_token_keys(self.pki)
        for file_name, user, group in (
            ("kubeconfig", "sensorscore-admin", "system:masters"),
            ("controller-manager.kubeconfig", "system:kube-controller-manager", None),
            ("scheduler.kubeconfig", "system:kube-scheduler", None),
        ):
            client = pki.issue(authority, user.removeprefix("system:"), user, group)
            text = kubeconfig.render(at.server, authority.files.certificate, client)
            kubeconfig.write(self.state / file_name, text)


def _free_endpoints() -> Endpoints:
    return Endpoints("127.0.0.1", *free_ports(3))

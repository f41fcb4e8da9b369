"""Command lines of the control plane's four programs, as pure functions of where they lie and listen."""

from dataclasses import dataclass
from pathlib import Path

from local import audit
from local.places import SERVICE_CIDR

# With the defaults (20 requests a second) the Job controller ends 3 Jobs a second; with these, over 30.
CLIENT_RATE = ("--kube-api-qps=1000", "--kube-api-burst=2000")


@dataclass(frozen=True)
class Endpoints:
    """Where a control plane listens: one address, three ports; etcd is reached on loopback only."""

    address: str
    api: int = 6443
    etcd: int = 2379
    etcd_peer: int = 2380

    @property
    def server(self) -> str:
        """URL of the API server."""
        return f"https://{self.address}:{self.api}"

    @property
    def loopback(self) -> bool:
        """Whether only programs on this machine (or in this namespace) can reach it."""
        return self.address.startswith("127.")


def etcd(binary: Path, state: Path, at: Endpoints) -> list[str]:
    """Command line of etcd: one member, clients by certificate of its own authority only."""
    pki = state / "pki" / "etcd"
    client, peer = f"https://127.0.0.1:{at.etcd}", f"http://127.0.0.1:{at.etcd_peer}"
    return [
        str(binary),
        "--name=sensorscore",
        f"--data-dir={state / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=sensorscore={peer}",
        f"--cert-file={pki / 'server.crt'}",
        f"--key-file={pki / 'server.key'}",
        f"--trusted-ca-file={pki / 'etcd.crt'}",
        "--client-cert-auth",
        # This cluster's data need not outlive the machine's power, and fsync dominates on slow disks.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(binary: Path, state: Path, at: Endpoints) -> list[str]:
    """Command line of the API server: RBAC, Node authorizer, default admission (with Pod Security)."""
    pki = state / "pki"
    argv = [
        str(binary),
        f"--bind-address={at.address}",
        f"--advertise-address={at.address}",
        f"--secure-port={at.api}",
        f"--etcd-servers=https://127.0.0.1:{at.etcd}",
        f"--etcd-cafile={pki / 'etcd' / 'etcd.crt'}",
        f"--etcd-certfile={pki / 'etcd' / 'client.crt'}",
        f"--etcd-keyfile={pki / 'etcd' / 'client.key'}",
        f"--client-ca-file={pki / 'kubernetes.crt'}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--kubelet-certificate-authority={pki / 'kubernetes.crt'}",
        f"--kubelet-client-certificate={pki / 'apiserver.crt'}",
        f"--kubelet-client-key={pki / 'apiserver.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        *audit.flags(state),
    ]
    if at.loopback:
        # It would write its own address into the service `kubernetes`, and loopback is not allowed there.
        argv.append("--endpoint-reconciler-type=none")
    return argv


def controller_manager(binary: Path, state: Path) -> list[str]:
    """Command line of the controller manager."""
    pki = state / "pki"
    return [
        str(binary),
        f"--kubeconfig={state / 'controller-manager.kubeconfig'}",
        f"--service-account-private-key-file={pki / 'service-accounts.key'}",
        f"--root-ca-file={pki / 'kubernetes.crt'}",
        "--use-service-account-credentials",
        "--leader-elect=false",  # there is one only, and waiting for a lease costs seconds
        "--secure-port=0",
        "--concurrent-job-syncs=20",
        *CLIENT_RATE,
    ]


def scheduler(binary: Path, state: Path) -> list[str]:
    """Command line of the scheduler."""
    return [
        str(binary),
        f"--kubeconfig={state / 'scheduler.kubeconfig'}",
        "--leader-elect=false",
        "--secure-port=0",
        *CLIENT_RATE,
    ]

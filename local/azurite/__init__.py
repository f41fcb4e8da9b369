"""Azurite, Microsoft's emulator of Blob Storage, from npm: for the local cluster and the component tests.

    with Azurite(tmp_path / "azurite") as blobs:
        ...  # blobs.connection_string

The packages are those of `package-lock.json` in this directory, which pins each by its digest.
"""

import hashlib
import http.client
import shutil
import tempfile
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from local.api import wait_until
from local.commands import find, run
from local.console import stage
from local.errors import LocalError
from local.locks import exclusive
from local.places import Places
from local.ports import free_ports
from local.processes import Daemons, Startable

PORT = 10000
ACCOUNT = "devstoreaccount1"
# Not a secret: it is printed in Azurite's documentation, and it is the only key of every Azurite in the
# world.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_HERE = Path(__file__).resolve().parent
_READY_SECONDS = 60  # a second and a half on an idle machine
_NAME = "azurite"


def ensure(places: Places) -> Path:
    """Path of Azurite's blob server (a script for node), its packages installed if need be."""
    digest = hashlib.sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()[:10]
    directory = places.cache / f"azurite-{digest}"
    script = directory / "node_modules/azurite/dist/src/blob/main.js"
    if not directory.is_dir():
        with exclusive(places.cache, "azurite"):
            if not directory.is_dir():  # another process may have done it while we waited
                _install(directory)
    return script


def is_installed(places: Places) -> bool:
    """Whether `ensure` has nothing to install."""
    digest = hashlib.sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()[:10]
    return (places.cache / f"azurite-{digest}").is_dir()


def argv(script: Path, data: Path, address: str, port: int) -> list[str]:
    """Command line of the blob server: any client's API version is taken, and nothing is sent to anyone."""
    return [
        node(),
        str(script),
        f"--blobHost={address}",
        f"--blobPort={port}",
        f"--location={data}",
        "--skipApiVersionCheck",
        "--disableTelemetry",
        "--silent",
    ]


def node() -> str:
    """Path of node."""
    path = find("node")
    if path is None:
        raise LocalError("Azurite needs Node.js, and there is no `node` on PATH")
    return path


class Azurite(Startable):
    """One Azurite; its data and log lie in `state`.

    On loopback at a free port it ends with the thread that started it. `address`, `port`, `prefix` (a command
    to start it through) and `detached` are for the cluster's own.
    """

    def __init__(
        self,
        state: Path,
        *,
        places: Places | None = None,
        address: str = "127.0.0.1",
        port: int | None = None,
        prefix: Sequence[str] = (),
        detached: bool = False,
    ) -> None:
        self.state = state.absolute()
        self.places = places or Places.here()
        self.daemons = Daemons(self.state, prefix, die_with_parent=not detached)
        self._address = address
        self._port = port

    @property
    def port(self) -> int:
        """The port it listens on; on loopback chosen by `start`."""
        if self._port is None:
            raise LocalError("Azurite has no port before it is started")
        return self._port

    @property
    def endpoint(self) -> str:
        """URL of the account."""
        return f"http://{self._address}:{self.port}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        """Connection string of the account."""
        account = f"AccountName={ACCOUNT};AccountKey={KEY}"
        return f"DefaultEndpointsProtocol=http;{account};BlobEndpoint={self.endpoint};"

    def running(self) -> bool:
        """Whether it runs and answers."""
        return self.daemons.alive(_NAME) and self._answers()

    def start(self) -> None:
        """Start it unless it runs, and wait until it answers."""
        script = ensure(self.places)
        if self._port is None:
            (self._port,) = free_ports(1)
        if self.running():
            return
        self.daemons.stop(_NAME)
        data = self.state / "data"
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.daemons.start(_NAME, argv(script, data, self._address, self.port))
        wait_until("Azurite to answer", self._answers, _READY_SECONDS, lambda: self.daemons.check(_NAME))

    def stop(self) -> None:
        """End it; no error if it does not run."""
        self.daemons.stop(_NAME)

    def _answers(self) -> bool:
        address = urllib.parse.urlsplit(self.endpoint)
        connection = http.client.HTTPConnection(self._address, address.port, timeout=2)
        try:
            # Refused for want of a signature, which is an answer.
            connection.request("GET", f"/{ACCOUNT}?comp=list")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True


def _install(directory: Path) -> None:
    npm = find("npm")
    if npm is None:
        raise LocalError("Azurite is installed by npm, and there is no `npm` on PATH")
    with stage("npm ci (Azurite)"), tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        target = Path(scratch) / "azurite"
        target.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_HERE / name, target)
        run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"],
            "npm ci of Azurite",
            cwd=target,
            env={"npm_config_update_notifier": "false"},
        )
        target.rename(directory)

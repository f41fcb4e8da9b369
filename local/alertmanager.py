"""Alertmanager, beside a Prometheus: it tells nobody of alerts, but its API shows them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from local import scraping, unpacked
from local.api import wait_until
from local.errors import LocalError
from local.places import Places
from local.ports import free_ports
from local.processes import Daemons, Startable
from local.promql import ask, ready

PORT = 9093
NAME = "alertmanager"
_READY_SECONDS = 60


def argv(command: Sequence[str], state: Path, address: str) -> list[str]:
    """Command line: alone, without a cluster of its kind."""
    return [
        *command,
        f"--config.file={state / 'alertmanager.yml'}",
        f"--storage.path={state / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]


class Alertmanager(Startable):
    """One Alertmanager; its configuration, data and log lie in `state`. The rest is as with Prometheus."""

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
        self.address = f"{address}:{port or free_ports(1)[0]}"
        self.url = f"http://{self.address}"
        self.state = state.absolute()
        self.places = places or Places.here()
        self.daemons = Daemons(self.state, prefix, die_with_parent=not detached)

    def running(self) -> bool:
        """Whether it runs and is ready."""
        return self.daemons.alive(NAME) and ready(self.url)

    def start(self) -> None:
        """Start it unless it runs, and wait until it is ready."""
        if self.running():
            return
        command = unpacked.command(self.places, NAME)
        self.daemons.stop(NAME)
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.state / "alertmanager.yml").write_text(yaml.safe_dump(scraping.alertmanager()))
        self.daemons.start(NAME, argv(command, self.state, self.address))
        wait_until(
            "Alertmanager to be ready",
            lambda: ready(self.url),
            _READY_SECONDS,
            lambda: self.daemons.check(NAME),
        )

    def stop(self) -> None:
        """End it; no error if it does not run."""
        self.daemons.stop(NAME)

    def alerts(self) -> list[dict[str, Any]]:
        """All alerts that are active now, each with labels, annotations and startsAt."""
        status, text = ask(self.url, "/api/v2/alerts?active=true")
        try:
            found: list[dict[str, Any]] = json.loads(text)
        except ValueError:
            raise LocalError(f"Alertmanager answered {status}: {text[:200]}") from None
        return found

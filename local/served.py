"""A program of `local.unpacked` that listens and says when it is ready: Prometheus, or Alertmanager."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from local import unpacked
from local.api import wait_until
from local.places import Places
from local.ports import free_ports
from local.processes import Daemons, Startable
from local.promql import ready

READY_SECONDS = 60  # less than a second on an idle machine


class Served(Startable):
    """One such program; its configuration, data and log lie in `state`.

    On loopback at a free port it ends with the thread that started it. `address`, `port`, `prefix` (a command
    to start it through) and `detached` are for the cluster's own.
    """

    def __init__(
        self,
        name: str,
        state: Path,
        places: Places | None,
        address: str,
        port: int | None,
        prefix: Sequence[str],
        detached: bool,
    ) -> None:
        self.name = name
        self.address = f"{address}:{port or free_ports(1)[0]}"
        self.url = f"http://{self.address}"
        self.state = state.absolute()
        self.places = places or Places.here()
        self.daemons = Daemons(self.state, prefix, die_with_parent=not detached)

    def configuration(self) -> Mapping[str, Any]:
        """What its configuration file says."""
        raise NotImplementedError

    def arguments(self, file: Path) -> list[str]:
        """Its command line after the program; `file` is the configuration."""
        raise NotImplementedError

    def running(self) -> bool:
        """Whether it runs and is ready."""
        return self.daemons.alive(self.name) and ready(self.url)

    def start(self) -> None:
        """Start it unless it runs, and wait until it is ready. LocalError if the configuration is wrong."""
        if self.running():
            return
        command = unpacked.command(self.places, self.name)
        self.daemons.stop(self.name)
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.state / f"{self.name}.yml"
        file.write_text(yaml.safe_dump(dict(self.configuration()), sort_keys=False))
        self.daemons.start(self.name, [*command, *self.arguments(file)])
        wait_until(
            f"{self.name.capitalize()} to be ready",
            lambda: ready(self.url),
            READY_SECONDS,
            lambda: self.daemons.check(self.name),
        )

    def stop(self) -> None:
        """End it; no error if it does not run."""
        self.daemons.stop(self.name)

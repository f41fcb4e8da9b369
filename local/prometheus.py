"""Prometheus: for the local cluster beside its node, and for tests on loopback.

    with Prometheus(tmp_path / "prometheus", scraping.static(["127.0.0.1:8080"])) as prometheus:
        ...  # prometheus.url, prometheus.query("up")

It is the one on PATH, or Debian's: `local.unpacked`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from local import scraping, unpacked
from local.api import wait_until
from local.places import Places
from local.ports import free_ports
from local.processes import Daemons, Startable
from local.promql import Client, ready

PORT = 9090
NAME = "prometheus"
READY_SECONDS = 60  # less than a second on an idle machine


def argv(command: Sequence[str], state: Path, address: str) -> list[str]:
    """Command line: data of a week, as long as they take little room."""
    return [
        *command,
        f"--config.file={state / 'prometheus.yml'}",
        f"--storage.tsdb.path={state / 'data'}",
        "--storage.tsdb.retention.time=7d",
        "--storage.tsdb.retention.size=512MB",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]


class Prometheus(Client, Startable):
    """One Prometheus; its configuration, data and log lie in `state`.

    On loopback at a free port it ends with the thread that started it. `address`, `port`, `prefix` (a command
    to start it through) and `detached` are for the cluster's own. `every` is how often it scrapes and
    evaluates `rules` (files, or globs of them); alerts go to `alertmanager` (HOST:PORT).
    """

    def __init__(
        self,
        state: Path,
        scrape: Mapping[str, Any],
        *,
        rules: Sequence[Path] = (),
        alertmanager: str = "",
        every: str = "1s",
        places: Places | None = None,
        address: str = "127.0.0.1",
        port: int | None = None,
        prefix: Sequence[str] = (),
        detached: bool = False,
    ) -> None:
        self.address = f"{address}:{port or free_ports(1)[0]}"
        super().__init__(f"http://{self.address}")
        self.state = state.absolute()
        self.places = places or Places.here()
        self.daemons = Daemons(self.state, prefix, die_with_parent=not detached)
        self._config = scraping.prometheus(scrape, rules, alertmanager, every)

    def running(self) -> bool:
        """Whether it runs and is ready."""
        return self.daemons.alive(NAME) and ready(self.url)

    def start(self) -> None:
        """Start it unless it runs, and wait until it is ready. LocalError if the configuration is wrong."""
        if self.running():
            return
        command = unpacked.command(self.places, NAME)
        self.daemons.stop(NAME)
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.state / "prometheus.yml").write_text(yaml.safe_dump(self._config, sort_keys=False))
        self.daemons.start(NAME, argv(command, self.state, self.address))
        wait_until(
            "Prometheus to be ready",
            lambda: ready(self.url),
            READY_SECONDS,
            lambda: self.daemons.check(NAME),
        )

    def stop(self) -> None:
        """End it; no error if it does not run."""
        self.daemons.stop(NAME)

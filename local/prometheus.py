"""Prometheus: for the local cluster beside its node, and for tests on loopback.

    with Prometheus(tmp_path / "prometheus", scraping.static(["127.0.0.1:8080"])) as prometheus:
        ...  # prometheus.url, prometheus.query("up")

It is the one on PATH, or Debian's: `local.unpacked`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local import scraping
from local.places import Places
from local.promql import Client
from local.served import Served

PORT = 9090
NAME = "prometheus"


class Prometheus(Served, Client):
    """One Prometheus; `Served` says what most arguments are.

    `every` is how often it scrapes and evaluates `rules` (files, or globs of them); alerts go to
    `alertmanager` (HOST:PORT).
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
        Served.__init__(self, NAME, state, places, address, port, prefix, detached)
        Client.__init__(self, self.url)
        self._config = scraping.prometheus(scrape, rules, alertmanager, every)

    def configuration(self) -> Mapping[str, Any]:
        """Whom to scrape, and which rules to evaluate."""
        return self._config

    def arguments(self, file: Path) -> list[str]:
        """Data of a week, as long as they take little room."""
        return [
            f"--config.file={file}",
            f"--storage.tsdb.path={self.state / 'data'}",
            "--storage.tsdb.retention.time=7d",
            "--storage.tsdb.retention.size=512MB",
            f"--web.listen-address={self.address}",
            "--log.level=warn",
        ]

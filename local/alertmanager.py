"""Alertmanager, beside a Prometheus: it tells nobody of alerts, but its API shows them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local import scraping
from local.errors import LocalError
from local.places import Places
from local.promql import ask
from local.served import Served

PORT = 9093
NAME = "alertmanager"


class Alertmanager(Served):
    """One Alertmanager; `Served` says what the arguments are."""

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
        super().__init__(NAME, state, places, address, port, prefix, detached)

    def configuration(self) -> Mapping[str, Any]:
        """Nobody is told."""
        return scraping.alertmanager()

    def arguments(self, file: Path) -> list[str]:
        """Alone, without a cluster of its kind."""
        return [
            f"--config.file={file}",
            f"--storage.path={self.state / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    def alerts(self) -> list[dict[str, Any]]:
        """All alerts that are active now, each with labels, annotations and startsAt."""
        status, text = ask(self.url, "/api/v2/alerts?active=true")
        try:
            found: list[dict[str, Any]] = json.loads(text)
        except ValueError:
            raise LocalError(f"Alertmanager answered {status}: {text[:200]}") from None
        return found

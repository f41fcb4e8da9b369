"""The cluster's Prometheus in the demo: started beside it, asked for the latency of the run's Jobs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from examples.demo import latency
from examples.demo.console import say
from local.backend import Backend
from local.errors import LocalError
from local.promql import Client


def prometheus(backend: Backend) -> Client | None:
    """The cluster's Prometheus, started if need be; None, with the reason said, where there can be none."""
    try:
        monitoring = backend.monitoring()
        monitoring.start()
    except LocalError as error:
        say(f"   goes on without Prometheus: {error}")
        return None
    return monitoring.prometheus


def show(client: Client, run: Mapping[str, Any], start: float, picture: Path) -> None:
    """Table and picture of a run that ended just now, and was applied at `start` (Unix time).

    The run has succeeded: that it cannot be looked at is said, and ends nothing.
    """
    try:
        _show(client, run, start, picture)
    except (LocalError, OSError) as error:
        say(f"   Prometheus at {client.url} does not answer: {error}")


def _show(client: Client, run: Mapping[str, Any], start: float, picture: Path) -> None:
    jobs = int(run["status"]["counts"]["jobs"])
    found = latency.when_scraped(client, jobs, start)
    if not found:
        say(f"   {client.url} has scraped nothing of this run; {unscraped(client)}")
        return
    for line in latency.table(found):
        say(f"   {line}")
    # Half a second of imports, which nothing before needs.
    from examples.demo import latency_picture

    latency_picture.draw(found, f"{run['metadata']['name']}: {jobs} Jobs, stage by stage", picture)
    say(f"   {picture.name}: the same as a picture")


def unscraped(client: Client) -> str:
    """Why, in Prometheus' words."""
    errors = [f"{each['scrapeUrl']}: {each['lastError'] or each['health']}" for each in client.targets()]
    return "; ".join(errors) or "it finds no Service with the annotation prometheus.io/scrape"

"""The dashboards over a day that is known: a real Prometheus answers each query, and what they tell is so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from local.preview.__main__ import DASHBOARDS, main
from local.preview.data import Range, ask
from local.preview.model import Panel, everything, load
from local.prometheus import Prometheus
from monitoring import day, history

NAMES = sorted(file.stem for file in DASHBOARDS.glob("*.json"))
WHOLE = Range(history.START, history.END, history.SCRAPE)
HOUR = 3600.0
INGEST = DASHBOARDS / "ingest.json"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with day.prometheus(tmp_path_factory.mktemp("day") / "prometheus") as started:
        yield started


def panel(name: str, title: str) -> Panel:
    found = [each for each in load(DASHBOARDS / f"{name}.json").panels if each.title == title]
    assert len(found) == 1, title
    return found[0]


def values(prometheus: Prometheus, name: str, title: str, spread: Range = WHOLE) -> dict[str, float]:
    """What a panel shows last, by the series' names."""
    scope = everything(load(DASHBOARDS / f"{name}.json"))
    return {each.name: each.last for each in ask(panel(name, title), prometheus, spread, scope)}


def value(prometheus: Prometheus, name: str, title: str, spread: Range = WHOLE) -> float:
    """What a panel of one number shows."""
    (only,) = values(prometheus, name, title, spread).values()
    return only


@pytest.mark.parametrize("name", NAMES)
def test_every_query_has_data(prometheus: Prometheus, name: str) -> None:
    typed = load(DASHBOARDS / f"{name}.json")
    for each in typed.panels:
        refs = {found.ref for found in ask(each, prometheus, WHOLE, everything(typed))}
        assert refs == {target.ref for target in each.targets}, each.title


def test_the_preview_draws_them_all(prometheus: Prometheus, tmp_path: Path) -> None:
    when = ["--end", str(history.END), "--scrape-interval", str(history.SCRAPE)]
    assert main(["--prometheus", prometheus.url, "--out", str(tmp_path), *when]) == 0
    for name in NAMES:
        words = ElementTree.parse(tmp_path / f"{name}.svg").iter("{http://www.w3.org/2000/svg}text")  # noqa: S314
        titles = {word.text for word in words}
        document = json.loads((DASHBOARDS / f"{name}.json").read_text(encoding="utf-8"))
        assert {each["title"] for each in document["panels"]} <= titles
        assert (tmp_path / f"{name}.html").is_file()


def test_the_day_is_told_as_it_was(prometheus: Prometheus) -> None:
    assert value(prometheus, "runs", "Runs failed") == pytest.approx(1, abs=0.02)
    assert set(values(prometheus, "runs", "Why runs failed")) == {"TooManyFailedSensors"}
    jobs = (history.HOURS - 1) * history.PUMPS.jobs + history.HOURS * history.BOILERS.jobs
    assert value(prometheus, "latency", "Jobs ended") == pytest.approx(jobs, rel=0.01)
    assert next(iter(values(prometheus, "runs", "Why sensors failed"))) == "StorageDenied"
    assert value(prometheus, "operator", "Starts") == 1


@pytest.mark.parametrize(("hour", "behind"), [(8.5, 0), (9.8, 1), (10.5, 0), (13.8, 1), (14.5, 0)])
def test_a_window_that_failed_or_was_missed_is_seen_within_its_hour(
    prometheus: Prometheus, hour: float, behind: int
) -> None:
    spread = Range(history.START, history.START + hour * HOUR, history.SCRAPE)
    assert value(prometheus, "runs", "Schedules behind", spread) == behind


def test_bars_add_up_to_what_was_counted(prometheus: Prometheus) -> None:
    scope = everything(load(DASHBOARDS / "runs.json"))
    bars = ask(panel("runs", "Sensors decided, by result"), prometheus, WHOLE, scope)
    shown = sum(value for each in bars for value in each.values if value == value)
    sensors = (history.HOURS - 1) * history.PUMPS.sensors + history.HOURS * history.BOILERS.sensors
    assert shown == pytest.approx(sensors, rel=0.01)


def test_one_schedule_can_be_chosen(prometheus: Prometheus) -> None:
    scope = {**everything(load(DASHBOARDS / "runs.json")), "schedule": "boilers"}
    found = ask(panel("runs", "Windows behind, by schedule"), prometheus, WHOLE, scope)
    assert [each.name for each in found] == ["plant-south/boilers"]


def test_what_befell_ingest_is_seen(prometheus: Prometheus) -> None:
    def at(hour: float) -> Range:
        return Range(history.START, history.START + hour * HOUR, history.SCRAPE)

    assert value(prometheus, "ingest", "Behind the late tolerance", at(9.0)) == 0
    assert value(prometheus, "ingest", "Behind the late tolerance", at(9.74)) > 1_000
    assert value(prometheus, "ingest", "Partitions that nobody has") == 0
    landed = ask(panel("ingest", "Hours landed"), prometheus, WHOLE, everything(load(INGEST)))
    assert sum(v for each in landed for v in each.values if v == v) == pytest.approx(history.HOURS, abs=1.1)
    fates = ask(
        panel("ingest", "Events, by what became of them"), prometheus, WHOLE, everything(load(INGEST))
    )
    shown = sum(v for each in fates for v in each.values if v == v)
    assert shown == pytest.approx(value(prometheus, "ingest", "Events read"), rel=0.02)

"""The catalogue of series, what is served, and docs/metrics.md are one."""

from __future__ import annotations

import re
from pathlib import Path

from charts import metrics_page
from scorer.ingest import series as ingest
from scoring_operator.metrics.catalogue import CATALOGUE, PROCESS
from unit.operator.test_metrics_size import worked

PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"
FAMILY = re.compile(r"^# (HELP|TYPE) (\S+) (.*)$", re.MULTILINE)


def test_the_tables_of_the_page_are_made_from_the_catalogue() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert metrics_page.with_tables(page) == page, "run `make metrics-page`"


def test_every_series_is_in_the_catalogue_and_every_series_there_is_served() -> None:
    text = worked(namespaces=1, schedules=1, sensors=50, runs=20).text().decode()
    served = {name: kind for what, name, kind in FAMILY.findall(text) if what == "TYPE"}
    ours = {name: kind for name, kind in served.items() if name.startswith("sensorscore_")}
    assert ours == {series.name: series.kind for series in CATALOGUE.values()}
    assert {name for name in served if not name.startswith("sensorscore_")} == set(PROCESS)


def test_every_series_has_the_labels_that_the_catalogue_says() -> None:
    text = worked(namespaces=1, schedules=1, sensors=50, runs=20).text().decode()
    for series in CATALOGUE.values():
        found = re.findall(rf"^{series.name}(?:_bucket)?(?:\{{(.*)\}})? ", text, re.MULTILINE)
        assert found, series.name
        for labels in found:
            names = set(re.findall(r'(\w+)="', labels)) - {"le"}
            assert names == set(series.labels), series.name


def test_counters_and_units_are_named_by_prometheus_conventions() -> None:
    for series in CATALOGUE.values():
        assert series.name.endswith("_total") == (series.kind == "counter"), series.name
        assert bool(series.buckets) == (series.kind == "histogram"), series.name
        if series.unit == "seconds" and series.kind != "counter":
            assert series.name.endswith("_seconds"), series.name


def test_every_label_is_explained() -> None:
    used = {label for series in (*CATALOGUE.values(), *ingest.SERIES) for label in series.labels}
    assert used == set(metrics_page.LABELS)


def test_the_queries_of_the_page_name_series_that_there_are() -> None:
    blocks = re.findall(r"```promql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 10
    for name in re.findall(r"sensorscore_\w+", " ".join(blocks)):
        known = CATALOGUE.keys() | ingest.CATALOGUE.keys()
        assert re.sub(r"_(bucket|sum|count)$", "", name) in known or name in known, name

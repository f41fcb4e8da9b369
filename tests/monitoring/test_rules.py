"""The chart's rules by promtool: each alert fires when it should, and only then; documented queries parse."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from local.places import Places
from local.unpacked import program
from scorer.ingest.measures import Measures
from unit.operator.test_metrics_size import worked

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "charts/sensorscore/files/rules").glob("*.yaml"))
CASES = sorted((Path(__file__).parent / "rules").glob("*.yaml"))
PAGES = [ROOT / "docs/metrics.md", *sorted((ROOT / "docs/runbooks").glob("*.md"))]


def promtool(*arguments: str | Path, stdin: str | None = None) -> str:
    """Runs it; fails with what it says."""
    done = subprocess.run(
        [program(Places.here(), "promtool"), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    said = f"{done.stdout}{done.stderr}"
    assert done.returncode == 0, said
    return said


def queries(page: Path) -> list[str]:
    """The queries of a page."""
    return re.findall(r"```promql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_rules_are_valid_and_none_is_there_twice() -> None:
    assert "SUCCESS" in promtool("check", "rules", *RULES)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_an_alert_fires_when_it_should_and_only_then(case: Path) -> None:
    promtool("test", "rules", case)


def test_what_the_operator_serves_is_named_by_prometheus_conventions() -> None:
    metrics = worked(namespaces=1, schedules=1, sensors=100, runs=20).text().decode()
    assert promtool("check", "metrics", stdin=metrics) == ""


def test_what_ingest_serves_is_named_by_prometheus_conventions() -> None:
    assert promtool("check", "metrics", stdin=Measures().text().decode()) == ""


def test_every_documented_query_parses(tmp_path: Path) -> None:
    found = [query for page in PAGES for query in queries(page)]
    rules = [{"record": f"documented:query:{number}", "expr": query} for number, query in enumerate(found)]
    file = tmp_path / "documented.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "documented", "rules": rules}]}))
    assert f"SUCCESS: {len(found)} rules found" in promtool("check", "rules", file)

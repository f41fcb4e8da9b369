"""Writes the tables of docs/metrics.md from the operator's and ingest's catalogues of series.

Run `make metrics-page` after a change of `scoring_operator.metrics` or `scorer.ingest.series`; a test holds
page and catalogues equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from scorer.ingest.series import ERRORS, FATES, SERIES
from scoring_operator.metrics.catalogue import PARTS, PROCESS, Part, Series
from scoring_operator.metrics.reasons import (
    CLASSES,
    GUARD_REASONS,
    JOB_RESULTS,
    ROW_KINDS,
    RUN_REASONS,
    SENSOR_REASONS,
    SINK_RESULTS,
    STAGES,
)
from scoring_operator.status import PHASES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
START, END = "<!-- series: made by charts/metrics_page.py -->", "<!-- end of series -->"


def words(values: Iterable[str]) -> str:
    """As code, with commas."""
    return ", ".join(f"`{value}`" if value else "(empty)" for value in values)


LABELS = {
    "namespace": "Of a run: those that the settings name (watched namespaces, the schedules'), the first 50"
    " others, then `Other`",
    "schedule": "The run's label `sensorscore.dev/schedule` if the settings name that schedule in that"
    " namespace; else empty, as of a run by hand",
    "stage": f"{words(STAGES)}; the last two are Jobs of a whole run",
    "result": f"Of Jobs {words(JOB_RESULTS)}; of sensors {words(SENSOR_REASONS)};"
    f" of runs {words(RUN_REASONS)}; of rows {words(ROW_KINDS)}; of sinks {words(SINK_RESULTS)}",
    "sink": "A sink of the settings; one that they do not name any more counts as `Other`",
    "reason": "See [Reasons](#reasons); a word that is not listed counts as `Other`",
    "phase": words(PHASES),
    "currency": "That of the settings, such as `EUR`",
    "verb": "As in RBAC: `create`, `delete`, `get`, `list`, `patch`, `update`, `watch`",
    "resource": "What is called or watched, in Kubernetes' plural; of stream ages also `lease` and `loop`",
    "code": "HTTP status; `0`: no answer",
    "version": "The operator's",
    "fate": words(FATES),
    "kind": words(ERRORS),
}
INGEST = Part("Ingest", tuple(Series(s.name, s.kind, s.unit, s.labels, s.help, s.more) for s in SERIES))
INGEST_IS = (
    "Served by each replica of `sensorscore-ingest`, with `process_*` as above. Events are counted when they"
    " are committed. Which ingest and which replica it is, the scrape says: `namespace`, `job`, `instance`.\n"
)


def tables() -> str:
    """Labels, series part by part, and reasons, in Markdown."""
    lines = [*_labels(), *(line for part in PARTS for line in _part(part)), *_process(), *_reasons()]
    lines += _part(INGEST, INGEST_IS)
    return "\n".join(lines)


def with_tables(page: str) -> str:
    """The page with its tables made anew; raises `ValueError` if it has no place for them."""
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"docs/metrics.md lacks {START} or {END}")
    return f"{before}{START}\n\n{tables()}\n{END}{after}"


def _labels() -> Iterator[str]:
    yield "## Labels\n"
    yield "| label | values |\n|---|---|"
    yield from (f"| `{label}` | {text} |" for label, text in LABELS.items())
    yield ""


def _part(part: Part, said: str = "") -> Iterator[str]:
    yield f"## {part.title}\n"
    if said:
        yield said
    yield "| name | type | unit | labels | what |\n|---|---|---|---|---|"
    yield from map(_row, part.series)
    yield ""
    histograms = [series for series in part.series if series.buckets]
    for series in histograms:
        bounds = ", ".join(f"{each:g}" for each in series.buckets)
        yield f"Buckets of `{series.name}`, in seconds: {bounds}.\n"


def _row(series: Series) -> str:
    text = f"{series.help} {series.more}".strip()
    labels = words(series.labels) if series.labels else "none"
    return f"| `{series.name}` | {series.kind} | {series.unit} | {labels} | {text} |"


def _process() -> Iterator[str]:
    yield "## The operator's process\n"
    yield "| name | what |\n|---|---|"
    yield from (f"| `{name}` | {text} |" for name, text in PROCESS.items())
    yield ""


def _reasons() -> Iterator[str]:
    yield "## Reasons\n"
    yield "| of | values |\n|---|---|"
    for state, reasons in SENSOR_REASONS.items():
        yield f"| sensors {state} | {words(reasons)} |"
    for result, reasons in RUN_REASONS.items():
        yield f"| runs {result} | {words(reasons)} |"
    yield f"| the guard's warnings | {words(GUARD_REASONS)} |"
    yield ""
    yield "A Job that failed is counted by whose matter it is: what most of its failed sensors failed for.\n"
    yield "| `reason` of a Job | reasons of its sensors |\n|---|---|"
    yield from (f"| `{kind}` | {words(reasons)} |" for kind, reasons in CLASSES.items())
    yield ""


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

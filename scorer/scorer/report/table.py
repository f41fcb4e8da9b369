"""The report as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from scorer.report.result import Finding, RunResult, SensorResult
from scorer.report.words import count, minute, percent

HEAD = ("sensor", "rows", "anomalies", "share", "seconds", "")


def table(run: RunResult) -> str:
    """One line a sensor in the run's order, one of sums, and what became of each injected fault."""
    faults = {finding.fault.sensor: finding for finding in run.findings()}
    lines: list[Sequence[str]] = [HEAD]
    for sensor in run.sensors:
        lines.append((*_figures(sensor), _note(sensor, faults.get(sensor.sensor))))
    rows = run.rows
    share = percent(run.anomalies / rows.scored) if rows.scored else ""
    lines.append(("all", count(rows.scored), count(run.anomalies), share, "", ""))
    return "\n".join([*aligned(lines), "", *_check(run), *_findings(run)])


def aligned(lines: list[Sequence[str]]) -> list[str]:
    """Columns under each other: the first and last to the left, numbers between them to the right."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    last = len(HEAD) - 1
    return [
        "  ".join(
            text.ljust(width) if column in (0, last) else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def _figures(sensor: SensorResult) -> tuple[str, ...]:
    if sensor.state != "Scored":
        return (sensor.sensor, "-", "-", "-", "-")
    rows, anomalies = count(sensor.rows.scored), count(sensor.anomalies)
    return (sensor.sensor, rows, anomalies, percent(sensor.share), f"{sensor.seconds:.2f}")


def _note(sensor: SensorResult, finding: Finding | None) -> str:
    if sensor.state != "Scored":
        return f"{sensor.state}: {sensor.reason}"
    return (
        f"injected {finding.fault.kind}: {'found' if finding.found else 'MISSED'}"
        if finding
        else sensor.message
    )


def _check(run: RunResult) -> list[str]:
    rows = run.rows
    verdict = "ok" if run.adds_up else "WRONG"
    return [
        f"rows read {count(rows.read)} = scored {count(rows.scored)} + rejected {count(rows.rejected)} "
        f"+ duplicate {count(rows.duplicate)}: {verdict}"
    ]


def _findings(run: RunResult) -> list[str]:
    return [
        f"injected fault, {finding.fault.sensor}, {finding.fault.kind}, {minute(finding.fault.start)} to "
        f"{minute(finding.fault.end)}: {finding.flagged} of {finding.of} readings flagged, "
        f"{'found' if finding.found else 'MISSED'}"
        for finding in run.findings()
    ]

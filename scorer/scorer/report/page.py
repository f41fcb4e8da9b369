"""The report as one HTML page that needs nothing beside itself: no script, no font, no address."""

from __future__ import annotations

import statistics
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from scorer.report.picture import panels_of
from scorer.report.plot import plot
from scorer.report.result import Finding, RunResult, SensorResult, worst_first
from scorer.report.words import count, minute, percent, period, state_words

DASH = "&ndash;"
ROWS = 1_000
"""A table of more sensors than this is for a program: the predictions themselves are in the store."""


def write(run: RunResult, path: Path) -> None:
    """Write the page."""
    path.write_text(render(run), encoding="utf-8")


def render(run: RunResult) -> str:
    """The page's text."""
    template = Template(files("scorer.report").joinpath("page.html").read_text(encoding="utf-8"))
    findings = run.findings()
    shown = panels_of(run)
    return template.substitute(
        title=escape(run.name),
        period=f"Readings after {escape(period(run))}",
        cards="".join(_card(number, label) for number, label in _figures(run, findings)),
        faults=_faults(findings),
        faultkey='<span><i class="fault-key"></i>injected fault</span>' if findings else "",
        shown=_shown(len(shown), len(run.sensors)),
        panels="".join(_figure(run, sensor) for sensor in shown),
        table=_table(run),
        footer="Each panel has its own scale; times are UTC. An anomaly is a reading that the sensor's own "
        "model flags; seconds are those of the scoring pod, from the start of its process.",
    )


def _figures(run: RunResult, findings: list[Finding]) -> list[tuple[str, str]]:
    rows, total = run.rows, len(run.sensors)
    others = [
        f"{count(number)} {state.lower()}"
        for state in ("Skipped", "Failed", "Undecided")
        if (number := run.in_state(state))
    ]
    share = run.anomalies / rows.scored if rows.scored else 0.0
    seconds = [sensor.seconds for sensor in run.sensors if sensor.state == "Scored"]
    figures = [
        (
            f"{count(run.in_state('Scored'))} / {count(total)}",
            "sensors scored" + "".join(f", {o}" for o in others),
        ),
        (count(rows.scored), f"readings scored of {count(rows.read)} read"),
        (count(run.anomalies), f"anomalies, {percent(share)} of the readings"),
    ]
    if findings:
        found = sum(finding.found for finding in findings)
        figures.append((f"{found} / {len(findings)}", "injected faults found"))
    figures.append(
        (
            count(rows.rejected + rows.duplicate),
            f"rows left out: {count(rows.rejected)} rejected, {count(rows.duplicate)} duplicate",
        )
    )
    if seconds:
        figures.append(
            (f"{statistics.median(seconds):.2f} s", f"a sensor, median; slowest {max(seconds):.2f} s")
        )
    return figures


def _card(number: str, label: str) -> str:
    return f'<div class="card"><b>{escape(number)}</b><span>{escape(label)}</span></div>'


def _shown(shown: int, total: int) -> str:
    if shown == total:
        return ""
    return (
        f"<p class=note>Of {count(total)} sensors, the {shown} that most need a look: "
        "not scored, or with most anomalies.</p>"
    )


def _faults(findings: list[Finding]) -> str:
    if not findings:
        return ""
    lines = "".join(
        f"<tr><td>{escape(finding.fault.sensor)}</td><td class=text>{escape(finding.fault.kind)}</td>"
        f"<td class=text>{minute(finding.fault.start)} to {minute(finding.fault.end)}</td>"
        f"<td>{count(finding.flagged)} of {count(finding.of)}</td>"
        + ('<td class="text good">found</td>' if finding.found else '<td class="text bad">missed</td>')
        + "</tr>"
        for finding in findings
    )
    return (
        "<h2>Injected faults</h2><p class=note>Put into the readings on purpose, to see whether the models "
        "find them. Found: most of the changed readings were flagged.</p>"
        "<div class=table><table><thead><tr><th>Sensor</th><th class=text>Fault</th><th class=text>When</th>"
        f"<th>Flagged</th><th class=text>Verdict</th></tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _figure(run: RunResult, sensor: SensorResult) -> str:
    faults = [fault for fault in run.faults if fault.sensor == sensor.sensor]
    return (
        f"<figure><figcaption><b title='{escape(sensor.sensor)}'>{escape(sensor.sensor)}</b>"
        f"<span>{escape(state_words(sensor))}</span></figcaption>{plot(run, sensor, faults)}</figure>"
    )


def _table(run: RunResult) -> str:
    highest = max((sensor.share for sensor in run.sensors), default=0.0) or 1.0
    ordered = worst_first(run.sensors)
    lines = "".join(_line(sensor, highest) for sensor in ordered[:ROWS])
    left = len(ordered) - ROWS
    more = f"<tr><td colspan=9>and {count(left)} more with fewer anomalies</td></tr>" if left > 0 else ""
    head = "".join(
        f"<th>{name}</th>"
        for name in ("Sensor", "Anomalies", "Share", "Scored", "Rejected", "Duplicate", "Seconds")
    )
    return (
        f"<table><thead><tr>{head}<th class=text>State</th><th class=text></th></tr></thead>"
        f"<tbody>{lines}{more}</tbody></table>"
    )


def _line(sensor: SensorResult, highest: float) -> str:
    scored = sensor.state == "Scored"
    state = f'<span class="{"good" if scored else "bad"}">{escape(sensor.state)}</span>'
    bar = f'<i style="width:{55 * sensor.share / highest:.0f}%"></i>' if scored else ""
    share = percent(sensor.share) if scored else DASH
    rows = sensor.rows
    numbers = [count(number) if scored else DASH for number in (rows.scored, rows.rejected, rows.duplicate)]
    message = " · ".join(text for text in (sensor.reason, sensor.message) if text)
    return (
        f"<tr><td>{escape(sensor.sensor)}</td><td>{count(sensor.anomalies) if scored else DASH}</td>"
        f"<td class=share>{bar}<span>{share}</span></td>"
        + "".join(f"<td>{number}</td>" for number in numbers)
        + f"<td>{sensor.seconds:.2f}</td><td class=text>{state}</td>"
        f"<td class='text message'>{escape(message)}</td></tr>"
    )

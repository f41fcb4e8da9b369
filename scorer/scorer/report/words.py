"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from scorer.report.result import RunResult, SensorResult


def count(number: int) -> str:
    """12660 → 12,660."""
    return f"{number:,}"


def percent(share: float) -> str:
    """0.0123 → 1.2 %; what is not nothing does not look like nothing."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %"


def moment(time: datetime) -> str:
    """29 Aug 2018, 00:00."""
    utc = time.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y, %H:%M}"


def period(run: RunResult) -> str:
    """The window, the day said once where it is one day."""
    start, end = run.start.astimezone(UTC), run.end.astimezone(UTC)
    last = f"{end:%H:%M}" if start.date() == end.date() else moment(end)
    return f"{moment(start)} to {last} UTC"


def summary(run: RunResult) -> str:
    """One line of what was done."""
    total, rows = len(run.sensors), run.rows
    share = run.anomalies / rows.scored if rows.scored else 0.0
    parts = [f"{count(run.in_state('Scored'))} of {count(total)} sensors scored"]
    parts += [
        f"{count(number)} {state.lower()}"
        for state in ("Skipped", "Failed")
        if (number := run.in_state(state))
    ]
    parts.append(f"{count(rows.scored)} readings")
    parts.append(f"{count(run.anomalies)} anomalies ({percent(share)})")
    if findings := run.findings():
        found = sum(finding.found for finding in findings)
        parts.append(f"{found} of {len(findings)} injected faults found")
    return " · ".join(parts)


def state_words(sensor: SensorResult) -> str:
    """What stands beside a sensor's name."""
    if sensor.state != "Scored":
        return f"{sensor.state}: {sensor.reason}" if sensor.reason else sensor.state
    return f"{count(sensor.anomalies)} of {count(sensor.rows.scored)} · {percent(sensor.share)}"


def shortened(name: str, length: int) -> str:
    """A name cut in its middle to at most `length` characters: beginnings and ends tell sensors apart."""
    if len(name) <= length:
        return name
    head = (length - 1) // 2
    return f"{name[:head]}…{name[-(length - 1 - head) :]}"


def minute(time: np.datetime64) -> str:
    """01:12 of a reading's time."""
    return str(np.datetime_as_string(time, unit="m"))[11:]

"""What the guard says: a sentence a finding, with the sensor, what was found, what was wanted, what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from scorer.guard.evidence import ALL, CONSTANT, HIGH, LOW, MISSING, OUTSIDE, rate
from scorer.window import utc_text

if TYPE_CHECKING:
    from scorer.guard.facts import Facts
    from scorer.guard.tracks import Track

REASONS = {
    CONSTANT: "ConstantValue",
    OUTSIDE: "OutsideTrainingRange",
    ALL: "AllFlagged",
    HIGH: "FlagRate",
    LOW: "FlagRate",
    MISSING: "MissingRows",
}
UNUSUAL = "UnusualFlagRate"


class Finding(NamedTuple):
    """One sensor's warning or note: a reason to count by, and one sentence of at most 256 bytes."""

    sensor: str
    reason: str
    message: str


def warning(sensor: str, kind: str, track: Track, facts: Facts) -> Finding:
    """A warning that has begun."""
    return Finding(sensor, REASONS[kind], f"sensor {sensor} {_found(kind, track, facts)}")


def note(sensor: str, facts: Facts) -> Finding:
    """One odd window."""
    share = percent(facts.flagged / facts.rows)
    wanted = f", {percent(rate(facts.training))} expected" if facts.training else ""
    found = f"flagged {share} of its {facts.rows:,} readings in this window{wanted}"
    return Finding(sensor, UNUSUAL, f"sensor {sensor} {found}: one window alone may be what is looked for")


def percent(share: float) -> str:
    """Two digits that matter."""
    return f"{100 * share:.2g} %" if share < 0.995 else "100 %"


def _found(kind: str, track: Track, facts: Facts) -> str:
    when = f"in {track.odd} of {track.windows} windows since {_time(track.since)}"
    if kind == CONSTANT and track.constant:
        what = f"{track.constant.feature} = {track.constant.value:g} in every reading"
        return f"is stuck: {what} {when}; look at the sensor"
    if kind == OUTSIDE:
        share = percent((facts.outside or 0) / facts.rows)
        where = "outside the range seen in training"
        return f"has {share} of its readings {where}, {when}: look at it, or train anew"
    if kind == ALL:
        return f"flagged all of its readings {when}: look at them; if they are sound, train anew"
    if kind == MISSING:
        came = (
            f"{facts.rows + facts.rejected:,} readings came in this window, about {facts.expected or 0:,.0f}"
        )
        return f"lacks readings: {came} expected, too few {when}: look at device and ingest"
    share = f"{percent(track.flagged / max(1, track.rows))} of {track.rows:,} readings"
    wanted = percent(rate(facts.training)) if facts.training else "unknown"
    verb = "flagged only" if kind == LOW else "flagged"
    return f"{verb} {share} since {_time(track.since)}, {wanted} expected: look at them; if sound, train anew"


def _time(seconds: int) -> str:
    return utc_text(datetime.fromtimestamp(seconds, UTC))

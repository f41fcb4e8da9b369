"""A window's observations → warnings and notes, and what is remembered for the next one. Pure.

A warning is given in the window where it begins, and is ongoing from then on (`scorer.guard.tracks`). One odd
window alone is a note. A new model version has tracks of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from scorer.guard.evidence import ALL, FULL, HIGH, evidence
from scorer.guard.facts import Facts
from scorer.guard.tracks import NOTHING, Record, Seen, Tracks, remember, told, tracks_at
from scorer.guard.words import Finding, note, warning

if TYPE_CHECKING:
    from scorer.window import Window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""What is remembered counts from here."""
MODELS = 3
"""Of a sensor: an old version that comes back goes on where it was, and two runs may use different ones."""

Records = Mapping[str, Record]
"""A sensor's, by model version."""


class Judged(NamedTuple):
    """The new state, and what is to be told."""

    state: dict[str, Records]
    warnings: list[Finding]
    """Those that began in this window."""
    ongoing: list[Finding]
    notes: list[Finding]


def judge(state: Mapping[str, Records], window: Window, observations: Mapping[str, Facts]) -> Judged:
    """Judges one window of the observed sensors; the others' state stays as it is."""
    judged = Judged(dict(state), [], [], [])
    if window.start < EPOCH:
        return judged
    for sensor, facts in observations.items():
        records = state.get(sensor, {})
        seen = _seen(facts, window)
        record = remember(records.get(facts.model, NOTHING), seen)
        if seen in record.seen:
            judged.state[sensor] = _newest({**records, facts.model: record})
            _tell(judged, sensor, facts, seen, tracks_at(record, seen.end))
    return judged


def _tell(judged: Judged, sensor: str, facts: Facts, seen: Seen, tracks: Tracks) -> None:
    for kind, track in tracks.items():
        if track.began:
            found = judged.warnings if track.began == seen.end else judged.ongoing
            found.append(warning(sensor, kind, track, facts))
    odd = FULL in (seen.evidence.get(HIGH), seen.evidence.get(ALL))
    if odd and not told(tracks):
        judged.notes.append(note(sensor, facts))


def _seen(facts: Facts, window: Window) -> Seen:
    end, start = (int(edge.timestamp()) for edge in (window.end, window.start))
    return Seen(end, end - start, facts.rows, facts.flagged, evidence(facts), facts.constant)


def _newest(records: Records) -> Records:
    if len(records) <= MODELS:
        return records
    ordered = sorted(records.items(), key=lambda item: item[1].seen[-1].end, reverse=True)
    return dict(ordered[:MODELS])

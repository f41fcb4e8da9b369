"""Evidence of several windows, added up: when a warning begins, and when it is over. Pure.

For each thing that may be wrong a track adds up the windows' evidence (`scorer.guard.evidence`), never below
nothing. A warning begins when the sum reaches its limit: 2.5 for what can hardly be mistaken, that is 3 odd
windows of 4; 3.5 for missing rows, 4 of 5; 6.5 for too many flags, 8 of 9; and more windows where a window
holds few rows, or rows that depend on each other. It lasts until neither a day nor six windows have been odd:
a sensor that is odd every night is one warning, not one a night.

One cause, one warning: a sensor that is stuck, or out of the range that its model knows, also flags too much.
That is not said twice.

What is remembered of a sensor and a model version is its last windows, and the tracks before them. So a
window that is scored again replaces what it said before, and windows may come in any order as long as they
are remembered; older ones are settled and passed over. The tracks of now are those before, with the
remembered windows added: doing that twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from scorer.guard.evidence import ALL, CONSTANT, HIGH, HIGHEST, LOW, MISSING, OUTSIDE
from scorer.guard.facts import Constant

REMEMBERED = 6
LIMITS = {CONSTANT: 250, OUTSIDE: 250, ALL: 250, HIGH: 650, LOW: 350, MISSING: 350}
"""Hundredths of windows. Of several causes the one that stands first is told."""
ONE_CAUSE = (CONSTANT, OUTSIDE, ALL, HIGH, LOW)
QUIET_SECONDS, QUIET_WINDOWS = 24 * 3600, 6
LOW_SECONDS = 72 * 3600
"""A machine that stands still over a weekend flags nothing, and nothing is wrong with its model."""
LONGER = 3
"""Times the longest stretch with one value in training: what lasts longer is a stuck sensor."""


class Seen(NamedTuple):
    """A remembered window: its end in seconds since 1970, its length in seconds, and what it said."""

    end: int
    seconds: int
    rows: int
    flagged: int
    evidence: Mapping[str, int]
    constant: Constant | None = None

    @property
    def start(self) -> int:
        """Its beginning in seconds since 1970."""
        return self.end - self.seconds


class Track(NamedTuple):
    """The evidence for one thing since there was none."""

    score: int
    since: int
    """The beginning of its first window."""
    last: int
    """The end of the last window that was odd."""
    windows: int
    odd: int
    rows: int
    flagged: int
    began: int = 0
    """The end of the window in which its warning began; 0: it has none."""
    constant: Constant | None = None


Tracks = Mapping[str, Track]


class Record(NamedTuple):
    """What is remembered of a sensor with one model version."""

    before: Tracks
    """The tracks before the remembered windows."""
    horizon: int
    """The end of the last window in them: it and older ones are settled."""
    seen: tuple[Seen, ...]
    """In order of time."""


NOTHING = Record({}, 0, ())


def remember(record: Record, window: Seen) -> Record:
    """With this window in its place; the oldest are settled. One that is settled already changes nothing."""
    if window.end <= record.horizon:
        return record
    seen = sorted((window, *(other for other in record.seen if other.end != window.end)), key=_end)
    before, horizon = record.before, record.horizon
    while len(seen) > REMEMBERED:
        oldest = seen.pop(0)
        before, horizon = step(before, oldest), oldest.end
    return Record(before, horizon, tuple(seen))


def tracks_at(record: Record, end: int) -> Tracks:
    """The tracks after the remembered window with this end."""
    tracks = record.before
    for window in record.seen:
        if window.end <= end:
            tracks = step(tracks, window)
    return tracks


def step(tracks: Tracks, window: Seen) -> Tracks:
    """The tracks after one more window."""
    found: dict[str, Track] = {}
    for kind in LIMITS:
        if kind not in tracks and window.evidence.get(kind, 0) <= 0:
            continue
        track = _advance(tracks.get(kind), kind, window)
        if track and _begins(track, kind, window) and not (kind in ONE_CAUSE and told(found)):
            track = track._replace(began=window.end)
        if track:
            found[kind] = track
    return found


def told(tracks: Tracks) -> bool:
    """Whether a warning on the sensor's values or flags has begun."""
    return any(kind in tracks and tracks[kind].began for kind in ONE_CAUSE)


def _advance(track: Track | None, kind: str, window: Seen) -> Track | None:
    said = window.evidence.get(kind)
    if said is None:
        return track
    quiet = max(QUIET_SECONDS, QUIET_WINDOWS * window.seconds)
    if track and (window.start - track.last >= quiet or _another(track, kind, window)):
        track = None
    if track is None:
        return _first(said, window) if said > 0 else None
    track = track._replace(
        score=min(HIGHEST, max(0, track.score + said)),
        last=window.end if said > 0 else track.last,
        windows=track.windows + 1,
        odd=track.odd + (said > 0),
        rows=track.rows + window.rows,
        flagged=track.flagged + window.flagged,
    )
    over = window.end - track.last >= quiet if track.began else not track.score
    return None if over else track


def _first(said: int, window: Seen) -> Track:
    return Track(
        score=said,
        since=window.start,
        last=window.end,
        windows=1,
        odd=1,
        rows=window.rows,
        flagged=window.flagged,
        constant=window.constant,
    )


def _another(track: Track, kind: str, window: Seen) -> bool:
    """Whether the window has another value than the track, where nobody knows how long one is usual."""
    if kind != CONSTANT or track.began or window.constant is None:
        return False
    return window.constant.longest is None and window.constant != track.constant


def _begins(track: Track, kind: str, window: Seen) -> bool:
    if track.began or track.score < LIMITS[kind]:
        return False
    lasted = window.end - track.since
    if kind == LOW:
        return lasted >= LOW_SECONDS
    if kind == CONSTANT and track.constant and track.constant.longest is not None:
        return lasted > LONGER * track.constant.longest
    return True


def _end(window: Seen) -> int:
    return window.end

"""Times as text: RFC 3339 with a zone, or the same without one, to microseconds; a column at a time.

`2026-01-01T12:00:00Z`, `2026-01-01 12:00:00.123456789+01:00`, `2026-01-01 12:00:00`: up to nine digits of
a second. Numbers are no times: nothing in them says whether they count seconds or milliseconds.
https://www.rfc-editor.org/rfc/rfc3339#section-5.6
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SECONDS = len("2026-01-01T12:00:00")
_OFFSET = len("+01:00")
_FRACTION = len(".123456789")
LONGEST = _SECONDS + _FRACTION + _OFFSET

_DASHES, _COLONS = (4, 7), (13, 16)
_DIGITS = [place for place in range(_SECONDS) if place not in (*_DASHES, 10, *_COLONS)]
_YEAR_US = 31_557_600_000_000
# The calendar's ends are no one's readings, and the hours about them may be none.
_FIRST, _LAST = -1968 * _YEAR_US, 8028 * _YEAR_US


class Times(NamedTuple):
    """What texts say."""

    times: NDArray[np.int64]
    """Microseconds since 1970, rounded up; of a time without zone as if it were UTC. 0 if it is none."""
    good: NDArray[np.bool_]
    """It is a time."""
    zoned: NDArray[np.bool_]
    """It says its zone."""


def read_times(texts: Sequence[str | None]) -> Times:
    """Times of texts; None is none."""
    coded = [b"" if text is None else text.encode("ascii", "replace") for text in texts]
    lengths = np.fromiter(map(len, coded), np.int64, len(coded))
    starts = np.cumsum(lengths) - lengths
    return parse_times(np.frombuffer(b"".join(coded), np.uint8), starts, lengths)


def parse_times(data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Times:
    """Times of ASCII texts, each `lengths` bytes of `data` from `starts` on."""
    found = Times(
        np.zeros(len(starts), np.int64), np.zeros(len(starts), np.bool_), np.zeros(len(starts), np.bool_)
    )
    # Texts of one length have their parts in the same places; a column has few lengths.
    possible = np.flatnonzero(np.bincount(np.minimum(lengths, LONGEST + 1), minlength=1))
    for length in possible[(possible >= _SECONDS) & (possible <= LONGEST)].tolist():
        which = np.flatnonzero(lengths == length)
        _parse(_characters(data, starts[which], length), which, found)
    return found


def _characters(data: NDArray[np.uint8], starts: NDArray[np.int64], length: int) -> NDArray[np.uint8]:
    """(characters, texts): each place of all texts lies together. Texts do not overlap, and come in order."""
    count, first = len(starts), int(starts[0])
    if int(starts[-1]) - first == (count - 1) * length:  # one after the other, as columns mostly have them
        return np.ascontiguousarray(data[first : first + count * length].reshape(count, length).T)
    places: NDArray[np.intp] = np.arange(length)[:, None] + starts
    return data[places]


def _parse(texts: NDArray[np.uint8], which: NDArray[np.intp], found: Times) -> None:
    """Reads texts of one length, (characters, texts), into the places `which`."""
    length = len(texts)
    utc = (texts[-1] == ord("Z")) | (texts[-1] == ord("z"))
    sign = texts[length - _OFFSET]
    # A date's own dashes lie further left than a zone's: what is shorter has none.
    offset = ((sign == ord("+")) | (sign == ord("-"))) & (length >= _SECONDS + _OFFSET) & ~utc
    for kind, zone, end in ((utc, "Z", length - 1), (offset, "+", length - _OFFSET), (None, "", length)):
        here = ~(utc | offset) if kind is None else kind
        if end < _SECONDS or not here.any():
            continue
        places, part = (which, texts) if here.all() else (which[here], texts[:, here])
        times, good = _seconds(part)
        nanoseconds, whole = _fraction(part[_SECONDS:end])
        good &= whole
        if zone == "+":
            minutes, real = _minutes(part[end:])
            times -= minutes * 60
            good &= real
        times = times * 1_000_000 - (-nanoseconds // 1_000)
        good &= (times > _FIRST) & (times < _LAST)
        found.times[places] = np.where(good, times, 0)
        found.good[places] = good
        found.zoned[places] = bool(zone)


def _seconds(texts: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Seconds since 1970 of date and time of day, and whether they are such."""
    digits = texts[:_SECONDS] - np.uint8(ord("0"))
    good = (digits[_DIGITS] <= 9).all(axis=0)
    for place in (*_DASHES, *_COLONS):
        good &= texts[place] == ord("-" if place in _DASHES else ":")
    good &= (texts[10] == ord("T")) | (texts[10] == ord("t")) | (texts[10] == ord(" "))
    year = _number(digits[0:4])
    month, day, hour, minute, second = (_number(digits[place : place + 2]) for place in (5, 8, 11, 14, 17))
    good &= (year > 0) & (month >= 1) & (month <= 12) & (hour < 24) & (minute < 60) & (second < 60)
    months = ((year - 1970) * 12 + np.clip(month, 1, 12) - 1).astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[D]").astype(np.int64)
    good &= (day >= 1) & (day <= following - first)
    return (first + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second, good


def _fraction(texts: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Nanoseconds of a point and one to nine digits, or of nothing."""
    count = texts.shape[1]
    if not len(texts):
        return np.zeros(count, np.int64), np.ones(count, np.bool_)
    if not 2 <= len(texts) <= _FRACTION:
        return np.zeros(count, np.int64), np.zeros(count, np.bool_)
    digits = texts[1:] - np.uint8(ord("0"))
    good = (texts[0] == ord(".")) & (digits <= 9).all(axis=0)
    return _number(digits) * 10 ** (9 - len(digits)), good


def _minutes(texts: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Minutes east of Greenwich of `+01:00`."""
    digits = texts - np.uint8(ord("0"))
    hours, minutes = _number(digits[1:3]), _number(digits[4:6])
    good = (digits[[1, 2, 4, 5]] <= 9).all(axis=0) & (texts[3] == ord(":")) & (hours < 24) & (minutes < 60)
    return np.where(texts[0] == ord("-"), -1, 1) * (hours * 60 + minutes), good


def _number(digits: NDArray[Any]) -> NDArray[np.int64]:
    found = np.zeros(digits.shape[1], np.int64)
    for digit in digits:
        found = found * 10 + digit
    return found

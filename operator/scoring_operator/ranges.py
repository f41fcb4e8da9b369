"""Sets of small whole numbers, as short text.

A run's status says which Jobs are recorded and which sensors failed. As a list that does not fit into etcd at
100,000 sensors; as ranges it is a few bytes when a run goes well, and as a bitmap it never exceeds one bit a
number (16.7 kB of base64 for 100,000), whatever the pattern. `text` takes the shorter of both.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LIMIT = 1_000_000  # no number of ours is above; a text that says otherwise is refused before it takes memory
_BITMAP = "b64:"


@dataclass(frozen=True, slots=True)
class RangeSet:
    """A set of whole numbers as (first, last) spans: sorted, inclusive, apart from one another."""

    spans: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, numbers: Iterable[int]) -> RangeSet:
        """The set of `numbers`, in any order, repeated or not."""
        spans: list[tuple[int, int]] = []
        for number in sorted(set(numbers)):
            if spans and number == spans[-1][1] + 1:
                spans[-1] = (spans[-1][0], number)
            else:
                spans.append((number, number))
        return cls(tuple(spans))

    @classmethod
    def of_spans(cls, spans: Iterable[tuple[int, int]]) -> RangeSet:
        """The set of all numbers in `spans`: sorted, inclusive, not overlapping, though they may touch."""
        joined: list[tuple[int, int]] = []
        for first, last in spans:
            if joined and first == joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], last)
            else:
                joined.append((first, last))
        return cls(tuple(joined))

    @classmethod
    def parse(cls, text: str) -> RangeSet:
        """The set that `text` says; raises `ValueError` for a text that `text()` cannot have made."""
        if text.startswith(_BITMAP):
            return cls._parse_bitmap(text.removeprefix(_BITMAP))
        spans: list[tuple[int, int]] = []
        for part in text.split(",") if text else ():
            first, dash, last = part.partition("-")
            if not (first.isdecimal() and first.isascii() and len(first) <= 7):
                raise ValueError(f"{part[:20]!r} is not a number or a range")
            if dash and not (last.isdecimal() and last.isascii() and len(last) <= 7):
                raise ValueError(f"{part[:20]!r} is not a range")
            span = (int(first), int(last) if dash else int(first))
            if span[0] > span[1] or span[1] >= LIMIT or (spans and span[0] <= spans[-1][1] + 1):
                raise ValueError(f"{part[:20]!r} is not in order, or above {LIMIT}")
            spans.append(span)
        return cls(tuple(spans))

    @classmethod
    def _parse_bitmap(cls, text: str) -> RangeSet:
        try:
            raw = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise ValueError(f"not a bitmap: {error}") from None
        if len(raw) * 8 > LIMIT:
            raise ValueError(f"a bitmap of {len(raw)} bytes is too long")
        return cls.of(
            8 * place + bit for place, byte in enumerate(raw) if byte for bit in range(8) if byte >> bit & 1
        )

    def text(self) -> str:
        """The shorter of `0-4,7` and `b64:` with a bitmap, lowest number first."""
        ranges = self.ranges()
        # Four characters of base64 hold three bytes: known before the bitmap is made.
        if not self.spans or len(ranges) <= len(_BITMAP) + 4 * (self.spans[-1][1] // 24 + 1):
            return ranges
        raw = bytearray(self.spans[-1][1] // 8 + 1)
        for number in self:
            raw[number // 8] |= 1 << number % 8
        return _BITMAP + base64.b64encode(raw).decode()

    def ranges(self) -> str:
        """As `0-4,7`, however long: at most 6 bytes for each of 100,000 numbers."""
        return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in self.spans)

    def union(self, numbers: Iterable[int]) -> RangeSet:
        """This set and `numbers`; O(spans + numbers)."""
        added = RangeSet.of(numbers)
        if not added.spans:
            return self
        merged: list[tuple[int, int]] = []
        for first, last in sorted(self.spans + added.spans):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        return RangeSet(tuple(merged))

    def missing(self, total: int) -> Iterator[int]:
        """The numbers below `total` that are not in the set, in order."""
        start = 0
        for first, last in self.spans:
            yield from range(start, min(first, total))
            start = last + 1
        yield from range(start, total)

    def __contains__(self, number: object) -> bool:
        """Whether `number` is in the set; O(log spans)."""
        if not isinstance(number, int):
            return False
        place = bisect_right(self.spans, (number, LIMIT))
        return place > 0 and self.spans[place - 1][1] >= number

    def __iter__(self) -> Iterator[int]:
        """All numbers in order."""
        for first, last in self.spans:
            yield from range(first, last + 1)

    def __len__(self) -> int:
        """How many numbers are in the set."""
        return sum(last - first + 1 for first, last in self.spans)

"""Draws `ingest.svg`: the twelve events of Stream Analytics' documentation, as the engine orders them.

    PYTHONPATH=. .venv/bin/python docs/pictures/ingest.py

Left with one watermark for all, right with one for each device (`over`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scorer.ingest.events import Message, decode
from scorer.ingest.settings import settings
from scorer.ingest.state import State
from scorer.ingest.step import step
from scorer.ingest.windows import Closed

MINUTE = 60_000_000
NOON = 1_767_268_800_000_000
LATE, EARLY, OUT_OF_ORDER = 5, 5, 2
# Event time, arrival (minutes after noon), device.
TWELVE = (
    *((7, 7, 1), (8, 8, 2), (17, 11, 1), (8, 13, 3), (19, 16, 1), (12, 17, 3)),
    *((17, 18, 2), (20, 19, 2), (16, 21, 3), (23, 22, 2), (22, 24, 2), (21, 27, 3)),
)
FIRST, LAST, LOW, HIGH = 5.5, 28.5, 3, 28
WIDTH, HEIGHT = 452, 400
COLOURS = ("#51606f", "#2266b3", "#1f8a4c", "#b35a12")
RED = "#c2372e"


class Taken(NamedTuple):
    """What became of one of the events."""

    stamp: float | None
    """Minutes after noon; None if it was dropped."""
    marks: Sequence[float]
    """Each stream's watermark after it."""


def main() -> None:
    """Runs the events through the engine and draws what comes of them."""
    panels = [
        _panel(24, "One watermark for the partition", False),
        _panel(500, "A watermark for each device (over)", True),
    ]
    picture = "\n".join([_HEAD, *panels, *_legend(), "</svg>", ""])
    Path(__file__).parents[1].joinpath("ingest.svg").write_text(picture, encoding="utf-8")


def taken(over: bool) -> list[Taken]:
    """Each event's timestamp by a column `last` of windows of 1 µs, and the watermarks after it."""
    mapping = {"sensor": "{Device}-{Number}", "values": "Number", "time": "At", "timeForm": "Microseconds"}
    given = settings(
        {
            "mapping": mapping | ({"over": ["Device"]} if over else {}),
            "window": {"size": "1us"},
            "columns": {"value": "last"},
            "ordering": {"lateArrival": f"{LATE}m", "outOfOrder": f"{OUT_OF_ORDER}m"},
        }
    )
    state, marks, stamps = State(given), [], {}
    for number, (time, arrival, device) in enumerate(TWELVE):
        body = json.dumps({"At": NOON + time * MINUTE, "Device": device, "Number": number}).encode()
        message = Message(number, str(number), NOON + arrival * MINUTE, body)
        found = step(state, decode([message], given.mapping, state.sensors))
        state = found.state
        stamps |= _stamps(found.closed)
        known = dict(zip(state.sensors.streams, state.streams.marks.tolist(), strict=True))
        names = ("1", "2", "3") if over else ("",)
        marks.append([(known.get(name, NOON - 10**12) - NOON) / MINUTE for name in names])
    stamps |= _stamps(step(state, decode([], given.mapping, state.sensors), NOON + 10**12).closed)
    return [Taken(stamps.get(number), marks[number]) for number in range(len(TWELVE))]


def _stamps(closed: Closed) -> dict[int, float]:
    return {
        int(closed.names[sensor].split("-")[1]): (end - NOON) / MINUTE
        for sensor, end in zip(closed.sensors.tolist(), closed.ends.tolist(), strict=True)
    }


def _panel(left: float, title: str, over: bool) -> str:
    """One plot: arrival to the right, event time upwards."""
    found = taken(over)
    parts = [f'<g transform="translate({left} 24)">', *_ground(title)]
    for stream in range(len(found[0].marks)):
        colour = COLOURS[stream + 1] if over else COLOURS[0]
        parts.append(_watermark([each.marks[stream] for each in found], colour))
    for (time, arrival, device), each in zip(TWELVE, found, strict=True):
        parts += _event(time, arrival, COLOURS[device], each.stamp)
    return "\n".join([*parts, "</g>"])


def _ground(title: str) -> Iterator[str]:
    yield f'<text class="head" x="40" y="8">{title}</text>'
    for minute in range(5, 29, 5):
        yield f'<line class="grid" x1="{_x(FIRST)}" y1="{_y(minute)}" x2="{_x(LAST)}" y2="{_y(minute)}"/>'
        yield f'<text class="tick" x="34" y="{_y(minute) + 4}" text-anchor="end">12:{minute:02}</text>'
        if minute > FIRST:
            at = f'x="{_x(minute)}" y="{HEIGHT - 12}"'
            yield f'<text class="tick" {at} text-anchor="middle">12:{minute:02}</text>'
    for shift, kind in ((EARLY, "bound"), (0, "now"), (-LATE, "bound")):
        ends = max(FIRST, LOW - shift), min(LAST, HIGH - shift)
        points = " ".join(f"{_x(arrival)},{_y(arrival + shift)}" for arrival in ends)
        yield f'<polyline class="{kind}" points="{points}"/>'
    yield f'<text class="tick" x="{_x(21.6)}" y="{_y(27.2)}" text-anchor="end">early</text>'
    yield f'<text class="tick" x="{_x(27.9)}" y="{_y(18.4)}" text-anchor="end">late</text>'
    yield f'<text class="tick" x="{_x(LAST)}" y="{HEIGHT + 4}" text-anchor="end">arrival →</text>'


def _watermark(marks: Sequence[float], colour: str) -> str:
    points = []
    before = None
    for (_, arrival, _), mark in zip(TWELVE, marks, strict=True):
        if mark < LOW:
            continue
        if before is not None:
            points.append(f"{_x(arrival)},{_y(before)}")
        points.append(f"{_x(arrival)},{_y(mark)}")
        before = mark
    if before is not None:
        points.append(f"{_x(LAST)},{_y(before)}")
    return f'<polyline class="mark" stroke="{colour}" points="{" ".join(points)}"/>'


def _event(time: float, arrival: float, colour: str, stamp: float | None) -> Iterator[str]:
    x, y = _x(arrival), _y(time)
    if stamp is None:
        yield f'<path d="M{x - 5} {y - 5}l10 10m0 -10l-10 10" stroke="{RED}" stroke-width="2.4"/>'
    elif stamp == time:
        yield f'<circle cx="{x}" cy="{y}" r="5" fill="{colour}"/>'
    else:
        yield f'<circle cx="{x}" cy="{y}" r="4.5" fill="#ffffff" stroke="{colour}" stroke-width="1.6"/>'
        yield f'<line class="moved" x1="{x}" y1="{y - 5}" x2="{x}" y2="{_y(stamp) + 6}"/>'
        yield f'<circle cx="{x}" cy="{_y(stamp)}" r="5" fill="{colour}"/>'


def _legend() -> Iterator[str]:
    for place, colour in enumerate(COLOURS[1:]):
        yield f'<circle cx="{70 + place * 92}" cy="456" r="5" fill="{colour}"/>'
        yield f'<text class="text" x="{80 + place * 92}" y="461">device {place + 1}</text>'
    yield f'<path d="M342 451l10 10m0 -10l-10 10" stroke="{RED}" stroke-width="2.4"/>'
    yield '<text class="text" x="358" y="461">dropped: more than 5 min early</text>'
    yield '<circle cx="588" cy="456" r="4.5" fill="#ffffff" stroke="#51606f" stroke-width="1.6"/>'
    yield '<text class="text" x="598" y="461">moved: late, or below the watermark</text>'
    yield '<polyline class="mark" stroke="#51606f" points="846,461 862,461 862,451 878,451"/>'
    yield '<text class="text" x="886" y="461">watermark</text>'


def _x(arrival: float) -> float:
    return round(40 + (arrival - FIRST) / (LAST - FIRST) * (WIDTH - 52), 1)


def _y(time: float) -> float:
    return round(HEIGHT - 28 - (time - LOW) / (HIGH - LOW) * (HEIGHT - 48), 1)


_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 976 476" \
font-family="-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="15" role="img" \
aria-label="Twelve events of three devices by arrival and by event time: \
with one watermark three of them are moved, with one for each device only the late one">
<style>
  .head { font-weight: 600; fill: #1f2933 }
  .text, .tick { fill: #51606f; font-size: 13px }
  .tick { font-size: 12px }
  .grid { stroke: #e6eaee }
  .now { fill: none; stroke: #aab4be }
  .bound { fill: none; stroke: #aab4be; stroke-dasharray: 5 4 }
  .mark { fill: none; stroke-width: 2; stroke-opacity: 0.55 }
  .moved { stroke: #51606f; stroke-width: 1.3; stroke-dasharray: 2 2 }
</style>
<rect width="976" height="476" fill="#ffffff"/>"""


if __name__ == "__main__":
    main()

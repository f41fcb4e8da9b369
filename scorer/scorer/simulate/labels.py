"""Which readings are wrong on purpose: what was injected, told to who checks what was found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scorer.errors import InputError
from scorer.simulate.faults import Fault
from scorer.simulate.readings import Block, Sensors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Clock = Callable[[NDArray[np.int64]], NDArray[np.int64]]

Changed = dict[int, list["NDArray[np.int64]"]]
"""By the fault's place: times of the readings that it changed, as their device's clock had them."""


class Label(NamedTuple):
    """A fault as it came to be: of a sensor, in (start, end], on the readings at these times (µs)."""

    sensor: str
    kind: str
    start: int
    end: int
    times: NDArray[np.int64]
    """In order, one at least."""


class Labels(NamedTuple):
    """What a simulation says of itself; a file from elsewhere has the faults alone."""

    faults: Sequence[Label]
    sensors: frozenset[str] | None = None
    """All that were simulated, None where that is not said."""
    period: tuple[int, int] | None = None
    """After the first time, up to and including the second one, are all readings."""


def noted(
    blocks: Iterable[Block], sensors: Sensors, clocks: NDArray[np.int64], changed: Changed
) -> Iterator[Block]:
    """The blocks as they are; `changed` learns of what is wrong in them. `clocks`: each device's error."""
    for block in blocks:
        readings = block.readings
        wrong = np.flatnonzero(readings.faults >= 0)
        told = readings.times[wrong] + clocks[sensors.devices[readings.sensors[wrong]]]
        for place in np.unique(readings.faults[wrong]).tolist():
            changed.setdefault(place, []).append(told[readings.faults[wrong] == place])
        yield block


def labels(
    faults: Sequence[Fault], changed: Changed, sensors: Sensors, clocks: NDArray[np.int64]
) -> list[Label]:
    """The faults that changed a reading at least, by sensor and time."""
    found = []
    for place, times in changed.items():
        fault = faults[place]
        wrong = int(clocks[sensors.devices[fault.sensor]])
        name = sensors.names[fault.sensor]
        found.append(
            Label(name, fault.kind, fault.start + wrong, fault.end + wrong, np.sort(np.concatenate(times)))
        )
    return sorted(found, key=lambda label: (label.sensor, label.start))


def write_labels(path: Path, told: Labels, facts: Mapping[str, Any], clock: Clock) -> None:
    """Writes the file, with more `facts`; `clock` makes event times of times. Raises InputError."""

    def texts(times: Sequence[int] | NDArray[np.int64]) -> list[str]:
        moved = clock(np.array(times, np.int64)).view("datetime64[us]")
        return [f"{text}Z" for text in np.datetime_as_string(moved, unit="us").tolist()]

    faults = [
        {
            "sensor": label.sensor,
            "kind": label.kind,
            **dict(zip(("start", "end"), texts([label.start, label.end]), strict=True)),
            "times": texts(label.times),
        }
        for label in told.faults
    ]
    said: dict[str, Any] = {"faults": faults, **facts}
    if told.period is not None:
        said |= dict(zip(("start", "end"), texts(told.period), strict=True))
    if told.sensors is not None:
        said["sensors"] = sorted(told.sensors)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"labels file {path} cannot be written: {error.strerror}") from error


def read_labels(path: Path) -> Labels:
    """Labels as `write_labels` writes them, or with no more than each fault's sensor, kind and times.

    Raises InputError.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        sensors = told.get("sensors")
        return Labels(
            [_label(fault) for fault in told["faults"]],
            None if sensors is None else frozenset(sensors),
            (_time(told["start"]), _time(told["end"])) if "start" in told else None,
        )
    except OSError as error:
        raise InputError(f"labels file {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        wanted = '{"faults": [{"sensor": ..., "kind": ..., "times": [...]}]}'
        raise InputError(f"labels file {path} is not {wanted}: {error!r:.200}") from error


def _label(fault: Mapping[str, Any]) -> Label:
    times = np.sort(np.array([_time(text) for text in fault["times"]], np.int64))
    if not len(times):
        raise ValueError("a fault without times")
    start = _time(fault["start"]) if "start" in fault else int(times[0]) - 1
    end = _time(fault["end"]) if "end" in fault else int(times[-1])
    if not isinstance(fault["sensor"], str) or not isinstance(fault["kind"], str):
        raise TypeError("a fault's sensor and kind are no text")
    return Label(fault["sensor"], fault["kind"], start, end, times)


def _time(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    return int(np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us").astype(np.int64))

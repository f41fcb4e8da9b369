"""One step of a partition: its state and what came, to its next state and the windows that closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scorer.ingest.accounting import HOUR, Counts, by_hour, total
from scorer.ingest.events import Events, Letter
from scorer.ingest.late import settled
from scorer.ingest.state import State
from scorer.ingest.watermarks import BEFORE, CORRECTED, EARLY, KEPT, LATE, NEVER, OUT_OF_ORDER, Judged
from scorer.ingest.windows import Closed

if TYPE_CHECKING:
    from numpy.typing import NDArray

REASONS = {LATE: "Late", EARLY: "Early", OUT_OF_ORDER: "OutOfOrder", BEFORE: "BeforeStart"}


class Dropped(NamedTuple):
    """Events that are in no window because of their time, by column."""

    messages: NDArray[np.int32]
    """Places of their messages in the batch."""
    reasons: NDArray[np.uint8]
    """Index into REASONS."""
    times: NDArray[np.int64]
    sensors: NDArray[np.int32]
    values: NDArray[np.float64]


class Step(NamedTuple):
    """What came of a batch."""

    state: State
    """The state after it. The one before it is used up: it is the same memory."""
    closed: Closed
    late: Closed | None
    """Events of windows that were closed before, each a row of its own; None for none."""
    dropped: Dropped
    letters: Sequence[Letter]
    """Bad events; not those that came before."""
    counts: Counts
    """Of this batch alone."""


def step(state: State, events: Events, now: int | None = None) -> Step:
    """Takes the events that follow in a partition, and closes the windows that the watermark has passed.

    `now` is for a partition that has nothing more: a time on the hub's clock (microseconds since 1970) before
    which no event to come is enqueued, which is when the hub was asked, if the partition's last sequence
    number was the state's. It closes windows while nothing comes, and changes nothing else; the events of the
    batch are taken before it. None: nothing is known of that.
    """
    fresh, missed = _fresh(state, events.sequences)
    clocks = np.maximum(np.maximum.accumulate(np.where(fresh, events.enqueued, NEVER)), state.streams.clock)
    repeated = int(np.count_nonzero(~fresh))
    kept = np.flatnonzero(fresh[events.messages]) if repeated else slice(None)
    chosen = _Chosen(events.messages[kept], events.times[kept], events.sensors[kept], events.values[kept])
    letters = [letter for letter in events.letters if fresh[letter.message]] if repeated else events.letters
    state.streams.grow(len(state.sensors.streams))
    streams = state.sensors.stream_of[chosen.sensors]
    came = clocks[chosen.messages]
    judged = state.streams.judge(streams, chosen.times, events.enqueued[chosen.messages], came)
    judged = settled(judged, state.settings, state.windows, chosen.times, came)
    judged = _begun(judged, state.begin, chosen.times)
    dropped = _window(state, chosen, judged)
    late = _late(state, chosen, judged)
    if len(events.sequences):
        _move_on(state, events, fresh, int(clocks[-1]))
    if now is not None:
        state.streams.advance(now)
    ledger = _ledger(events, chosen.messages, letters, judged, _first_hour(state))
    counts = total(*ledger.values())._replace(missed=missed)
    if ledger and missed:
        first = min(ledger)
        ledger[first] = ledger[first]._replace(missed=missed)
    state.ledger = by_hour(state.ledger, ledger)
    return Step(state, _closed(state), late, dropped, letters, counts)


class _Chosen(NamedTuple):
    messages: NDArray[np.int32]
    times: NDArray[np.int64]
    sensors: NDArray[np.int32]
    values: NDArray[np.float64]


def _fresh(state: State, sequences: NDArray[np.int64]) -> tuple[NDArray[np.bool_], int]:
    """Which messages did not come before, and how many are missing between them."""
    if not len(sequences):
        return np.zeros(0, np.bool_), 0
    before = np.empty_like(sequences)
    before[0] = state.sequence
    np.maximum.accumulate(sequences[:-1], out=before[1:])
    np.maximum(before, state.sequence, out=before)
    fresh = sequences > before
    gaps = sequences[fresh] - before[fresh] - 1
    if state.sequence < 0 and len(gaps):
        gaps[0] = 0  # where a partition is read from first is no gap
    return fresh, int(gaps.sum())


def _begun(judged: Judged, begin: int, times: NDArray[np.int64]) -> Judged:
    """The same, without events of windows before the first hour that lands; `times` are their own."""
    if begin == NEVER or not len(times):
        return judged
    fates = np.full(len(times), KEPT, np.uint8) if judged.fates is None else judged.fates
    before = ((fates == KEPT) & (judged.times <= begin)) | ((fates == CORRECTED) & (times <= begin))
    if not before.any():
        return judged
    return judged._replace(fates=np.where(before, np.uint8(BEFORE), fates))


def _window(state: State, chosen: _Chosen, judged: Judged) -> Dropped:
    """Puts events into their windows; those that get into none are given back."""
    if judged.fates is None:
        state.windows.add(chosen.sensors, judged.times, chosen.values)
        rest = np.empty(0, np.intp)
        fates = np.empty(0, np.uint8)
    else:
        good = np.flatnonzero(judged.fates == KEPT)
        state.windows.add(chosen.sensors[good], judged.times[good], chosen.values[good])
        rest = np.flatnonzero((judged.fates != KEPT) & (judged.fates != CORRECTED))
        fates = judged.fates[rest]
    return Dropped(
        chosen.messages[rest], fates, chosen.times[rest], chosen.sensors[rest], chosen.values[rest]
    )


def _late(state: State, chosen: _Chosen, judged: Judged) -> Closed | None:
    """What corrects windows that were closed before."""
    if judged.fates is None:
        return None
    these = np.flatnonzero(judged.fates == CORRECTED)
    if not len(these):
        return None
    return state.windows.alone(
        state.sensors.names, chosen.sensors[these], chosen.times[these], chosen.values[these]
    )


def _move_on(state: State, events: Events, fresh: NDArray[np.bool_], clock: int) -> None:
    last = np.flatnonzero(fresh)
    if len(last):
        state.sequence = int(events.sequences[last[-1]])
        state.offset = events.offsets[int(last[-1])]
    state.streams.advance(clock)


def _closed(state: State) -> Closed:
    """Takes out what the watermarks have passed."""
    passed = state.windows.passed(state.streams.marks)
    before = np.full_like(passed, NEVER)
    before[: len(state.passed)] = state.passed
    found = state.windows.close(passed, before, state.sensors.stream_of)
    state.passed = np.maximum(passed, before)
    ends = [np.full(len(sensors), state.windows.end(window), np.int64) for window, sensors, _ in found]
    kept: dict[str, NDArray[Any]] = {
        name: np.concatenate([np.empty(0, one.kind), *(columns[name] for *_, columns in found)])
        for name, one in state.windows.groups.kept.items()
    }
    return Closed(
        state.sensors.names,
        np.concatenate([np.empty(0, np.int64), *(sensors for _, sensors, _ in found)]),
        np.concatenate([np.empty(0, np.int64), *ends]),
        kept,
    )


def _ledger(
    events: Events, used: NDArray[np.int32], letters: Sequence[Letter], judged: Judged, first: int
) -> dict[int, Counts]:
    """What became of the batch's events, by their hours of arrival; `used` are messages of those judged.

    What arrives before the `first` hour that lands is counted in that one.
    """
    hours = np.maximum((events.enqueued - 1) // HOUR, first)
    occurring, of = _occurring(hours)

    def by_hour(messages: Any) -> list[int]:
        found: list[int] = np.bincount(of[messages], minlength=len(occurring)).tolist()
        return found

    def marked(which: NDArray[np.bool_] | None) -> list[int]:
        return by_hour(np.empty(0, np.intp) if which is None else used[which])

    fates = judged.fates
    late, early, disorder, unbegun, corrected = (
        marked(None if fates is None else fates == fate) for fate in (*REASONS, CORRECTED)
    )
    bad, all_bad = (
        by_hour(np.array([letter.message for letter in some], np.intp)) for some in (letters, events.letters)
    )
    messages, read, judged_of = by_hour(slice(None)), by_hour(events.messages), by_hour(used)
    adjusted = [marked(judged.late_adjusted), marked(judged.out_of_order_adjusted)]
    return {
        hour: Counts(
            messages=messages[at],
            events=read[at] + all_bad[at],
            windowed=judged_of[at] - late[at] - early[at] - disorder[at] - unbegun[at] - corrected[at],
            late=late[at],
            early=early[at],
            out_of_order=disorder[at],
            bad=bad[at],
            duplicate=read[at] - judged_of[at] + all_bad[at] - bad[at],
            late_adjusted=adjusted[0][at],
            out_of_order_adjusted=adjusted[1][at],
            corrected=corrected[at],
            before_start=unbegun[at],
        )
        for at, hour in enumerate(occurring.tolist())
    }


def _first_hour(state: State) -> int:
    """The first hour that lands: that of the first window's end."""
    return (state.begin + state.settings.windows.size - 1) // HOUR


def _occurring(hours: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The hours that occur, and which of them each one is; mostly there is one."""
    if len(hours) and hours.min() == hours.max():
        return hours[:1], np.zeros(len(hours), np.int64)
    return np.unique(hours, return_inverse=True)

"""Where reading begins, and which hour is the first that lands: decided once, and whole."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import orjson
import pytest
import yaml

from ingest_fleet import told
from scorer.ingest.beginning import NEWEST, OLDEST, Beginning, beginning, decided
from scorer.ingest.checks import SettingsError
from scorer.ingest.events import Message, decode
from scorer.ingest.service_settings import CONNECTION, service_settings
from scorer.ingest.settings import ARRIVAL, Settings, settings
from scorer.ingest.state import State, StateError, dump, load
from scorer.ingest.step import Step, step
from scorer.ingest.watermarks import NEVER
from scorer.storage.memory import MemoryStore

SECOND = 1_000_000
NOON = int(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp())


def engine(size: str = "5s", corrections: object = None, **ordering: object) -> Settings:
    mapping = {"sensor": "Device", "values": "Value"} | ({} if "by" in ordering else {"time": "TS"})
    given = {"mapping": mapping, "window": {"size": size}, "columns": {"value": "sum"}}
    return settings({**given, "ordering": ordering, "corrections": corrections})


def at(text: str) -> int:
    return int(datetime.fromisoformat(f"2026-01-{text}Z").timestamp()) * SECOND


@pytest.mark.parametrize(
    ("start", "how", "read", "begin"),
    [
        # At 12:10 what is of the hour from 13:00 on can come from 12:55 on.
        (NEWEST, {}, "01T12:10:00", "01T13:00:00"),
        (NEWEST, {"earlyArrival": "51m"}, "01T12:10:00", "01T14:00:00"),
        (NEWEST, {"earlyArrival": "50m"}, "01T12:10:00", "01T13:00:00"),
        (NEWEST, {"earlyArrival": None}, "01T12:10:00", "01T13:00:00"),
        (NEWEST, {"by": ARRIVAL}, "01T12:10:00", "01T13:00:00"),
        ("2026-01-01T12:00:00Z", {}, "01T11:55:00", "01T12:00:00"),
        ("2026-01-01T12:00:01Z", {}, "01T12:55:00", "01T13:00:00"),
        ("2026-01-01T13:00:00+01:00", {"by": ARRIVAL}, "01T12:00:00", "01T12:00:00"),
    ],
)
def test_the_first_hour_is_one_that_can_be_whole(
    start: str, how: dict[str, str], read: str, begin: str
) -> None:
    assert decided(start, engine(**how), NOON + 600) == Beginning(start, at(read), at(begin))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"version": 2}'])
def test_a_decision_that_is_not_understood_is_told(data: bytes) -> None:
    store = MemoryStore()
    store.put("start", data)
    with pytest.raises(StateError, match="wanted"):
        beginning(store, "start", OLDEST, engine(), NOON)


@pytest.mark.parametrize("start", [NEWEST, "2026-01-01T12:10:00Z"])
@pytest.mark.parametrize("size", ["5s", "7m", "1h", "7h", "7d"])
def test_reading_begins_before_the_first_window(start: str, size: str) -> None:
    found = decided(start, engine(size), NOON + 600)
    assert found.read <= found.begin - 300 * SECOND
    windows = State(engine(size)).windows
    (number,) = windows.numbers(np.array([found.begin + 1])).tolist()
    assert windows.end(number - 1) == found.begin, "a window begins there"
    assert windows.end(number) > ((NOON + 3_600) * SECOND if size != "7d" else 0)


def test_the_oldest_event_is_the_clients_word() -> None:
    assert decided(OLDEST, engine(), NOON) == Beginning(OLDEST, NEVER, NEVER)
    assert decided(OLDEST, engine(), NOON).position == "-1"


def test_a_position_is_not_after_the_time_that_is_wanted() -> None:
    position = Beginning(NEWEST, 1_500_123_456, 0).position
    assert position == datetime(1970, 1, 1, 0, 25, 0, 122_000, tzinfo=UTC)


def test_it_is_decided_once_whatever_is_set_later() -> None:
    store = MemoryStore()
    first = beginning(store, "ingest/start", NEWEST, engine(), NOON)
    assert beginning(store, "ingest/start", OLDEST, engine(), NOON + 9_999) == first
    store.put("ingest/start", b'{"version": 9}')
    with pytest.raises(StateError, match="ingest/start is"):
        beginning(store, "ingest/start", OLDEST, engine(), NOON)


def begun(times: list[float], **ordering: object) -> tuple[State, Step]:
    """Events with these times, one second after the other from 12:59:58 on, where 13:00 is the first hour."""
    how = engine(**ordering)
    state = State(how)
    state.begin = (NOON + 3_600) * SECOND
    messages = [
        Message(
            place,
            str(place),
            (NOON + 3_598 + place) * SECOND,
            orjson.dumps({"Device": "a", "Value": 1, "TS": _text(NOON + 3_600 + time)}),
        )
        for place, time in enumerate(times)
    ]
    return state, step(state, decode(messages, how.mapping, state.sensors))


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_events_of_hours_before_are_counted_and_in_no_window() -> None:
    state, done = begun([-2, -1, 0, 0.5, 2])
    assert (done.counts.before_start, done.counts.windowed) == (3, 2)
    assert done.counts.adds_up
    assert set(state.ledger) == {(NOON + 3_600) // 3_600}, "what came before is counted in the first hour"
    assert load(dump(state), state.settings).begin == state.begin


def test_late_events_keep_their_fate_and_adjusted_ones_their_window() -> None:
    # The last comes at 13:00:02, and is 10 s late.
    _, done = begun([-2, -1, 0, 1, -8], onLateArrival="Drop")
    assert (done.counts.late, done.counts.before_start, done.counts.windowed) == (1, 3, 1)
    _, done = begun([0, 1, 2, 3, 4, 5, 6, 7, -3], onLateArrival="Adjust")
    assert (done.counts.late_adjusted, done.counts.before_start, done.counts.windowed) == (1, 1, 8)


def test_what_corrects_is_of_an_hour_that_lands_too() -> None:
    how = {"onLateArrival": "Correct", "lateArrival": "1s", "onOutOfOrder": "Correct"}
    _, done = begun([8, 9, 10, 11, 12, 13, -3, 1], corrections={"horizon": "24h"}, **how)
    assert (done.counts.before_start, done.counts.corrected, done.counts.windowed) == (1, 1, 6)
    assert done.counts.adds_up


@pytest.mark.parametrize("given", ["Oldest", "Newest", "2026-01-01T12:00:00Z", "2026-01-01T13:00:00+01:00"])
def test_a_start_is_taken_as_text_or_as_yaml_reads_a_time(given: str) -> None:
    for form in (given, yaml.safe_load(given)):
        hub = service_settings(told(hub={"name": "x", "start": form}), {CONNECTION: "Endpoint=sb://x/"}).hub
        assert hub.start == (given if given[0].isalpha() else "2026-01-01T12:00:00Z")


@pytest.mark.parametrize(
    "given", ["oldest", "2026-01-01", "2026-01-01T12:00:00", "tomorrow", 5, None, "@latest"]
)
def test_another_start_is_refused(given: object) -> None:
    with pytest.raises(SettingsError, match=r"hub\.start is .*: wanted Oldest, Newest or a time like"):
        service_settings(told(hub={"name": "x", "start": given}), {CONNECTION: "Endpoint=sb://x/"})

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.contract import SensorError
from scorer.contract.work import AS_OF_WINDOW_END, CURRENT, ModelSource
from scorer.fit.history import encode, registered, rolled_back
from scorer.storage.memory import MemoryStore
from scorer.versions import (
    EVER,
    MAX_CURRENT_BYTES,
    History,
    Listed,
    Switch,
    Version,
    find,
    is_version,
    read_history,
    resolve,
)
from scorer.window import Window, utc_text

DAY = datetime(2026, 1, 1, tzinfo=UTC)
SPAN = Window(DAY, DAY + timedelta(hours=1))
PATH = "models/a/current.json"


def at(hour: int) -> datetime:
    return DAY + timedelta(hours=hour)


def listed(name: str, valid_from: int = 0, registered: int = 0, withdrawn: int | None = None) -> Listed:
    digest = name.encode().hex().rjust(64, "0")
    return Listed(name, digest, at(valid_from), at(registered), None if withdrawn is None else at(withdrawn))


def source(version: str = CURRENT, instant: int | None = None) -> ModelSource:
    return ModelSource("models/{sensor}", version, None if instant is None else utc_text(at(instant)))


def resolved(
    history: History, version: str = CURRENT, instant: int | None = None, end: int = 1
) -> str | None:
    span = Window(at(end) - timedelta(hours=1), at(end))
    found = resolve(encode(history), PATH, source(version, instant), span)
    return found.name if found else None


HISTORY = History(
    (listed("v1", 0, 1), listed("v2", 10, 12), listed("v3", 20, 22, withdrawn=30)),
    (Switch(at(1), "v1"), Switch(at(12), "v2"), Switch(at(22), "v3"), Switch(at(30), "v2")),
)


@pytest.mark.parametrize(
    ("instant", "wanted"),
    [(None, "v2"), (0, None), (1, "v1"), (11, "v1"), (12, "v2"), (22, "v3"), (29, "v3"), (30, "v2")],
)
def test_current_is_what_was_in_use_at_the_instant(instant: int | None, wanted: str | None) -> None:
    assert resolved(HISTORY, CURRENT, instant) == wanted


@pytest.mark.parametrize(
    ("end", "instant", "wanted"),
    [
        (-1, None, None),
        (0, None, "v1"),
        (9, None, "v1"),
        (10, None, "v2"),
        (20, None, "v2"),
        (20, 25, "v3"),
        (20, 30, "v2"),
        (20, 21, "v2"),
        (20, 11, "v1"),
        (20, 0, None),
    ],
)
def test_as_of_window_end_is_the_newest_that_had_seen_no_later_reading(
    end: int, instant: int | None, wanted: str | None
) -> None:
    assert resolved(HISTORY, AS_OF_WINDOW_END, instant, end) == wanted


def test_of_two_versions_of_one_training_window_the_one_registered_later_counts() -> None:
    both = History((listed("v1", 0, 1), listed("v2", 0, 2)), (Switch(at(1), "v1"),))
    assert resolved(both, AS_OF_WINDOW_END) == "v2"


@pytest.mark.parametrize(("version", "wanted"), [("v1", "v1"), ("v3", "v3"), ("v4", None)])
def test_a_version_is_found_by_its_name_also_a_withdrawn_one(version: str, wanted: str | None) -> None:
    assert resolved(HISTORY, version, 0) == wanted


@pytest.mark.parametrize("version", [CURRENT, AS_OF_WINDOW_END, "v1"])
@pytest.mark.parametrize("instant", [None, 0, 5])
def test_a_file_of_three_keys_is_one_version_in_use_for_ever(version: str, instant: int | None) -> None:
    data = json.dumps({"version": "v1", "sha256": "0" * 64, "validFrom": utc_text(DAY)}).encode()
    assert resolve(data, PATH, source(version, instant), SPAN) == Version("v1", "0" * 64)


times = st.integers(0, 40)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("register"), st.sampled_from("abcdef"), st.integers(0, 3), st.integers(0, 2)),
        st.tuples(st.just("back"), st.sampled_from(["", *"abcdef"]), st.just(0), st.integers(0, 2)),
    ),
    min_size=1,
    max_size=12,
)


def played(events: list[tuple[str, str, int, int]]) -> list[tuple[int, History]]:
    """The states that changes lead to, each with its time; what cannot be done is left out."""
    hour, history = 0, None
    states: list[tuple[int, History]] = []
    for what, name, valid_from, pause in events:
        hour += pause
        if what == "register":
            known = history.listed(name) if history else None
            version = listed(name, valid_from)
            history = registered(history, known or version, at(hour))
        elif history is not None and (not name or history.listed(name)):
            try:
                history = rolled_back(history, name or None, at(hour)).history
            except ValueError:
                continue
        if history is not None:
            states.append((hour, history))
    return states


@given(changes, times, st.integers(-1, 5), st.sampled_from([CURRENT, AS_OF_WINDOW_END]))
def test_what_happens_after_the_instant_changes_no_answer_for_it(
    events: list[tuple[str, str, int, int]], instant: int, end: int, version: str
) -> None:
    states = played(events)
    until = [history for hour, history in states if hour <= instant]
    if not until:
        return
    last = states[-1][1]
    assert resolved(last, version, instant, end) == resolved(until[-1], version, None, end)


@given(changes)
def test_every_state_is_read_as_it_was_written(events: list[tuple[str, str, int, int]]) -> None:
    for _hour, history in played(events):
        assert read_history(encode(history), PATH) == history
        assert history.in_use() is not None


@given(changes)
def test_the_version_in_use_is_never_a_withdrawn_one(events: list[tuple[str, str, int, int]]) -> None:
    for _hour, history in played(events):
        current = history.in_use()
        assert current is not None
        assert current.withdrawn is None


def good() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode(HISTORY))
    return found


def _with(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda found: found | changes


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda _: [], "wanted an object"),
        (lambda _: {}, "'version' is missing"),
        (_with(version="../x"), "version is '../x'"),
        (_with(version="v" * 41), "version is"),
        (_with(version="-"), "version is '-'"),
        (_with(version=["v1"]), "version is"),
        (_with(version="\uff41"), "version is"),
        (_with(sha256="0"), "sha256 is '0'"),
        (_with(sha256="G" * 64), "sha256 is"),
        (_with(validFrom="yesterday"), "yesterday"),
        (_with(validFrom=7), "validFrom is '7'"),
        (_with(version="v1", sha256=listed("v1").sha256), "switches ends with another"),
        (_with(sha256="0" * 64), "switches ends with another"),
        (_with(versions=[]), "versions is not a list"),
        (_with(versions=[7]), "versions is not a list"),
        (_with(switches={}), "switches is not a list"),
        (_with(switches=[{"at": "2026-01-01T00:00:00Z", "version": "v9"}]), "'v9'"),
        (_with(switches=[{"at": "2026-13-01T00:00:00Z", "version": "v2"}]), "2026-13-01"),
        (lambda found: found | {"versions": found["versions"] * 2}, "a name twice"),
        (lambda found: found | {"switches": found["switches"][::-1]}, "not in order"),
        (_with(older=-1), "older is -1"),
        (_with(older=True), "older is True"),
        (lambda found: {key: found[key] for key in found if key != "switches"}, "'switches' is missing"),
        (
            lambda found: found | {"versions": [each | {"withdrawals": [1]} for each in found["versions"]]},
            "withdrawals is not",
        ),
        (
            lambda found: found | {"versions": [each | {"withdrawn": None} for each in found["versions"]]},
            "withdrawn is 'None'",
        ),
    ],
)
def test_a_file_that_is_none_is_refused(spoil: Callable[[dict[str, Any]], Any], says: str) -> None:
    with pytest.raises(SensorError, match=r"models/a/current\.json is not a model's") as error:
        resolve(json.dumps(spoil(good())).encode(), PATH, source(), SPAN)
    assert error.value.reason == "ModelCorrupt"
    assert says in error.value.message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


KEYS = [
    *("version", "sha256", "validFrom", "versions", "switches", "older"),
    *("registered", "withdrawn", "withdrawals", "at"),
]


@given(st.lists(st.tuples(st.integers(0, 7), st.sampled_from(KEYS), json_values), min_size=1, max_size=3))
def test_no_file_does_more_than_be_refused(spoiled: list[tuple[int, str, Any]]) -> None:
    found = good()
    places = [found, *found["versions"], *found["switches"]]
    for place, key, value in spoiled:
        places[place][key] = value
    try:
        chosen = resolve(json.dumps(found).encode(), PATH, source(), SPAN)
    except SensorError as error:
        told = error
    else:
        assert chosen is not None
        assert is_version(chosen.name)
        return
    assert told.reason == "ModelCorrupt"
    assert len(told.message) < 400


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    with pytest.raises(SensorError, match="not a model's"):
        resolve(data, PATH, source(), SPAN)


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"version":' * 20_000, b"1" * 60_000, b'{"a":NaN}'])
def test_bombs_are_refused(data: bytes) -> None:
    with pytest.raises(SensorError, match="not a model's"):
        resolve(data, PATH, source(), SPAN)


def put(store: MemoryStore, path: str, value: Any) -> None:
    store.put(path, json.dumps(value).encode())


def test_a_sensor_without_a_file_has_no_model() -> None:
    assert find(MemoryStore(), source(), "a", SPAN) == "models/a/current.json does not exist"


def test_why_no_version_counts_is_said() -> None:
    store = MemoryStore()
    store.put(PATH, encode(HISTORY))
    assert find(store, source(instant=0), "a", SPAN) == (
        "models/a/current.json has no version for Current at 2026-01-01T00:00:00Z"
    )
    early = Window(at(-2), at(-1))
    assert find(store, source(AS_OF_WINDOW_END), "a", early) == (
        "models/a/current.json has no version for AsOfWindowEnd 2025-12-31T23:00:00Z"
    )


def test_a_file_larger_than_any_registration_writes_is_not_read() -> None:
    store = MemoryStore()
    store.put(PATH, b" " * (MAX_CURRENT_BYTES + 1))
    with pytest.raises(SensorError, match="has 65537 bytes"):
        find(store, source(), "a", SPAN)


def test_a_version_that_the_list_has_no_room_for_is_found_by_its_own_metadata() -> None:
    store = MemoryStore()
    store.put(PATH, encode(HISTORY._replace(older=1)))
    assert find(store, source("v0"), "a", SPAN) == (
        "models/a/current.json does not list v0, and models/a/v0/metadata.json does not exist"
    )
    put(store, "models/a/v0/metadata.json", {"version": "v0", "sha256": "1" * 64})
    assert find(store, source("v0"), "a", SPAN) == Version("v0", "1" * 64)


def test_an_unlisted_version_is_not_looked_for_where_all_are_listed() -> None:
    store = MemoryStore()
    store.put(PATH, encode(HISTORY))
    put(store, "models/a/v0/metadata.json", {"version": "v0", "sha256": "1" * 64})
    assert find(store, source("v0"), "a", SPAN) == "models/a/current.json has no version for v0"


@pytest.mark.parametrize(
    "metadata",
    [[], {}, {"version": "v1", "sha256": "1" * 64}, {"version": "v0", "sha256": "1"}, {"version": "v0"}],
)
def test_metadata_of_another_version_gives_no_digest(metadata: Any) -> None:
    store = MemoryStore()
    store.put(PATH, encode(HISTORY._replace(older=1)))
    put(store, "models/a/v0/metadata.json", metadata)
    with pytest.raises(SensorError, match=r"v0/metadata\.json is not a version's"):
        find(store, source("v0"), "a", SPAN)


def test_a_name_that_leaves_the_folder_is_not_looked_for() -> None:
    store = MemoryStore()
    store.put(PATH, encode(HISTORY._replace(older=1)))
    assert find(store, source("../b"), "a", SPAN) == "'../b' is no version's name"


def test_the_beginning_of_time_can_be_written() -> None:
    assert utc_text(EVER) == "0001-01-01T00:00:00Z"

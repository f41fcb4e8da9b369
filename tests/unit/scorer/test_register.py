from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from scorer.contract import SensorError
from scorer.fit.register import (
    LISTED,
    NEW,
    SAME,
    TRIES,
    WITHDRAWN,
    Registered,
    RegisterError,
    register,
    roll_back,
)
from scorer.model.file import read_model, write_model
from scorer.storage import ConflictError
from scorer.storage.memory import MemoryStore
from scorer.versions import read_history
from scoring import END, START, model_bytes

NOW = datetime(2026, 1, 2, 3, 4, 5, 600_000, UTC)
CURRENT = "models/a/current.json"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def registered(store: MemoryStore, data: bytes, sensor: str = "a") -> Registered:
    return register(store, sensor, data, clock=lambda: NOW)


def trained_until(end: str, mean: float = 10.0) -> bytes:
    """A model whose training window ends then."""
    good = read_model(model_bytes(mean))
    stages = [
        ("standard_scaler", {"mean": [mean], "scale": [1.0]}),
        (
            "one_class_svm_rbf",
            {"support_vectors": [[1.0]], "dual_coef": [1.0], "intercept": [-0.5], "gamma": [1.0]},
        ),
    ]
    about = {"training": {"window": f"2025-01-01T00:00:00Z/{end}"}, "check": {"rows": 1}}
    return write_model(stages, good.features, about)  # type: ignore[arg-type]


def current(store: MemoryStore, sensor: str = "a") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(store.get(f"models/{sensor}/current.json").data)
    return found


def someone_is_quicker(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, *what: Callable[[], object]
) -> None:
    """Before the next puts of current.json, one after the other, someone else does these."""
    put, left = store.put, list(what)

    def slow(path: str, data: bytes, metadata: Any = None, **conditions: Any) -> str:
        if path == CURRENT and left:
            left.pop(0)()
        return put(path, data, metadata, **conditions)

    monkeypatch.setattr(store, "put", slow)


def test_a_registered_model_is_the_current_version(store: MemoryStore) -> None:
    data = model_bytes()
    done = registered(store, data)
    assert done == Registered("a", f"20260101T120000Z-{done.sha256[:8]}", done.sha256, NEW, done.version)
    assert done.changed
    version = {"version": done.version, "sha256": done.sha256, "validFrom": "2026-01-01T12:00:00Z"}
    assert current(store) == {
        **version,
        "versions": [version | {"registered": "2026-01-02T03:04:05Z"}],
        "switches": [{"at": "2026-01-02T03:04:05Z", "version": done.version}],
    }
    assert store.get(f"models/a/{done.version}/model.safetensors").data == data
    metadata = json.loads(store.get(f"models/a/{done.version}/metadata.json").data)
    assert metadata == {**read_model(data).metadata, **version}


def test_registering_again_changes_nothing(store: MemoryStore) -> None:
    first = registered(store, model_bytes())
    etags = [entry.etag for entry in store.list()]
    again = registered(store, model_bytes())
    assert again == first._replace(state=SAME)
    assert not again.changed
    assert [entry.etag for entry in store.list()] == etags


def test_a_new_model_becomes_current_and_the_old_one_stays(store: MemoryStore) -> None:
    old = registered(store, model_bytes())
    new = registered(store, model_bytes(mean=11.0))
    assert current(store)["version"] == new.version != old.version
    assert store.get(f"models/a/{old.version}/model.safetensors").data == model_bytes()


def test_a_model_of_an_earlier_window_is_listed(store: MemoryStore) -> None:
    new = registered(store, trained_until("2026-01-02T00:00:00Z"))
    old = registered(store, trained_until("2026-01-01T00:00:00Z"))
    assert (old.state, old.current) == (LISTED, new.version)
    assert current(store)["version"] == new.version
    assert [each["version"] for each in current(store)["versions"]] == [new.version, old.version]


def test_a_version_is_never_replaced(store: MemoryStore) -> None:
    version = registered(store, model_bytes()).version
    store.put(f"models/a/{version}/model.safetensors", b"tampered")
    with pytest.raises(RegisterError, match="another model than its name says"):
        registered(store, model_bytes())


def test_a_registration_that_died_is_ended_by_the_next(store: MemoryStore) -> None:
    done = registered(store, model_bytes())
    for path in (CURRENT, f"models/a/{done.version}/metadata.json"):
        store.delete(path)
    assert registered(store, model_bytes()) == done
    assert store.head(f"models/a/{done.version}/metadata.json").size > 0


def test_metadata_of_an_earlier_release_is_written_anew(store: MemoryStore) -> None:
    done = registered(store, model_bytes())
    path = f"models/a/{done.version}/metadata.json"
    store.put(path, b"{}")
    registered(store, model_bytes())
    assert json.loads(store.get(path).data)["sha256"] == done.sha256


def test_two_registrations_at_once_lose_nothing(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    late, early = trained_until("2026-01-02T00:00:00Z"), trained_until("2026-01-01T00:00:00Z")
    someone_is_quicker(store, monkeypatch, lambda: register(store, "a", late, clock=lambda: NOW))
    done = registered(store, early)
    assert done.state == LISTED
    assert len(current(store)["versions"]) == 2
    assert current(store)["version"] == done.current != done.version


def test_someone_elses_registration_stays_listed_under_a_later_model(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, early = trained_until("2026-01-02T00:00:00Z"), trained_until("2026-01-01T00:00:00Z")
    registered(store, model_bytes())
    someone_is_quicker(store, monkeypatch, lambda: register(store, "a", early, clock=lambda: NOW))
    done = registered(store, late)
    assert done.changed
    assert len(current(store)["versions"]) == 3


def test_a_put_whose_answer_was_lost_is_seen_to_be_done(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, lost = store.put, [True]

    def lossy(path: str, data: bytes, metadata: Any = None, **conditions: Any) -> str:
        etag = put(path, data, metadata, **conditions)
        if path == CURRENT and lost.pop():
            raise ConflictError("tried again, it conflicts with itself")
        return etag

    monkeypatch.setattr(store, "put", lossy)
    assert registered(store, model_bytes()).state == NEW
    assert len(current(store)["switches"]) == 1


def test_who_is_never_quick_enough_is_told(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def always(path: str, data: bytes, metadata: Any = None, **conditions: Any) -> str:
        if path == CURRENT:
            tries.append(path)
            raise ConflictError("changed")
        return ""

    monkeypatch.setattr(store, "put", always)
    with pytest.raises(RegisterError, match=f"changed by others {TRIES} times"):
        registered(store, model_bytes())
    assert len(tries) == TRIES


def test_many_registrations_in_threads_are_all_listed(store: MemoryStore) -> None:
    models = [trained_until(f"2026-01-0{day}T00:00:00Z") for day in range(1, 9)]
    threads = [threading.Thread(target=registered, args=(store, data)) for data in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read_history(store.get(CURRENT).data, CURRENT)
    assert len(found.versions) == len(models)
    assert current(store)["validFrom"] == "2026-01-08T00:00:00Z"


def test_what_stands_in_current_json_is_not_written_over_blindly(store: MemoryStore) -> None:
    store.put(CURRENT, b"{}")
    with pytest.raises(SensorError, match=r"current\.json is not a model's"):
        registered(store, model_bytes())
    assert store.get(CURRENT).data == b"{}"


def test_another_model_of_the_same_name_is_refused(store: MemoryStore) -> None:
    data = model_bytes()
    version = registered(store, data).version
    store.put(CURRENT, json.dumps({"version": version, "sha256": "0" * 64}).encode())
    with pytest.raises(RegisterError, match=r"sensor a: version .* is another model"):
        registered(store, data)


@pytest.mark.parametrize(
    ("sensor", "about", "names"),
    [
        ("a/b", {}, "'a/b'"),
        ("a", {}, "does not say how it was trained"),
        ("a", {"training": {"window": "noon"}, "check": {"rows": 1}}, "does not say how it was trained"),
        ("a", {"training": {"window": f"{START}/{END}"}, "check": {"rows": 0}}, "not proved"),
    ],
)
def test_models_that_are_refused(
    store: MemoryStore, sensor: str, about: dict[str, object], names: str
) -> None:
    good = read_model(model_bytes())
    arrays = [
        (
            "one_class_svm_rbf",
            {"support_vectors": [[1.0]], "dual_coef": [1.0], "intercept": [0.0], "gamma": [1.0]},
        )
    ]
    with pytest.raises(RegisterError, match=names):
        registered(store, write_model(arrays, good.features, about), sensor)  # type: ignore[arg-type]
    assert list(store.list()) == []


def test_what_is_no_model_is_refused(store: MemoryStore) -> None:
    with pytest.raises(SensorError, match="cannot be read"):
        registered(store, b"pickle")


def test_rolling_back_switches_and_withdraws(store: MemoryStore) -> None:
    old, new = registered(store, model_bytes()), registered(store, model_bytes(mean=11.0))
    done = roll_back(store, "a", clock=lambda: NOW)
    assert (done.left, done.became) == (new.version, old.version)
    assert current(store)["version"] == old.version
    assert current(store)["versions"][1]["withdrawn"] == "2026-01-02T03:04:05Z"
    again = registered(store, model_bytes(mean=11.0))
    assert (again.state, again.current) == (WITHDRAWN, old.version)


def test_a_rollback_is_done_over_a_registration_that_changes_nothing_of_it(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = registered(store, model_bytes()), registered(store, model_bytes(mean=11.0))
    early = trained_until("2025-06-01T00:00:00Z")
    someone_is_quicker(store, monkeypatch, lambda: register(store, "a", early, clock=lambda: NOW))
    done = roll_back(store, "a", clock=lambda: NOW)
    assert (done.left, done.became) == (new.version, old.version)
    assert len(current(store)["versions"]) == 3


def test_a_rollback_that_comes_too_late_is_told(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    registered(store, model_bytes())
    new = registered(store, model_bytes(mean=11.0))
    newer = trained_until("2026-01-03T00:00:00Z")
    someone_is_quicker(store, monkeypatch, lambda: register(store, "a", newer, clock=lambda: NOW))
    with pytest.raises(RegisterError, match=f"someone else changed the version in use from {new.version}"):
        roll_back(store, "a", clock=lambda: NOW)
    assert current(store)["validFrom"] == "2026-01-03T00:00:00Z"


def test_of_two_rollbacks_at_once_only_one_step_is_taken(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mean in (9.0, 10.0, 11.0):
        registered(store, model_bytes(mean=mean))
    middle = current(store)["versions"][1]["version"]
    someone_is_quicker(store, monkeypatch, lambda: roll_back(store, "a", clock=lambda: NOW))
    assert roll_back(store, "a", clock=lambda: NOW).became == middle
    assert current(store)["version"] == middle


@pytest.mark.parametrize(
    ("sensor", "to", "says"),
    [
        ("b", None, "sensor b has no model"),
        ("a", "v9", "sensor a: version v9 is not listed"),
        ("a", None, "sensor a: no version was in use before"),
        ("../a", None, "'../a' cannot be used"),
    ],
)
def test_rollbacks_that_are_refused(store: MemoryStore, sensor: str, to: str | None, says: str) -> None:
    registered(store, model_bytes())
    before = store.get(CURRENT).data
    with pytest.raises(RegisterError, match=says):
        roll_back(store, sensor, to)
    assert store.get(CURRENT).data == before

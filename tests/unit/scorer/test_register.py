from __future__ import annotations

import json

import pytest

from scorer.contract import SensorError
from scorer.errors import InputError
from scorer.fit.register import RegisterError, register
from scorer.fit.train import LEAST_ROWS, Settings, check_settings, degenerate, train
from scorer.model.file import read_model, write_model
from scorer.storage import ConflictError
from scorer.storage.memory import MemoryStore
from scorer.window import window
from scoring import END, START, model_bytes, put_readings, values

SPAN = window(START, END)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def current(store: MemoryStore, sensor: str = "a") -> dict[str, str]:
    found: dict[str, str] = json.loads(store.get(f"models/{sensor}/current.json").data)
    return found


def test_a_registered_model_is_the_current_version(store: MemoryStore) -> None:
    data = model_bytes()
    done = register(store, "a", data)
    assert done.changed
    assert done.version == f"20260101T120000Z-{done.sha256[:8]}"
    assert current(store) == {
        "version": done.version,
        "sha256": done.sha256,
        "validFrom": "2026-01-01T12:00:00Z",
    }
    assert store.get(f"models/a/{done.version}/model.safetensors").data == data
    people = json.loads(store.get(f"models/a/{done.version}/metadata.json").data)
    assert people == read_model(data).metadata


def test_registering_again_changes_nothing(store: MemoryStore) -> None:
    first = register(store, "a", model_bytes())
    etag = store.head("models/a/current.json").etag
    assert register(store, "a", model_bytes()) == first._replace(changed=False)
    assert store.head("models/a/current.json").etag == etag


def test_a_new_model_becomes_current_and_the_old_one_stays(store: MemoryStore) -> None:
    old = register(store, "a", model_bytes())
    new = register(store, "a", model_bytes(mean=11.0))
    assert current(store)["version"] == new.version != old.version
    assert store.get(f"models/a/{old.version}/model.safetensors").data == model_bytes()


def test_a_version_is_never_replaced(store: MemoryStore) -> None:
    version = register(store, "a", model_bytes()).version
    store.put(f"models/a/{version}/model.safetensors", b"tampered")
    with pytest.raises(RegisterError, match="another model than its name says"):
        register(store, "a", model_bytes())


def test_of_two_registrations_at_once_one_is_told(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = store.put

    def someone_was_quicker(path: str, data: bytes, metadata: object = None, **conditions: object) -> str:
        if path.endswith("current.json"):
            raise ConflictError("changed")
        return put(path, data, metadata, **conditions)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "put", someone_was_quicker)
    with pytest.raises(RegisterError, match="someone else registers too"):
        register(store, "a", model_bytes())


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
        register(store, sensor, write_model(arrays, good.features, about))  # type: ignore[arg-type]
    assert list(store.list()) == []


def test_what_is_no_model_is_refused(store: MemoryStore) -> None:
    with pytest.raises(SensorError, match="cannot be read"):
        register(store, "a", b"pickle")


def test_training_gives_a_proved_model(store: MemoryStore) -> None:
    put_readings(store, "a", values(600), seconds=6)
    trained = train(store, "a", SPAN)
    assert trained.rows == 600
    assert 0 < trained.flagged < 0.03
    assert trained.warnings == ()
    metadata = read_model(store.get(f"models/a/{trained.registered.version}/model.safetensors").data).metadata
    assert metadata["training"]["window"] == f"{START}/{END}"
    assert metadata["check"]["rows"] == 1800
    assert metadata["check"]["largestDifference"] < 1e-12
    assert metadata["sklearn"] == "1.9.1"


def test_training_again_registers_nothing_new(store: MemoryStore) -> None:
    put_readings(store, "a", values(100), seconds=30)
    first = train(store, "a", SPAN)
    before = [entry.path for entry in store.list("models")]
    assert train(store, "a", SPAN).registered == first.registered._replace(changed=False)
    assert [entry.path for entry in store.list("models")] == before


def test_too_few_readings_are_told(store: MemoryStore) -> None:
    with pytest.raises(SensorError, match=r"no file at readings/2026/01/01/12/a\.parquet"):
        train(store, "a", SPAN)
    put_readings(store, "a", values(LEAST_ROWS - 1))
    with pytest.raises(
        SensorError, match=f"has {LEAST_ROWS - 1} usable readings .*: wanted at least {LEAST_ROWS}"
    ):
        train(store, "a", SPAN)


@pytest.mark.parametrize(
    ("rows", "nu", "vectors", "flagged", "says"),
    [
        (280, 0.01, 6, 0.02, []),
        (280, 1e-4, 2, 0.02, ["10000 readings"]),
        (280, 1e-4, 1, 1.0, ["10000 readings", "one support vector", "100%"]),
        (280, 0.01, 6, 0.0, ["0%"]),
    ],
)
def test_degenerate_models(rows: int, nu: float, vectors: int, flagged: float, says: list[str]) -> None:
    warnings = degenerate(rows, nu, vectors, flagged)
    assert len(warnings) == len(says)
    assert all(part in warning for part, warning in zip(says, warnings, strict=True))


def test_the_settings_of_the_reference_are_warned_of(store: MemoryStore) -> None:
    put_readings(store, "a", values(280), seconds=10)
    warnings = train(store, "a", SPAN, Settings(nu=1e-4, gamma=0.01)).warnings
    assert any("nu = 0.0001" in warning for warning in warnings)


@pytest.mark.parametrize(
    "how", [Settings(nu=0), Settings(nu=1.5), Settings(gamma=-1.0), Settings(gamma="much")]
)
def test_settings_that_are_refused(how: Settings) -> None:
    with pytest.raises(InputError, match=r"nu|gamma"):
        check_settings(how)

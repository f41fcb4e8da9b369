from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from scorer.contract import SensorError
from scorer.errors import InputError
from scorer.fit.estimators import ESTIMATORS, KERNELS, Estimator, check_estimator, settings
from scorer.fit.facts import findings, rows_per_hour
from scorer.fit.train import LEAST_ROWS, FitError, Settings, train
from scorer.land import land, read_table
from scorer.model.file import read_model
from scorer.storage.memory import MemoryStore
from scorer.window import Window, window
from scoring import CSV, END, START, put_readings, values

SPAN = window(START, END)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def metadata(store: MemoryStore, sensor: str, version: str) -> Any:
    return read_model(store.get(f"models/{sensor}/{version}/model.safetensors").data).metadata


def noisy(count: int) -> Any:
    return 10 + np.random.default_rng(0).normal(0, 1, count)


def test_training_gives_a_proved_model(store: MemoryStore) -> None:
    put_readings(store, "a", values(600), seconds=6)
    trained = train(store, "a", SPAN)
    assert trained.rows == 600
    assert 0 < trained.flagged < 0.03
    assert trained.findings == ()
    found = metadata(store, "a", trained.registered.version)
    assert found["check"]["rows"] == 1800
    assert found["check"]["largestDifference"] < 1e-9
    assert found["sklearn"] == "1.9.1"
    assert found["numpy"] == np.__version__


def test_the_model_says_what_it_was_trained_on(store: MemoryStore) -> None:
    found = np.round(noisy(300), 2)
    put_readings(store, "a", found, seconds=10)
    trained = train(store, "a", SPAN, Settings(Estimator(nu=0.02, gamma=0.5)))
    training = metadata(store, "a", trained.registered.version)["training"]
    assert training.pop("supportVectors") == trained.vectors
    assert training.pop("longestConstant")["value"] < 60
    assert training == {
        "sensor": "a",
        "window": f"{START}/{END}",
        "rows": 300,
        "rowsPerHour": 300.0,
        "flagged": trained.flagged,
        "valueRange": {"value": [found.min(), found.max()]},
        "settings": {"estimator": "OneClassSVM", "nu": 0.02, "kernel": "rbf", "gamma": 0.5, "tol": 1e-6},
    }


def test_training_again_registers_nothing_new(store: MemoryStore) -> None:
    put_readings(store, "a", values(100), seconds=30)
    first = train(store, "a", SPAN)
    before = [entry.etag for entry in store.list("models")]
    assert train(store, "a", SPAN).registered == first.registered._replace(state="as before")
    assert [entry.etag for entry in store.list("models")] == before


@pytest.mark.parametrize(
    ("name", "kernel"), [(name, kernel) for name in ESTIMATORS for kernel in KERNELS.get(name, (None,))]
)
def test_every_estimator_trains_the_same_model_twice(
    store: MemoryStore, name: str, kernel: str | None
) -> None:
    put_readings(store, "a", noisy(300), seconds=10)
    how = Settings(Estimator(name, nu=0.05, kernel=kernel))
    trained = train(store, "a", SPAN, how)
    assert train(store, "a", SPAN, how).registered.version == trained.registered.version
    assert metadata(store, "a", trained.registered.version)["training"]["settings"]["estimator"] == name


def test_a_solver_that_does_not_end_is_stopped_and_told(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scorer.fit.estimators.MOST_ITERATIONS", 1000)
    put_readings(store, "a", noisy(300), seconds=10)
    trained = train(store, "a", SPAN, Settings(Estimator(nu=0.05, kernel="poly")))
    names = [finding.name for finding in trained.findings]
    assert sorted(names) == ["ConvergenceWarning", "FlagsMany"]


def test_too_few_readings_are_told(store: MemoryStore) -> None:
    with pytest.raises(SensorError, match=r"no file at readings/2026/01/01/12/a\.parquet"):
        train(store, "a", SPAN)
    put_readings(store, "a", values(LEAST_ROWS - 1))
    with pytest.raises(
        SensorError, match=f"has {LEAST_ROWS - 1} usable readings .*: wanted at least {LEAST_ROWS}"
    ):
        train(store, "a", SPAN)


def test_readings_that_an_estimator_cannot_be_fitted_to_are_told(store: MemoryStore) -> None:
    put_readings(store, "a", np.full(100, 1e99))
    with pytest.raises((FitError, InputError)) as error:
        train(store, "a", SPAN, Settings(Estimator("EllipticEnvelope")))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("training", "names"),
    [
        ({"rows": 280, "flagged": 0.02, "supportVectors": 6, "settings": {"nu": 0.01}}, []),
        ({"rows": 280, "flagged": 0.02, "supportVectors": 2, "settings": {"nu": 1e-4}}, ["NuTooSmall"]),
        (
            {"rows": 280, "flagged": 1.0, "supportVectors": 1, "settings": {"nu": 1e-4}},
            ["NuTooSmall", "OneSupportVector", "FlagsEverything"],
        ),
        ({"rows": 280, "flagged": 0.0, "supportVectors": 6, "settings": {"nu": 0.01}}, ["FlagsNothing"]),
        ({"rows": 280, "trainedRows": 50, "flagged": 0.1, "settings": {"nu": 0.01}}, ["NuTooSmall"]),
        ({"rows": 280, "flagged": 0.1, "supportVectors": 111, "settings": {"nu": 0.01}}, []),
        ({"rows": 280, "flagged": 0.1, "supportVectors": 115, "settings": {"nu": 0.01}}, ["ManyVectors"]),
        ({"rows": 280, "flagged": 0.5, "supportVectors": 150, "settings": {"nu": 0.5}}, []),
        ({"rows": 280, "flagged": 0.1, "supportVectors": 280, "settings": {"nu": 0.5}}, ["ManyVectors"]),
        ({"rows": 280, "trainedRows": 1000, "supportVectors": 280, "settings": {"nu": 0.01}}, []),
        ({"rows": 280, "supportVectors": 280}, ["ManyVectors"]),
        ({"rows": 50, "trainedRows": 280, "flagged": 0.1, "settings": {"nu": 0.01}}, []),
        ({}, []),
        ({"rows": "many", "flagged": True, "supportVectors": None, "settings": []}, []),
    ],
)
def test_models_that_cannot_tell_normal_from_not_are_named(
    training: dict[str, Any], names: list[str]
) -> None:
    assert [finding.name for finding in findings(training)] == names


def test_what_to_do_is_said(store: MemoryStore) -> None:
    found = findings({"rows": 280, "settings": {"nu": 1e-4}})
    assert [each.message for each in found] == [
        "nu = 0.0001 leaves no reading outside among 280: give 10000 readings, or a larger nu"
    ]


def test_degenerate_models_are_refused_where_that_is_wanted(store: MemoryStore) -> None:
    put_readings(store, "a", values(280), seconds=10)
    how = Settings(Estimator(nu=1e-4, gamma=0.01), refuse_degenerate=True)
    with pytest.raises(FitError, match=r"sensor a: refused: NuTooSmall: nu = 0\.0001"):
        train(store, "a", SPAN, how)
    assert list(store.list("models")) == []


def test_all_models_of_the_reference_are_warned_of(store: MemoryStore) -> None:
    """nu = 1e-4, gamma = 0.01, scikit-learn's usual tolerance, the first 280 readings of each sensor.

    The reference's own models of 1-2, 1-5, 2-5 and 3-4 flag every reading; they were trained on others.
    """
    table = {sensor: (times[:280], found[:280]) for sensor, (times, found) in read_table(CSV).items()}
    land(store, table)
    span = window("2018-08-28T23:00:00Z", "2018-08-29T01:00:00Z")
    how = Settings(Estimator(nu=1e-4, gamma=0.01, tol=1e-3))
    named = {
        sensor: {finding.name for finding in train(store, sensor, span, how).findings} for sensor in table
    }
    assert all("NuTooSmall" in names for names in named.values())
    assert {f"device-{name}" for name in ("1-tag-2", "1-tag-5", "2-tag-5", "3-tag-4")} <= set(named)
    nothing = {sensor for sensor, names in named.items() if "FlagsNothing" in names}
    everything = {sensor for sensor, names in named.items() if "FlagsEverything" in names}
    single = {sensor for sensor, names in named.items() if "OneSupportVector" in names}
    assert everything == single == {"device-2-tag-1"}
    assert nothing == {"device-1-tag-2", "device-2-tag-3", "device-3-tag-4"}


def test_the_same_readings_with_other_settings_are_not_warned_of(store: MemoryStore) -> None:
    table = {sensor: (times[:280], found[:280]) for sensor, (times, found) in read_table(CSV).items()}
    land(store, table)
    span = window("2018-08-28T23:00:00Z", "2018-08-29T01:00:00Z")
    assert [train(store, sensor, span, Settings(Estimator(gamma=0.1))).findings for sensor in table] == [
        ()
    ] * 15


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Estimator("Prophet"), "--estimator is 'Prophet': wanted one of OneClassSVM, SGDOneClassSVM"),
        (Estimator(nu=0), "--nu is 0: OneClassSVM wants a share above 0, at most 1"),
        (Estimator(nu=1.5), "--nu is 1.5"),
        (Estimator(nu=float("nan")), "--nu is nan"),
        (Estimator("IsolationForest", nu=0.6), "--nu is 0.6: IsolationForest wants .* at most 0.5"),
        (Estimator(kernel="cosine"), "--kernel is 'cosine': OneClassSVM wants one of rbf, linear"),
        (Estimator("SGDOneClassSVM", kernel="poly"), "--kernel is 'poly': SGDOneClassSVM wants one of rbf"),
        (Estimator("EllipticEnvelope", kernel="rbf"), "--kernel is 'rbf': EllipticEnvelope has none"),
        (Estimator(gamma=-1.0), "--gamma is -1.0: wanted scale, auto or a number above 0"),
        (Estimator(gamma=float("inf")), "--gamma is inf"),
        (Estimator(gamma="much"), "--gamma is 'much'"),
        (Estimator("SGDOneClassSVM", gamma="auto"), "--gamma is 'auto': wanted scale or a number"),
        (Estimator(kernel="linear", gamma=1.0), "--gamma is 1.0: the linear kernel has none"),
        (Estimator("IsolationForest", gamma=1.0), "--gamma is 1.0: IsolationForest has none"),
        (Estimator(tol=0.0), "--tol is 0.0: wanted a number above 0, below 1"),
        (Estimator("IsolationForest", tol=1e-3), "--tol is 0.001: IsolationForest has none"),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_the_options_name(wanted: Estimator, says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_estimator(wanted)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimators_defaults_fit(name: str) -> None:
    check_estimator(Estimator(name))
    assert settings(Estimator(name))["nu"] == 0.01


def microseconds(*minutes: float) -> Any:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    first = SPAN.start - epoch
    return np.array([(first + timedelta(minutes=minute)) // timedelta(microseconds=1) for minute in minutes])


@pytest.mark.parametrize(
    ("minutes", "start", "end", "wanted"),
    [
        ((1, 2, 60), 0, 60, 3.0),
        ((1, 60, 61, 62, 63, 130), 0, 180, 2.0),
        ((1, 2, 3, 130), 0, 180, 2.0),
        ((10, 20, 30), 0, 30, 6.0),
        ((45, 50, 90, 100, 110), 30, 120, 3.0),
        ((), 0, 60, 0.0),
    ],
)
def test_rows_an_hour_are_the_median_of_whole_hours_with_any(
    minutes: tuple[float, ...], start: int, end: int, wanted: float
) -> None:
    span = Window(SPAN.start + timedelta(minutes=start), SPAN.start + timedelta(minutes=end))
    assert rows_per_hour(microseconds(*minutes), span) == wanted

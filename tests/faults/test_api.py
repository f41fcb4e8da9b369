"""The API server refuses, breaks off, lies about what it did, or falls silent: the run ends all the same."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from controlplane.conftest import until
from faults.api_proxy import PASS, WRITES, Call, Chooser, Fault
from faults.conftest import SENSORS, WHOLE, Calm, Scene, result

pytestmark = pytest.mark.faults
Json = dict[str, Any]

CALLS_A_MINUTE = 1200
"""What the operator may ask of a failing API server for one run of six sensors: more would be a hot loop."""


def each_write_once(fault: Fault) -> Chooser:
    """The first try of each write fails so; the next one passes."""
    seen: set[str] = set()

    def choose(call: Call) -> Fault:
        # An Event is not tried again: it is told or it is not.
        if call.method not in WRITES or call.resource == "events" or call.path in seen:
            return PASS
        seen.add(call.path)
        return fault

    return choose


def first_of(calls: Callable[[Call], bool], times: int, fault: Fault) -> Chooser:
    """The first so many of these calls fail so."""
    left = Counter(left=times)

    def choose(call: Call) -> Fault:
        if not calls(call) or left["left"] <= 0:
            return PASS
        left["left"] -= 1
        return fault

    return choose


def writes(call: Call) -> bool:
    return call.number >= 0 and call.resource != "events"


def watches(call: Call) -> bool:
    return call.watch


def jobs(call: Call) -> bool:
    return call.method == "POST" and call.resource == "jobs"


def lists(call: Call) -> bool:
    return call.method == "GET" and not call.watch


FAULTS: dict[str, Callable[[], Chooser]] = {
    "403 quota": lambda: first_of(jobs, 3, Fault(403, "Forbidden", "exceeded quota: few, requested: jobs=1")),
    "409 on writes": lambda: each_write_once(Fault(409, "Conflict")),
    "429 with Retry-After": lambda: first_of(writes, 6, Fault(429, "TooManyRequests", retry_after=1)),
    "500 on writes": lambda: each_write_once(Fault(500, "InternalError")),
    "503 on lists": lambda: first_of(lists, 5, Fault(503, "ServiceUnavailable")),
    "504 after the write was accepted": lambda: each_write_once(Fault(504, "Timeout", accepted=True)),
    "reset before the write": lambda: each_write_once(Fault(reset=True)),
    "reset after the write was accepted": lambda: each_write_once(Fault(reset=True, accepted=True)),
    "watches are gone": lambda: first_of(watches, 9, Fault(gone=True, lines=1)),
    "watches break off": lambda: first_of(watches, 12, Fault(lines=1)),
    "watches are refused": lambda: first_of(watches, 6, Fault(500, "InternalError")),
}


FEW = ("504 after the write was accepted", "watches are gone")


@pytest.mark.timeout(180, func_only=True)
@pytest.mark.parametrize("name", FAULTS if WHOLE else FEW)
def test_a_run_converges(scene: Scene, calm: Calm, name: str) -> None:
    scene.proxy.fault = FAULTS[name]()
    began = time.monotonic()
    scene.operator.start()
    scene.begin()
    with scene.pods():
        run = scene.runs.ended(seconds=90)
    assert result(run) == calm.result
    made = [job["metadata"]["labels"]["sensorscore.dev/run"] for job in scene.runs.jobs()]
    assert made.count("hourly") == len(SENSORS), "none was made twice"
    assert scene.proxy.rate(began) <= CALLS_A_MINUTE
    assert "Traceback" not in scene.operator.log.read_text()


@pytest.mark.timeout(180, func_only=True)
def test_a_token_that_has_expired_is_renewed(scene: Scene, calm: Calm) -> None:
    kubeconfig = scene.operator.kubeconfig
    good = {"first"}
    scene.proxy.fault = lambda call: PASS if call.token in good else Fault(401, "Unauthorized")
    scene.operator.start()
    scene.begin(parallelism=0)
    with scene.pods():
        until("it runs", lambda: scene.runs.phase() == "Running")
        good.clear()
        good.add("second")
        config = yaml.safe_load(kubeconfig.read_text())
        config["users"][0]["user"]["token"] = "second"
        kubeconfig.write_text(yaml.safe_dump(config))
        scene.runs.patch({"parallelism": 3})
        run = scene.runs.ended(seconds=90)
    assert result(run) == calm.result


@pytest.mark.skipif(not WHOLE, reason="takes more than a minute: make test-faults")
@pytest.mark.timeout(240, func_only=True)
def test_an_api_server_that_is_away_for_a_minute_costs_nothing(scene: Scene, calm: Calm) -> None:
    scene.operator.start()
    scene.begin()
    until("its first Jobs are there", scene.runs.jobs)
    away = time.monotonic()
    scene.proxy.fault = lambda _: Fault(reset=True)
    with scene.pods():
        until("a minute has passed", lambda: time.monotonic() - away >= 60, 90)
        assert scene.proxy.rate(away) <= CALLS_A_MINUTE
        scene.proxy.fault = lambda _: PASS
        run = scene.runs.ended(seconds=90)
    assert result(run) == calm.result


@pytest.mark.skipif(not WHOLE, reason="waits for the streams' patience: make test-faults")
@pytest.mark.timeout(240, func_only=True)
def test_streams_that_fall_silent_are_opened_anew(scene: Scene, calm: Calm) -> None:
    stalled: list[Call] = []

    def choose(call: Call) -> Fault:
        if call.watch and len(stalled) < 3:
            stalled.append(call)
            return Fault(stalled=True)
        return PASS

    scene.proxy.fault = choose
    scene.operator.start()
    scene.begin()
    with scene.pods():
        run = scene.runs.ended(seconds=120)
    assert result(run) == calm.result

"""The parts of `make demo-stream` that need no cluster; tests/cluster/test_stream.py has the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pytest

from examples.demo.errors import DemoError
from examples.stream import account, objects, release
from examples.stream.account import Alarm, Hour
from examples.stream.clock import Clock, beginning
from examples.stream.picture import Lane, figure_of
from examples.stream.stream import _merged
from scorer.ingest.accounting import Counts

BEGIN = datetime(2026, 1, 12, 8, tzinfo=UTC)
CLOCK = Clock(1_000_000.0, BEGIN, 60.0)
HOURS = [
    Hour(BEGIN, Counts(110, 0, 110, 90, 5, bad=5, duplicate=10), 80, "Succeeded", 15, 15, 7, 1),
    Hour(BEGIN + timedelta(hours=1), Counts(10, 0, 10, 9, out_of_order=1), 9, "", 0, 0, 0, 0),
]


class Posts(NamedTuple):
    """A stream of which only the receiver is asked."""

    posts: list[dict[str, Any]]

    def received(self) -> list[dict[str, Any]]:
        return self.posts


def event(number: int) -> dict[str, Any]:
    return {"id": f"a/{number}", "subject": "a", "time": "2026-01-12T09:00:00Z"}


def test_the_table_says_of_every_event_what_became_of_it() -> None:
    lines = [line.split() for line in account.table(HOURS)]
    assert lines[0][:7] == ["HOUR", "EVENTS", "WINDOWED", "LATE", "BAD", "TWICE", "OTHER"]
    assert lines[1] == ["08:00", "110", "90", "5", "5", "10", "0", "80", "Succeeded", "15/15", "7", "1"]
    assert lines[2] == ["09:00", "10", "9", "0", "0", "0", "1", "9", "none", "0/0", "0", "0"]
    assert lines[3] == ["all", "120", "99", "5", "5", "10", "1", "89", "7", "1"]


def test_events_that_came_twice_were_sent_once() -> None:
    account.check(HOURS, 110)
    with pytest.raises(DemoError, match="111 events were sent"):
        account.check(HOURS, 111)


def test_an_alarm_that_came_again_is_the_same_alarm() -> None:
    posts = [{"body": json.dumps(event(1))}, {"body": json.dumps([event(1), event(2)])}]
    found = account.alarms(Posts(posts))  # type: ignore[arg-type]
    assert [each.id for each in found] == ["a/1", "a/2"]
    assert found[0].end == BEGIN + timedelta(hours=1)


def test_the_clock_goes_as_fast_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000_060.0)
    assert CLOCK.now() == BEGIN + timedelta(hours=1)
    assert CLOCK.until(BEGIN) == -60.0
    assert beginning(BEGIN, 60.0, 30.0).when == 1_000_090.0
    assert beginning(BEGIN, 60.0, 30.0, at_second=50).when % 60 == 50


def in_pod(*words: str) -> str:
    """What a Python says that begins with the demo's clock."""
    environment = {**os.environ, "STREAM_CLOCK": CLOCK.text, "PYTHONPATH": str(objects.PODS)}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=objects.PODS,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_engine_of_ingest_goes_by_it_and_nothing_else_in_the_pod_does() -> None:
    said = in_pod(
        "-c",
        "import time, scorer.ingest.service as s; clocks = s.Service.__init__.__defaults__[-1];"
        "print(clocks.wall(), time.time(), clocks.monotonic is time.monotonic)",
    )
    fast, real, monotonic = said.split()
    then = CLOCK.then.timestamp() + 60 * (float(real) - CLOCK.when)
    assert float(fast) == pytest.approx(then, abs=3_600)
    assert monotonic == "True"


def test_a_schedule_goes_by_it() -> None:
    # Without site-packages: as in the operator's image, there is no scorer.
    said = in_pod(
        "-S",
        "-c",
        "import sitecustomize, time; from datetime import UTC, datetime;"
        "print(datetime.now(UTC).timestamp(), time.time())",
    )
    fast, real = map(float, said.split())
    assert fast == pytest.approx(CLOCK.then.timestamp() + 60 * (real - CLOCK.when), abs=3_600)


def test_further_values_go_over_the_demo_s_own() -> None:
    values = release.values("space", "http://store", CLOCK, "10.0.0.1")
    merged = _merged(values, {"ingest": {"replicas": 3, "hub": {"name": "other"}}})
    assert merged["ingest"]["replicas"] == 3
    assert merged["ingest"]["hub"] == {**values["ingest"]["hub"], "name": "other"}
    assert merged["stores"] == values["stores"]


def test_all_own_pods_fit_the_restricted_standard() -> None:
    made = [*objects.hub("n", "i", CLOCK, "1.2.3.4"), *objects.receiver("n", "i")]
    pods = [each["spec"]["template"]["spec"] for each in made if each["kind"] == "Deployment"]
    pods += [
        each["spec"]["template"]["spec"] for each in objects.fleet("n", "i", CLOCK, "c", []) if "spec" in each
    ]
    assert len(pods) == 3
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_picture_has_a_lane_for_each_sensor_and_a_head_for_each_hour() -> None:
    times = np.datetime64("2026-01-12T08:00", "us") + np.arange(90) * np.timedelta64(60, "s")
    lane = Lane(times, np.sin(np.arange(90.0)), np.arange(90) == 7)
    fault = {"sensor": "b", "kind": "shift", "start": "2026-01-12T08:10:00Z", "end": "2026-01-12T08:20:00Z"}
    alarms = [Alarm("b/1", "b", BEGIN + timedelta(hours=1))]
    (axes,) = figure_of({"a": lane, "b": lane}, HOURS, [fault], alarms).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["08:00", "09:00", "10:00"]
    words = [text.get_text() for text in axes.texts]
    assert any("110 events: 90 windowed, 5 late, 5 bad, 10 twice" in each for each in words)
    assert any("shift" in each for each in words)

"""A schedule in the real cluster, with windows of a minute: real CronJob, pods, readings, predictions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import yaml

from local.deploy import RELEASE, chart_values
from local.places import Places
from scorer.fit.train import train
from scorer.land import land
from scorer.window import window
from stack import Manifest, Stack

pytestmark = pytest.mark.cluster
NAME, SENSOR = "minutely", "scheduled"
CRON, MARK = "sensorscore-schedule-minutely", "sensorscore-schedule-minutely"
EVERY_SECONDS = 5  # a reading
MAX_WINDOWS = 6


@pytest.fixture
def readings(stack: Stack) -> None:
    """A sensor with a model, and readings of this hour, the one before and the next two."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    first = np.datetime64((hour - timedelta(hours=1)).replace(tzinfo=None), "us")
    times = first + np.arange(1, 4 * 3600 // EVERY_SECONDS + 1) * np.timedelta64(EVERY_SECONDS, "s")
    land(stack.store, {SENSOR: (times, np.random.default_rng(7).normal(10.0, 1.0, len(times)))})
    start, end = (f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in (hour - timedelta(hours=1), hour))
    train(stack.store, SENSOR, window(start, end))


@pytest.fixture
def schedule(stack: Stack, readings: None) -> Iterator[None]:
    """What the chart makes of the schedule; at the end it goes again, with its mark and its runs."""
    values = chart_values(stack.azurite.endpoint, [stack.namespace], "")
    run = {"sensors": {"names": [SENSOR]}, "output": {"allowOverwrite": True}}
    told = {"namespace": stack.namespace, "cron": "* * * * *", "windowSeconds": 60, "run": run}
    told["catchUp"] = {"maxWindows": MAX_WINDOWS}
    chart = str(Places.here().checkout / "charts" / "sensorscore")
    rendered = stack.tools.helm(
        *("template", RELEASE, chart, "--show-only=templates/schedules.yaml"),
        *("--show-only=templates/rbac.yaml", "--values=-"),
        stdin=yaml.safe_dump({**values, "schedules": {NAME: told}}),
    )
    made = [each for each in yaml.safe_load_all(rendered) if each]
    component = "app.kubernetes.io/component"
    manifests = yaml.safe_dump_all(
        [each for each in made if each["metadata"]["labels"][component] == "scheduler"]
    )
    stack.kubectl("apply", "--filename=-", stdin=manifests)
    yield
    stack.kubectl("delete", "--filename=-", "--wait=false", stdin=manifests)
    stack.kubectl("delete", "job", "by-hand", "--ignore-not-found")
    stack.kubectl("delete", "scoringruns,configmaps", f"--selector=sensorscore.dev/schedule={NAME}")


def runs(stack: Stack) -> list[Manifest]:
    """The schedule's runs, in the order of their windows."""
    found = stack.kubectl("get", "scoringruns", f"--selector=sensorscore.dev/schedule={NAME}", "-o", "json")
    items: list[Manifest] = json.loads(found)["items"]
    return sorted(items, key=lambda run: str(run["spec"]["window"]["end"]))


def ended(stack: Stack, number: int) -> bool:
    found = runs(stack)
    phases = [run.get("status", {}).get("phase") for run in found]
    return len(found) >= number and all(phase in ("Succeeded", "Failed") for phase in phases)


def ends(found: list[Manifest]) -> list[datetime]:
    return [datetime.fromisoformat(run["spec"]["window"]["end"]) for run in found]


def marked(stack: Stack) -> datetime:
    return datetime.fromisoformat(stack.get("configmap", MARK)["data"]["lastWindowEnd"])


def superseded(run: Manifest) -> bool:
    """Whether the hour's file was another run's already, made in the same second: they share one path."""
    return bool(run["status"].get("reasons") == {"Skipped/Superseded": 1})


def stop(stack: Stack) -> list[Manifest]:
    """Suspend the schedule; its runs once nothing goes on any more."""
    stack.patch("cronjob", CRON, {"spec": {"suspend": True}})
    stack.wait_for("its pods to end", lambda: not stack.get("cronjob", CRON)["status"].get("active"), 60)
    stack.wait_for("what they made to be scored", lambda: ended(stack, 1))
    return runs(stack)


@pytest.mark.timeout(600)
def test_windows_are_scored_as_they_end_and_those_of_a_pause_afterwards(stack: Stack, schedule: None) -> None:
    stack.wait_for("the first window to be scored", lambda: ended(stack, 1), 150)
    before = stop(stack)
    first = ends(before)
    assert all(run["status"]["phase"] == "Succeeded" for run in before)
    assert before[0]["status"]["rows"]["scored"] == 60 / EVERY_SECONDS
    assert marked(stack) == first[-1]

    until = first[-1] + timedelta(minutes=4)
    stack.wait_for("three windows to pass, and one more", lambda: datetime.now(UTC) > until, 300)
    assert ends(runs(stack)) == first  # suspended is suspended
    stack.patch("cronjob", CRON, {"spec": {"suspend": False}})
    stack.wait_for("those to be scored", lambda: ended(stack, len(first) + 4), 150)
    after = runs(stack)
    assert ends(after) == [first[0] + number * timedelta(minutes=1) for number in range(len(after))]
    assert all(run["status"]["phase"] == "Succeeded" for run in after)
    missed = after[len(first) : len(first) + 3]
    assert [run["spec"]["priority"] for run in missed] == [-100, -100, -100]
    assert all(run["status"]["rows"]["scored"] == 60 / EVERY_SECONDS or superseded(run) for run in after)
    assert not superseded(after[len(first) + 3])
    stack.wait_for("the mark", lambda: marked(stack) >= until, 30)
    assert stack.get("configmap", MARK)["data"]["skipped"] == "0"
    after_an_hours_outage(stack)


def after_an_hours_outage(stack: Stack) -> None:
    """As the mark tells it: what is beyond the bound is named, what has its run keeps it."""
    uids = {run["metadata"]["uid"] for run in stop(stack)}
    last = marked(stack)
    stack.patch(
        "configmap", MARK, {"data": {"lastWindowEnd": f"{last - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"}}
    )
    stack.kubectl("create", "job", f"--from=cronjob/{CRON}", "by-hand")
    stack.kubectl("wait", "--for=condition=Complete", "job/by-hand", "--timeout=60s")
    assert marked(stack) >= last
    mark = stack.get("configmap", MARK)["data"]
    assert int(mark["skipped"]) >= 60 - MAX_WINDOWS - 1
    events = stack.kubectl("get", "events", "--field-selector=reason=WindowsSkipped", "-o", "json")
    assert any(mark["lastSkipped"] in event["message"] for event in json.loads(events)["items"])
    assert uids <= {run["metadata"]["uid"] for run in runs(stack)}

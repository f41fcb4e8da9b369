"""Events in, anomalies out, in the real cluster: fleet, hub, two replicas of ingest, schedule, runs, sink.

On a clock whose hours are minutes, which the hub, the engine of ingest and the schedule's pods are given; all
else goes by the machine's. In the middle a replica of ingest is killed, and the hub gives events
again and broken ones.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from examples.stream import account, release
from examples.stream.account import Alarm, Hour
from examples.stream.clock import HOUR, beginning
from examples.stream.commands import SIMULATE, command
from examples.stream.objects import AMQP, ENTITY
from examples.stream.stream import BEGIN, SPEED, Plan, Stream, clear, start, train, wait
from local import cgroups, network, scraping
from local.backend import choose
from local.deploy import Deployed
from local.places import Places
from local.prometheus import Prometheus
from releases import install
from scorer.ingest.accounting import total
from stack import Stack, processes

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

HOURS = 2
SENSORS = 15
OPTIONS = (
    *("--for=80m", "--every=10s", "--seed=7", "--late=0.01", "--late-by=20m", "--duplicates=0.005"),
    *("--faults=shift=1,spike=1", "--fault-length=20m"),
)
PLAN = Plan(HOURS, OPTIONS, "sensorscore-stream-tests")
LEAD = 75.0
"""Seconds in which the hub's and the fleet's pods are there, on a slow machine too."""
BROKEN = ['{"TS": "2026-01-', "[1, 2", '{"Device": 1, "Tag": 1, "Value": 10}'] * 5
AGAIN = 30
PORT = 9191


class Streamed(NamedTuple):
    """The stream once all is over, and what it was like in between."""

    stream: Stream
    hours: list[Hour]
    alarms: list[Alarm]
    posts: list[dict[str, Any]]
    figures: dict[str, Any]
    shifted: str
    """The sensor whose level was shifted."""
    targets: int
    """Of ingest, in Prometheus."""
    restarts: int


@pytest.fixture(scope="module")
def streamed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streamed]:
    """All of it, once; afterwards the release is as the other tests have it."""
    places = Places.here()
    backend = choose(places)
    backend.images(["ingest"])
    deployed = Deployed(stack.tools, stack.azurite)
    folder = tmp_path_factory.mktemp("stream")
    store = clear(deployed, PLAN)
    try:
        train(deployed)
        stream = start(deployed, PLAN, store, {}, beginning(BEGIN, SPEED, LEAD))
        targets = scraped(stream, folder)
        wait("some minutes of the stream", lambda: stream.clock.now() > stream.at(0.4))
        disturb(stream)
        wait("all hours to be scored", lambda: stream.sent() and all(map(stream.ended, range(HOURS))), 420)
        release.stop_schedule(stream.deployed.tools, PLAN.namespace)
        figures, shifted = found(deployed, folder)
        posts = stream.received()
        yield Streamed(
            *(stream, account.account(stream), account.alarms(stream), posts),
            *(figures, shifted, targets, restarts(stream)),
        )
    finally:
        install(places, backend)
        stack.tools.kubectl("delete", "namespace", PLAN.namespace, "--timeout=120s")


def disturb(stream: Stream) -> None:
    """Broken events, a replica killed, and events given again to whoever comes next."""
    stream.hub("fill", hub=ENTITY, bodies=BROKEN)
    before = restarts(stream)
    # Another checkout's are not ours to kill.
    ours = cgroups.processes(Places.here().name)
    pids = [pid for pid, words in processes() if "scorer.ingest" in words and pid in ours]
    assert len(pids) == 2
    os.kill(min(pids), signal.SIGKILL)
    wait("the kubelet to see it", lambda: restarts(stream) > before)
    stream.give_again(AGAIN)


def restarts(stream: Stream) -> int:
    """Of ingest's containers."""
    pods = stream.items("pods", "--selector=app.kubernetes.io/component=ingest")
    return sum(each["restartCount"] for pod in pods for each in pod["status"].get("containerStatuses", []))


def scraped(stream: Stream, folder: Path) -> int:
    """How many of ingest's pods a Prometheus gets metrics of, each for itself."""
    places = Places.here()
    services, slices = (stream.items(kind) for kind in ("services", "endpointslices.discovery.k8s.io"))
    targets = folder / "targets.json"
    targets.write_text(json.dumps(scraping.annotated(services, slices)))
    at = {"places": places, "address": choose(places).address, "prefix": network.enter(places)}
    prometheus = Prometheus(folder / "prometheus", scraping.listed(targets), rules=[], port=PORT, **at)
    prometheus.start()
    try:
        query = "sensorscore_ingest_hub_partitions"
        wait("both replicas to be scraped", lambda: len(prometheus.query(query)) > 1, 90)
        return len({sample.labels["instance"] for sample in prometheus.query(query)})
    finally:
        prometheus.stop()


def found(deployed: Deployed, folder: Path) -> tuple[dict[str, Any], str]:
    """Figures of what was injected and found, and the sensor with the shift."""
    labels, figures = folder / "labels.json", folder / "figures.json"
    begin = f"--start={BEGIN:%Y-%m-%dT%H:%M:%SZ}"
    command(
        deployed, SIMULATE, "events", "--out=/dev/null", begin, *OPTIONS, f"--labels={labels}", store=False
    )
    command(deployed, SIMULATE, "check", f"--labels={labels}", "--aggregated=10s", f"--json={figures}")
    faults = json.loads(labels.read_text())["faults"]
    return json.loads(figures.read_text()), next(each["sensor"] for each in faults if each["kind"] == "shift")


def test_every_event_that_was_sent_is_counted_once(streamed: Streamed) -> None:
    counts = total(*(hour.arrived for hour in streamed.hours))
    assert all(hour.arrived.adds_up for hour in streamed.hours)
    assert counts.events - counts.duplicate == streamed.stream.messages()
    assert counts.missed == 0
    assert counts.bad == len(BROKEN)
    assert counts.late > 0
    assert counts.duplicate >= AGAIN


def test_what_is_in_windows_has_landed(streamed: Streamed) -> None:
    landed = [streamed.stream.success(number) for number in range(HOURS)]
    readings = [success["readings"] for success in landed if success]
    assert (
        sum(each["events"] for each in readings) == total(*(hour.arrived for hour in streamed.hours)).windowed
    )
    assert [each["sensors"] for each in readings] == [SENSORS] * HOURS


def test_the_schedule_scores_each_hour_once_it_is_complete(streamed: Streamed) -> None:
    for number, hour in enumerate(streamed.hours):
        run = streamed.stream.run(number)
        assert run is not None
        assert (hour.phase, hour.scored, hour.sensors) == ("Succeeded", SENSORS, SENSORS)
        assert Stack.condition(run, "Complete") == ("True", "AllSucceeded")
        assert run["status"]["rows"]["read"] == hour.readings


def test_what_was_injected_is_found(streamed: Streamed) -> None:
    kinds = {kind["name"]: kind for kind in streamed.figures["kinds"]}
    assert kinds["shift"]["flagged"] > 0.9 * kinds["shift"]["rows"] > 0
    assert kinds["spike"]["found"] == 1


def test_the_sink_is_told_of_it_by_an_id_that_says_which_window_of_which_sensor(streamed: Streamed) -> None:
    told = [alarm for alarm in streamed.alarms if alarm.sensor == streamed.shifted]
    ends = {streamed.stream.hour(number + 1) for number in range(HOURS)}
    assert told
    for alarm in told:
        sensor, begin, end, digest = alarm.id.split("/")
        assert sensor == streamed.shifted
        assert [datetime.fromisoformat(edge) for edge in (begin, end)] == [alarm.end - HOUR, alarm.end]
        assert alarm.end in ends
        assert digest


def test_a_replica_that_was_killed_is_started_again(streamed: Streamed) -> None:
    assert streamed.restarts == 1


def test_each_replica_is_a_target_of_prometheus(streamed: Streamed) -> None:
    assert streamed.targets == 2


def test_ingest_runs_restricted_and_may_reach_the_hub(streamed: Streamed) -> None:
    stream = streamed.stream
    labels = stream.deployed.tools.get("namespace", PLAN.namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    policies = stream.items("networkpolicies", "--selector=app.kubernetes.io/component=ingest")
    ports = [
        port["port"] for policy in policies for rule in policy["spec"]["egress"] for port in rule["ports"]
    ]
    assert AMQP in ports

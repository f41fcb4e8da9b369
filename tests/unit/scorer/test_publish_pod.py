"""Scoring and publishing as processes of their own, as the operator starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from loaded import TELLING, dear, modules_in
from scorer.contract import Exit
from scorer.storage import open_store
from scorer.verify import verify
from scoring import RUN_UID, put_sensor, work
from webhook import Webhook

SHARDED = {"path": "p/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet", "layout": "Sharded", "shards": 2}
OWN = {"path": "p/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"}
HANGING = """
import sys, time
from scorer.settings import before_libraries
before_libraries()
import scorer.publish.stage as stage
stage.publish_results = lambda *_: time.sleep(600)
from scorer.pod import main
main(sys.argv[1:])
"""


class Pods:
    """Starts pods over one folder store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "store").mkdir()
        self.url = f"file://{folder}/store"
        self.store = open_store(self.url)

    def start(self, order: dict[str, Any], script: str = TELLING) -> subprocess.Popen[bytes]:
        (self.folder / "message").write_bytes(b"")
        environment = os.environ | {
            "SENSORSCORE_MESSAGE_PATH": str(self.folder / "message"),
            "MODULES": str(self.folder / "modules"),
        }
        text = json.dumps(order | {"store": {"url": self.url}})
        return subprocess.Popen(
            [sys.executable, "-c", script, "run", "--work", text],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, order: dict[str, Any], script: str = TELLING) -> int:
        process = self.start(order, script)
        process.communicate(timeout=60)
        return process.returncode

    def publishing(self, order: dict[str, Any], **decisions: Any) -> dict[str, Any]:
        """The same order, for the publish stage."""
        told = {"v": 1, "total": len(order["sensors"]["names"]), "complete": True, "reason": "AllSucceeded"}
        told |= {"failed": "", "undecided": "", "failures": [], **decisions}
        (self.folder / "decisions.json").write_text(json.dumps(told))
        return order | {"chunk": 0, "stage": "Publish", "decisions": str(self.folder / "decisions.json")}

    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "message").read_bytes())
        return found

    def modules(self) -> list[str]:
        return modules_in(self.folder / "modules")


@pytest.fixture
def pods(tmp_path: Path) -> Pods:
    return Pods(tmp_path)


@pytest.mark.parametrize("output", [OWN, SHARDED], ids=["own", "sharded"])
def test_two_packs_and_then_the_stage_that_publishes_them(pods: Pods, output: dict[str, Any]) -> None:
    names = [f"s{number}" for number in range(6)]
    for name in names:
        put_sensor(pods.store, name, faults={7: 99.0})
    for chunk, pack in enumerate((names[:3], names[3:])):
        assert pods.run(work(pack, output=output, chunk=chunk)) == Exit.OK
        assert dear(pods.modules()) == []
    assert pods.run(pods.publishing(work(names, output=output))) == Exit.OK
    assert dear(pods.modules()) == []
    message = pods.message()
    assert (message["final"], message["stage"], message["run"]) == (True, "Publish", RUN_UID)
    assert message["success"] == "p/2026/01/01/12/_SUCCESS"
    assert json.loads(pods.store.get(message["success"]).data)["counts"]["Scored"] == 6
    assert verify(pods.store, RUN_UID).findings == []
    assert any(b'"published"' in pods.store.get(entry.path).data for entry in pods.store.list("logs/hourly"))


# Waits for ever when a sensor of that name is scored.
STUCK = """
import sys, time
from scorer.settings import before_libraries
before_libraries()
from scorer.score import Scoring
score = Scoring.score
def stuck(self, fetched):
    if fetched.sensor == "hangs":
        time.sleep(600)
    return score(self, fetched)
Scoring.score = stuck
from scorer.pod import main
main(sys.argv[1:])
"""


def test_what_waits_for_its_shard_is_not_decided_when_the_pod_is_told_to_stop(pods: Pods) -> None:
    one_shard = {**SHARDED, "shards": 1}
    for name in ("a", "hangs", "b"):
        put_sensor(pods.store, name)
    process = pods.start(work(["a", "hangs", "b"], output=one_shard), STUCK)
    for _ in range(3000):
        if b'"inHand":"hangs"' in (pods.folder / "message").read_bytes():
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == Exit.TERMINATED
    assert "S" not in pods.message()["codes"]
    assert not list(pods.store.list("p"))
    assert pods.run(work(["a", "hangs", "b"], output=one_shard)) == Exit.OK
    assert pods.message()["codes"] == "3S"


def test_decisions_of_another_number_of_sensors_are_the_operator_s_fault(pods: Pods) -> None:
    assert pods.run(pods.publishing(work(["a"]), total=2)) == Exit.USAGE
    assert pods.message()["failure"]["reason"] == "Misconfigured"


def test_storage_that_is_away_is_tried_again(pods: Pods) -> None:
    order = pods.publishing(work(["a"]))
    (pods.folder / "store").rmdir()
    assert pods.run(order) == Exit.RETRY
    assert pods.message()["failure"]["reason"] == "StorageUnavailable"


def test_being_told_to_stop_leaves_a_message(pods: Pods) -> None:
    process = pods.start(pods.publishing(work(["a"])), HANGING)
    for _ in range(3000):
        if (pods.folder / "message").stat().st_size:
            break
        time.sleep(0.01)
    assert pods.message()["final"] is False
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == Exit.TERMINATED
    assert pods.message()["failure"]["reason"] == "Interrupted"


def test_the_deadline_is_kept(pods: Pods) -> None:
    assert pods.run(pods.publishing(work(["a"], perAttemptSeconds=2)), HANGING) == Exit.TIMEOUT
    assert "perAttemptSeconds = 2" in pods.message()["failure"]["message"]


def test_a_defect_is_internal(pods: Pods) -> None:
    broken = HANGING.replace("time.sleep(600)", "1 / 0")
    assert pods.run(pods.publishing(work(["a"])), broken) == Exit.INTERNAL
    assert pods.message()["failure"]["reason"] == "Internal"


@pytest.mark.parametrize("taken", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 3])
def test_a_pod_killed_while_it_sends_is_followed_by_one_that_goes_on(
    pods: Pods, monkeypatch: pytest.MonkeyPatch, at: int, taken: bool
) -> None:
    """SIGKILL at a request, which the sink has taken or not: that one may come twice, by the same id."""
    names = [f"s{number}" for number in range(4)]
    for name in names:
        put_sensor(pods.store, name, faults={7: 99.0})
    assert pods.run(work(names)) == Exit.OK
    with Webhook() as server:
        monkeypatch.setenv("SENSORSCORE_SINK_0_0", server.url)
        sink = {
            "name": "ops",
            "type": "webhook",
            "urlFrom": "SENSORSCORE_SINK_0_0",
            "httpHosts": ["127.0.0.1"],
        }
        order = pods.publishing(work(names) | {"sinks": [sink], "schedule": "hourly"})
        process: list[subprocess.Popen[bytes]] = []

        def kill(handler: Any) -> None:
            if taken:
                server.posted.append(handler.posted)
            process[0].kill()
            handler.hang_up()

        server.answers = [*[(202, {})] * (at - 1), kill]
        process.append(pods.start(order))
        process[0].communicate(timeout=120)
        assert process[0].returncode == -signal.SIGKILL
        assert pods.run(order) == Exit.OK
        ids = [json.loads(posted.body)["id"] for posted in server.posted]
    assert {each.split("/")[0] for each in ids} == set(names)
    assert len(ids) - len(set(ids)) == int(taken)
    assert pods.message()["sinks"] == {"ops": {"delivered": 4}}

"""A pod as a process of its own: its imports, exit codes, message, and every way of being stopped."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loaded import TELLING, dear, modules_in
from scorer.contract import Exit
from scorer.storage import Store, open_store
from scorer.stored import read_object
from scoring import RUN_UID, model_bytes, put_model, put_readings, put_sensor, run_at, values, work

# Waits for ever, or dies, when a sensor of that name is scored, or written.
TROUBLED = """
import os, signal, sys, threading, time
from scorer.settings import before_libraries
before_libraries()
from scorer.deliver import Deliveries
from scorer.score import Scoring
score, write = Scoring.score, Deliveries.write
def trouble(sensor):
    if sensor == "hangs":
        time.sleep(600)
    if sensor == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    if sensor == "loses":  # storage goes away, and comes back a second later
        os.rename(os.environ["STORE"], os.environ["STORE"] + "-away")
        threading.Timer(1.0, os.rename, [os.environ["STORE"] + "-away", os.environ["STORE"]]).start()
def troubled_score(self, fetched):
    trouble(fetched.sensor)
    return score(self, fetched)
def troubled_write(self, fetched, prediction):
    if fetched.sensor.endswith("-when-written"):
        trouble(fetched.sensor.removesuffix("-when-written"))
    return write(self, fetched, prediction)
Scoring.score, Deliveries.write = troubled_score, troubled_write
from scorer.pod import main
main(sys.argv[1:])
"""


class Pod:
    """Starts pods over one folder store."""

    def __init__(self, folder: Path) -> None:
        self.message_file = folder / "message"
        self.modules_file = folder / "modules"
        (folder / "store").mkdir()
        self.url = f"file://{folder}/store"
        self.store: Store = open_store(self.url)

    def start(
        self, order: dict[str, Any] | str, script: str | None = None, **settings: str
    ) -> subprocess.Popen[str]:
        text = order if isinstance(order, str) else json.dumps(order | {"store": {"url": self.url}})
        environment = os.environ | {
            "SENSORSCORE_MESSAGE_PATH": str(self.message_file),
            "MODULES": str(self.modules_file),
            "STORE": self.url.removeprefix("file://"),
            **settings,
        }
        entry = ["-m", "scorer"] if script is None else ["-c", script]
        return subprocess.Popen(
            [sys.executable, *entry, "run", "--work", text],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, order: dict[str, Any] | str, script: str | None = None, **settings: str) -> tuple[int, str]:
        """Exit code and log."""
        process = self.start(order, script, **settings)
        out, err = process.communicate(timeout=60)
        assert err == ""
        return process.returncode, out

    def message(self) -> dict[str, Any]:
        # What is behind it may be the end of a longer one, in the moment before it is cut off.
        found: dict[str, Any] = json.JSONDecoder().raw_decode(self.message_file.read_text())[0]
        return found

    def kinds(self) -> list[str]:
        message = self.message()
        runs = re.findall(r"(\d*)(\D)", message["codes"])
        return [message["legend"][letter] for count, letter in runs for _ in range(int(count or 1))]

    def wait_until(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Until the message is as wanted."""
        for _ in range(6000):
            if self.message_file.exists() and self.message_file.stat().st_size and wanted(self.message()):
                return
            time.sleep(0.005)
        raise AssertionError(f"never came to it: {self.message_file.read_text()}")

    def wait_for(self, codes: str, in_hand: str | None) -> None:
        """Until the message says so."""
        self.wait_until(lambda message: (message["codes"], message.get("inHand")) == (codes, in_hand))

    def logs(self) -> list[str]:
        """The attempts' logs in the store."""
        return [self.store.get(entry.path).data.decode() for entry in self.store.list("logs")]

    def details(self) -> list[dict[str, Any]]:
        entries = self.store.list(f"runs/{RUN_UID}/outcomes")
        return [json.loads(self.store.get(entry.path).data) for entry in entries]


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_a_pod_scores_and_says_so(pod: Pod) -> None:
    put_sensor(pod.store, "a", faults={7: 99.0})
    code, log = pod.run(work(["a"]))
    assert code == Exit.OK
    message = pod.message()
    assert (message["run"], message["chunk"], message["codes"], message["final"]) == (RUN_UID, 3, "S", True)
    assert message["rows"] == {"read": 60, "scored": 60, "rejected": 0, "duplicate": 0}
    assert message["anomalies"] == 1
    assert 0 < message["stagesMs"]["import"] <= message["stagesMs"]["total"] < 60_000
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["message"] for line in lines] == ["scored", "finished"]
    assert all(line["run"] == "hourly" for line in lines)
    assert lines[0]["sensor"] == "a"
    detail = pod.details()[0]
    assert (detail["attempt"], detail["sensors"][0]["state"]) == (message["attempt"], "Scored")
    assert not list(pod.store.list(f"runs/{RUN_UID}/inhand"))
    assert pod.logs() == [log]
    assert next(pod.store.list("logs")).path == f"logs/hourly/00003.{message['attempt']}.log"


def test_nothing_dear_is_imported(pod: Pod) -> None:
    put_sensor(pod.store, "a")
    pod.run(work(["a", "none"]), TELLING)
    modules = modules_in(pod.modules_file)
    assert "scorer.score" in modules
    assert dear(modules) == []


def test_it_fails_no_neighbour_and_ends_partial(pod: Pod) -> None:
    put_sensor(pod.store, "a")
    put_sensor(pod.store, "broken")
    put_model(pod.store, "broken", b"rubbish")
    code, _ = pod.run(work(["broken", "a", "none"]))
    assert code == Exit.PARTIAL
    assert pod.kinds() == ["Failed/ModelCorrupt", "Scored", "Skipped/NoModel"]
    failure = pod.message()["failures"][0]
    assert (failure["sensor"], failure["reason"]) == ("broken", "ModelCorrupt")


@pytest.mark.parametrize(
    ("text", "names"),
    [("{", "JSON"), (json.dumps(work([])), "sensors.names"), (json.dumps(work(["a"], v=2)), "v = 2"),
     (json.dumps(work(["a"], store={"url": "azure://x"})), "azure://ACCOUNT/CONTAINER")],
)  # fmt: skip
def test_a_work_order_that_it_cannot_understand(pod: Pod, text: str, names: str) -> None:
    code, log = pod.run(text)
    assert code == Exit.USAGE
    assert names in json.loads(log.splitlines()[-1])["message"]
    assert "Traceback" not in log


def test_a_store_that_it_cannot_open_is_told_in_the_message(pod: Pod) -> None:
    order = work(["a", "b"]) | {"store": {"url": "azure://acc/cont"}}
    code, log = pod.run(json.dumps(order), AZURE_STORAGE_CONNECTION_STRING="bare-secret-key==")
    assert code == Exit.USAGE
    message = pod.message()
    assert (pod.kinds(), message["final"]) == (["Undecided/Interrupted"] * 2, True)
    said = "field 1 of the connection string is not known: wanted fields like AccountName=NAME"
    assert message["failures"][0] == {"sensor": "a", "reason": "Interrupted", "message": said}
    assert json.loads(log.splitlines()[-1])["message"] == said
    assert "bare-secret-key" not in log + pod.message_file.read_text()


def test_sensors_by_reference(pod: Pod, tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.write_text("".join(f"s{number}\n" for number in range(10)))
    put_sensor(pod.store, "s4")
    order = work([]) | {"sensors": {"file": str(names), "from": 3, "count": 3}}
    assert pod.run(order)[0] == Exit.OK
    assert pod.kinds() == ["Skipped/NoModel", "Scored", "Skipped/NoModel"]
    order = work([]) | {"sensors": {"file": str(names), "from": 8, "count": 3}}
    code, log = pod.run(order)
    assert code == Exit.USAGE
    assert "has 10 lines: wanted 3 from line 8 on" in log


def test_storage_that_is_away_is_tried_again_by_the_job(pod: Pod) -> None:
    order = work(["a", "b"]) | {"store": {"url": f"{pod.url}/away"}}
    code, _ = pod.run(json.dumps(order))
    assert code == Exit.RETRY
    assert pod.kinds() == ["Undecided/StorageUnavailable"] * 2
    assert "does not exist: mount it" in pod.message()["failures"][0]["message"]


def test_sigterm_leaves_a_truthful_message(pod: Pod) -> None:
    for sensor in ("a", "hangs", "b"):
        put_sensor(pod.store, sensor)
    process = pod.start(work(["a", "hangs", "b"]), TROUBLED)
    pod.wait_for("S2-", "hangs")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == Exit.TERMINATED
    assert pod.message()["final"]
    assert pod.kinds() == ["Scored", "Undecided/Interrupted", "Undecided/NotStarted"]
    assert "told to stop" in pod.message()["failures"][0]["message"]
    assert [sensor["state"] for sensor in pod.details()[0]["sensors"]] == ["Scored", "Undecided", "Undecided"]
    assert json.loads(pod.logs()[0].splitlines()[-1])["code"] == Exit.TERMINATED
    assert pod.run(work(["a", "b"]))[0] == Exit.OK


def test_writes_in_flight_are_undecided_unless_done(pod: Pod) -> None:
    for sensor in ("a", "hangs-when-written", "b"):
        put_sensor(pod.store, sensor)
    process = pod.start(work(["a", "hangs-when-written", "b"]), TROUBLED)
    pod.wait_for("S-S", None)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert pod.kinds() == ["Scored", "Undecided/Interrupted", "Scored"]
    assert pod.run(work(["a", "hangs-when-written", "b"]))[0] == Exit.OK


def test_the_deadline_counts_from_the_process_start(pod: Pod) -> None:
    put_sensor(pod.store, "hangs")
    code, log = pod.run(work(["hangs"], perAttemptSeconds=2), TROUBLED)
    assert code == Exit.TIMEOUT
    assert pod.kinds() == ["Undecided/Interrupted"]
    assert "perAttemptSeconds = 2" in pod.message()["failures"][0]["message"]
    assert json.loads(log.splitlines()[-1])["code"] == 124
    assert pod.logs() == [log]


def test_a_killed_pod_has_said_how_far_it_came_and_the_next_one_finishes(pod: Pod) -> None:
    """kill -9 in the middle, then again: the same end as without."""
    for sensor in ("a", "hangs", "b"):
        put_sensor(pod.store, sensor, faults={3: 77.0})
    process = pod.start(work(["a", "hangs", "b"]), TROUBLED)
    pod.wait_for("S2-", "hangs")
    while "scored" not in "".join(pod.logs()):
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=30)
    assert not pod.message()["final"]
    done = pod.store.head("predictions/2026/01/01/12/a.parquet").etag
    code, _ = pod.run(work(["a", "hangs", "b"]))
    assert code == Exit.OK
    message = pod.message()
    assert (message["codes"], message["anomalies"], message["rows"]["read"]) == ("3S", 3, 180)
    assert pod.store.head("predictions/2026/01/01/12/a.parquet").etag == done


@pytest.mark.parametrize("scored", [1, 10, 25])
def test_a_killed_pack_has_claimed_nothing_that_is_not_there(pod: Pod, scored: int) -> None:
    sensors = [f"s{number:02}" for number in range(40)]
    for sensor in sensors:
        put_sensor(pod.store, sensor)
    process = pod.start(work(sensors))
    pod.wait_until(lambda message: message["rows"]["read"] >= 60 * scored)
    process.kill()
    process.communicate(timeout=30)
    claimed = [sensor for sensor, kind in zip(sensors, pod.kinds(), strict=True) if kind == "Scored"]
    there = {entry.path.rpartition("/")[2] for entry in pod.store.list("predictions")}
    assert {f"{sensor}.parquet" for sensor in claimed} <= there
    assert pod.run(work(sensors))[0] == Exit.OK
    assert pod.message()["codes"] == "40S"


@pytest.mark.parametrize("kills", ["kills", "kills-when-written"])
def test_a_sensor_that_kills_an_attempt_again_costs_no_other_and_is_then_left_out(
    pod: Pod, kills: str
) -> None:
    sensors = ["a", "b", kills, "c", "d"]
    for sensor in sensors:
        put_sensor(pod.store, sensor)
    for _ in range(3):  # a Job's usual three attempts
        assert pod.run(work(sensors), TROUBLED)[0] == -signal.SIGKILL
    assert pod.kinds()[:2] + pod.kinds()[3:] == ["Scored"] * 4
    code, _ = pod.run(work(sensors), TROUBLED)
    assert code == Exit.PARTIAL
    assert pod.kinds() == ["Scored", "Scored", "Failed/Crashed", "Scored", "Scored"]


def test_a_sensor_that_kills_two_attempts_does_not_hold_its_shard_back(pod: Pod) -> None:
    sensors = ["a", "kills", "b"]
    for sensor in sensors:
        put_sensor(pod.store, sensor)
    output = {"path": "p/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet", "layout": "Sharded", "shards": 1}
    for _ in range(2):
        assert pod.run(work(sensors, output=output), TROUBLED)[0] == -signal.SIGKILL
    assert pod.run(work(sensors, output=output), TROUBLED)[0] == Exit.PARTIAL
    assert pod.kinds() == ["Scored", "Failed/Crashed", "Scored"]


def test_a_sensor_in_hand_when_two_nodes_were_lost_is_scored(pod: Pod) -> None:
    sensors = ["a", "kills", "b"]
    for sensor in sensors:
        put_sensor(pod.store, sensor)
    for _ in range(2):
        assert pod.run(work(sensors), TROUBLED)[0] == -signal.SIGKILL
    assert pod.run(work(sensors))[0] == Exit.OK
    assert pod.kinds() == ["Scored"] * 3


def test_attempts_that_lose_storage_for_a_while_have_not_died(pod: Pod) -> None:
    sensors = ["a", "loses", "b", "c"]
    for sensor in sensors:
        put_sensor(pod.store, sensor)
    for _ in range(2):
        code, log = pod.run(work(sensors), TROUBLED)
        assert code == Exit.RETRY, log
        assert "Undecided/StorageUnavailable" in pod.kinds()
    assert len(pod.details()) == 2
    assert pod.run(work(sensors))[0] == Exit.OK
    assert set(pod.kinds()) == {"Scored"}


def test_a_pack_that_is_run_again_and_again_has_no_deaths(pod: Pod) -> None:
    for sensor in ("a", "b"):
        put_sensor(pod.store, sensor)
    for _ in range(4):
        assert pod.run(work(["a", "b"]))[0] == Exit.OK
        put_readings(pod.store, "b", values(30 + len(pod.details())))
    assert pod.kinds() == ["Scored", "Scored"]


def test_a_defect_is_internal_and_only_the_log_has_its_traceback(pod: Pod) -> None:
    script = TROUBLED.replace("time.sleep(600)", "raise ZeroDivisionError('oh')")
    sensors = ["hangs", "hangs-when-written", "b"]
    for sensor in sensors:
        put_sensor(pod.store, sensor)
    code, log = pod.run(work(sensors), script)
    assert code == Exit.INTERNAL
    assert pod.kinds() == ["Undecided/Interrupted", "Undecided/Interrupted", "Scored"]
    assert "ZeroDivisionError" in log
    assert "ZeroDivisionError" not in pod.message_file.read_text()


def test_a_message_that_cannot_be_written_stops_nothing(pod: Pod) -> None:
    put_sensor(pod.store, "a")
    code, log = pod.run(work(["a"]), SENSORSCORE_MESSAGE_PATH="/proc/none/message")
    assert code == Exit.OK
    assert "no termination message" in log


def test_a_later_run_of_the_same_window_finds_it_done(pod: Pod) -> None:
    put_sensor(pod.store, "a")
    pod.run(work(["a"]))
    before = pod.store.get("predictions/2026/01/01/12/a.parquet").data
    assert pod.run(work(["a"], run=run_at("2026-01-02T00:00:00Z", "later")))[0] == Exit.OK
    assert pod.store.get("predictions/2026/01/01/12/a.parquet").data == before
    assert pod.message()["rows"]["read"] == 60


@pytest.fixture
def many(pod: Pod) -> Callable[[], Pod]:
    def prepare() -> Pod:
        for number in range(300):
            put_model(pod.store, f"s{number}", model_bytes())
            put_readings(pod.store, f"s{number}", values(30), seconds=120)
        return pod

    return prepare


def test_a_pack_of_hundreds(many: Callable[[], Pod]) -> None:
    pod = many()
    code, _ = pod.run(work([f"s{number}" for number in range(300)]))
    assert code == Exit.OK
    assert (pod.message()["codes"], pod.message()["rows"]["read"]) == ("300S", 9000)


def test_pods_that_write_one_shard_in_one_folder_at_the_same_time_lose_nothing(pod: Pod) -> None:
    names = [f"s{number}" for number in range(12)]
    for name in names:
        put_sensor(pod.store, name, faults={7: 99.0})
    output = {"path": "p/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet", "layout": "Sharded", "shards": 1}

    def started(chunk: int, attempt: int) -> subprocess.Popen[str]:
        # Each chunk twice: an attempt that was taken for dead, and the next one.
        order = work(names[3 * chunk : 3 * chunk + 3], output=output, chunk=chunk)
        return pod.start(order, SENSORSCORE_MESSAGE_PATH=f"{pod.message_file}-{chunk}-{attempt}")

    pods = [started(chunk, attempt) for attempt in range(2) for chunk in range(4)]
    ended = [process.communicate(timeout=100) for process in pods]
    assert [err for _, err in ended] == [""] * 8
    assert {process.returncode for process in pods} == {Exit.OK}
    found = read_object(pod.store, "p/2026/01/01/12/part-00000.parquet", names, whole=True)
    assert sorted(found.sensors) == sorted(names)
    assert {len(stored.rows.times) for stored in found.sensors.values()} == {60}
    assert found.unknown == ()
    assert len(list(pod.store.list("p/2026/01/01/12/_index"))) == 1


def test_a_pod_says_that_its_folder_was_copied_without_times(pod: Pod) -> None:
    put_sensor(pod.store, "a")
    code, log = pod.run(work(["a"]))
    assert (code, "without the times of its files" in log) == (Exit.OK, False)
    folder = Path(pod.url.removeprefix("file://"))
    shutil.copytree(folder, f"{folder}-copy", copy_function=shutil.copyfile)
    pod.url += "-copy"
    code, log = pod.run(work(["a"]))
    assert (code, pod.kinds()) == (Exit.OK, ["Scored"])
    (warning,) = [json.loads(line) for line in log.splitlines() if "without the times" in line]
    assert warning["level"] == "warning"
    assert "cp -a" in warning["message"]

"""A pod as a process of its own: its imports, exit codes, message, and every way of being stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scorer.contract import Exit
from scorer.storage import Store, open_store
from scoring import RUN_UID, model_bytes, put_model, put_readings, put_sensor, run_at, values, work

# What may never be on the way of a pod: each costs tens to hundreds of milliseconds. (logging and dataclasses
# come with cloudpickle, which pyarrow imports where it is installed; in a pod it is not.)
DEAR = (
    *("sklearn", "pandas", "scipy", "joblib", "matplotlib", "safetensors.numpy"),
    *("pyarrow.dataset", "pyarrow.compute", "pyarrow.fs", "azure", "http.client", "ssl"),
    *("asyncio", "concurrent.futures", "click", "argparse"),
)
# Runs the pod, and tells at its end which modules were loaded.
TELLING = """
import json, os, sys
leave = os._exit
def telling(code):
    with open(os.environ["MODULES"], "w") as file:
        json.dump(sorted(sys.modules), file)
    leave(code)
os._exit = telling
sys.argv[0] = "scorer"
import runpy
runpy.run_module("scorer", run_name="__main__")
"""
# Waits for ever, or dies, when a sensor of that name is scored.
TROUBLED = """
import os, signal, sys, time
from scorer.deliver import Deliveries
write = Deliveries.write
def troubled(self, fetched, prediction):
    if fetched.sensor == "hangs":
        time.sleep(600)
    if fetched.sensor == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    return write(self, fetched, prediction)
Deliveries.write = troubled
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
        found: dict[str, Any] = json.loads(self.message_file.read_bytes())
        return found

    def kinds(self) -> list[str]:
        message = self.message()
        runs = re.findall(r"(\d*)(\D)", message["codes"])
        return [message["legend"][letter] for count, letter in runs for _ in range(int(count or 1))]

    def wait_in_hand(self, sensor: str) -> None:
        for _ in range(3000):
            if (
                self.message_file.exists()
                and self.message_file.stat().st_size
                and self.message().get("inHand") == sensor
            ):
                return
            time.sleep(0.01)
        raise AssertionError(f"{sensor} never came into hand: {self.message_file.read_text()}")

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


def test_nothing_dear_is_imported(pod: Pod) -> None:
    put_sensor(pod.store, "a")
    pod.run(work(["a", "none"]), TELLING)
    modules = json.loads(pod.modules_file.read_text())
    assert "scorer.score" in modules
    assert [name for name in modules if name.startswith(DEAR)] == []


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
    pod.wait_in_hand("hangs")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == Exit.TERMINATED
    assert pod.message()["final"]
    assert pod.kinds() == ["Scored", "Undecided/Interrupted", "Undecided/NotStarted"]
    assert "told to stop" in pod.message()["failures"][0]["message"]
    assert [sensor["state"] for sensor in pod.details()[0]["sensors"]] == ["Scored", "Undecided", "Undecided"]
    assert pod.run(work(["a", "b"]))[0] == Exit.OK


def test_the_deadline_counts_from_the_process_start(pod: Pod) -> None:
    put_sensor(pod.store, "hangs")
    code, log = pod.run(work(["hangs"], perAttemptSeconds=2), TROUBLED)
    assert code == Exit.TIMEOUT
    assert pod.kinds() == ["Undecided/Interrupted"]
    assert "perAttemptSeconds = 2" in pod.message()["failures"][0]["message"]
    assert json.loads(log.splitlines()[-1])["code"] == 124


def test_a_killed_pod_has_said_how_far_it_came_and_the_next_one_finishes(pod: Pod) -> None:
    """kill -9 in the middle, then again: the same end as without."""
    for sensor in ("a", "hangs", "b"):
        put_sensor(pod.store, sensor, faults={3: 77.0})
    process = pod.start(work(["a", "hangs", "b"]), TROUBLED)
    pod.wait_in_hand("hangs")
    process.kill()
    process.communicate(timeout=30)
    killed = pod.message()
    assert (killed["codes"], killed["inHand"], killed["final"]) == ("S2-", "hangs", False)
    done = pod.store.head("predictions/2026/01/01/12/a.parquet").etag
    code, _ = pod.run(work(["a", "hangs", "b"]))
    assert code == Exit.OK
    message = pod.message()
    assert (message["codes"], message["anomalies"], message["rows"]["read"]) == ("3S", 3, 180)
    assert pod.store.head("predictions/2026/01/01/12/a.parquet").etag == done


def test_a_sensor_that_kills_two_attempts_is_left_out_of_the_third(pod: Pod) -> None:
    for sensor in ("a", "kills", "b"):
        put_sensor(pod.store, sensor)
    order = work(["a", "kills", "b"])
    for _ in range(2):
        assert pod.run(order, TROUBLED)[0] == -signal.SIGKILL
    code, _ = pod.run(order, TROUBLED)
    assert code == Exit.PARTIAL
    assert pod.kinds() == ["Scored", "Failed/Crashed", "Scored"]


def test_a_pack_that_is_run_again_and_again_has_no_deaths(pod: Pod) -> None:
    for sensor in ("a", "b"):
        put_sensor(pod.store, sensor)
    for _ in range(4):
        assert pod.run(work(["a", "b"]))[0] == Exit.OK
        put_readings(pod.store, "b", values(30 + len(pod.details())))
    assert pod.kinds() == ["Scored", "Scored"]


def test_a_defect_is_internal_and_only_the_log_has_its_traceback(pod: Pod) -> None:
    script = TROUBLED.replace("time.sleep(600)", "raise ZeroDivisionError('oh')")
    for sensor in ("hangs", "b"):
        put_sensor(pod.store, sensor)
    code, log = pod.run(work(["hangs", "b"]), script)
    assert code == Exit.INTERNAL
    assert pod.kinds() == ["Undecided/Interrupted", "Scored"]
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
    etag = pod.store.head("predictions/2026/01/01/12/a.parquet").etag
    assert pod.run(work(["a"], run=run_at("2026-01-02T00:00:00Z", "later")))[0] == Exit.OK
    assert pod.store.head("predictions/2026/01/01/12/a.parquet").etag == etag
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

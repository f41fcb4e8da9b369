"""The loop around reconcile, against a double of the API server that refuses and loses answers on request."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from scoring_operator import queue
from scoring_operator.cluster import CONFIG_MAPS, JOBS, PODS, RUNS, Cluster
from scoring_operator.controller import Controller
from scoring_operator.health import Echo
from scoring_operator.jobs import SENSORS_KEY
from scoring_operator.metrics import Metrics
from scoring_operator.records import job_record, pod_record
from unit.operator.api_double import ApiDouble, Fault, serving, status
from unit.operator.given import NOW, Json, a_message, run_body, settings

RUN = RUNS.path("scoring", "hourly")
JOBS_PATH = JOBS.path("scoring")
QUICK = {"debounceMilliseconds": 0, "statusSeconds": 0, "outcomeGraceSeconds": 0, "sensorsGraceSeconds": 1}


class Setting:
    """A controller at work on the double; the test plays the streams."""

    def __init__(self, api: ApiDouble, cluster: Cluster, **more: Any) -> None:
        self.api = api
        self.metrics = Metrics("1")
        self.now = NOW
        chosen = settings(timing=QUICK, namespaces=["scoring"], **more)
        echo = Echo(time.monotonic)
        self.controller = Controller(cluster, chosen, self.metrics, echo, lambda: self.now, time.monotonic)
        self._workers = [asyncio.create_task(self.controller.work()) for _ in range(2)]

    async def close(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.wait(self._workers)

    def apply(self, **spec: Any) -> None:
        """Create or change the run, and let the controller see it."""
        body = run_body(**spec)
        old = self.api.objects.get(RUN)
        status = {"status": old["status"]} if old and "status" in old else {}
        self.controller.run_event("ADDED", self.api.put(RUN, body | status))

    @property
    def status(self) -> Json:
        found: Json = self.api.objects[RUN].get("status", {})
        return found

    @property
    def jobs(self) -> list[Json]:
        return [body for path, body in sorted(self.api.objects.items()) if path.startswith(f"{JOBS_PATH}/")]

    def unsee(self, job: Json) -> None:
        """The Job is there, but the controller does not know it."""
        self.controller.view._forget_job(("scoring", job["metadata"]["name"]))
        self.controller.queue.add(("scoring", "hourly"))

    def end_jobs(self, message: bool = True) -> None:
        """All Jobs are Complete; with pods that say so, unless told otherwise."""
        for job in self.jobs:
            name = job["metadata"]["name"]
            end = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-01T13:00:20Z"}
            ended = job | {"status": {"succeeded": 1, "conditions": [end]}}
            done = self.api.put(f"{JOBS_PATH}/{name}", ended)
            if message:
                pod = self.pod_of(job)
                self.api.put(PODS.path("scoring", name), pod)
                record = pod_record(self.api.objects[PODS.path("scoring", name)])
                assert record is not None
                self.controller.view.put_pod(record)
            finished = job_record(done)
            assert finished is not None
            self.controller.view.put_job(finished)

    def pod_of(self, job: Json) -> Json:
        chunk = int(job["metadata"]["labels"]["sensorscore.dev/chunk"])
        times = {"startedAt": "2026-01-01T13:00:15Z", "finishedAt": "2026-01-01T13:00:16Z"}
        terminated = {"exitCode": 0, "message": json.dumps(a_message(chunk=chunk)), **times}
        return {
            "metadata": {
                "name": job["metadata"]["name"],
                "namespace": "scoring",
                "labels": job["metadata"]["labels"],
                "creationTimestamp": "2026-01-01T13:00:11Z",
                "ownerReferences": [{"kind": "Job", "uid": job["metadata"]["uid"], "controller": True}],
            },
            "status": {
                "phase": "Succeeded",
                "containerStatuses": [{"name": "scorer", "state": {"terminated": terminated}}],
            },
        }

    def scored(self) -> float | None:
        labels = {"namespace": "scoring", "result": "Scored", "reason": ""}
        return self.metrics.registry.get_sample_value("sensorscore_sensors_total", labels)


@pytest.fixture
async def at() -> AsyncIterator[Setting]:
    api = ApiDouble()
    async with serving(api) as cluster:
        setting = Setting(api, cluster)
        yield setting
        await setting.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "BACKOFF_FIRST", 0.02)
    monkeypatch.setattr(queue, "BACKOFF_MOST", 0.1)


async def until(happened: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not happened():
            await asyncio.sleep(0.005)


async def quiet() -> None:
    await asyncio.sleep(0.1)


def once(method: str, ending: str, answer: Callable[[], web.Response]) -> Fault:
    """Refuse the first such request."""
    left = [answer]

    def fault(request: web.Request) -> web.Response | None:
        if left and request.method == method and request.path.rstrip("/").endswith(ending):
            return left.pop()()
        return None

    return fault


async def test_a_run_goes_its_way(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    assert at.status["phase"] == "Running"
    at.end_jobs()
    await until(lambda: at.status["phase"] == "Succeeded")
    await quiet()
    assert at.status["progress"] == "3/3"
    assert at.scored() == 3
    reasons = [body["reason"] for path, body in at.api.objects.items() if "/events/" in path]
    assert sorted(reasons) == ["AllSucceeded", "Started"]


async def test_the_sensors_are_pinned_and_the_status_written_before_the_first_job(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    writes = [path.rpartition("/")[2] for method, path in at.api.calls if method in ("POST", "PATCH")]
    assert writes[:6] == ["configmaps", "status", "events", "jobs", "jobs", "jobs"]


async def test_writes_are_few(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    at.end_jobs()
    await until(lambda: at.status["phase"] == "Succeeded")
    await quiet()
    assert at.api.count("PATCH") == 3  # begun, Jobs there, ended
    assert at.api.count("POST", "jobs") == 3
    assert at.api.count("GET") == 0


async def test_a_run_that_was_changed_meanwhile_is_read_anew_before_anything_is_done(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    await quiet()
    changed = run_body(suspend=True) | {"status": at.status}
    at.api.put(RUN, changed)  # and kopf is late with it
    at.end_jobs()
    await until(lambda: at.status["phase"] == "Succeeded")
    await quiet()
    assert at.scored() == 3  # counted once, although the first write was refused


@pytest.mark.parametrize(
    "answer",
    [
        lambda: status(500, "InternalError"),
        lambda: status(429, "TooManyRequests", Retry_After="0"),
        lambda: status(503, "ServiceUnavailable"),
    ],
)
@pytest.mark.parametrize(
    ("method", "ending"),
    [("POST", "/configmaps"), ("POST", "/jobs"), ("PATCH", "/status"), ("POST", "/events")],
)
@pytest.mark.parametrize("late", [False, True], ids=["refused", "answer lost"])
async def test_an_answer_that_fails_is_no_loss_and_no_double(
    at: Setting, method: str, ending: str, late: bool, answer: Callable[[], web.Response]
) -> None:
    """`answer lost`: the write was done all the same."""
    fault = once(method, ending, answer)
    if late:
        at.api.late_fault = fault
    else:
        at.api.fault = fault
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    at.controller.run_event("MODIFIED", at.api.objects[RUN])
    at.end_jobs()
    await until(lambda: at.status.get("phase") == "Succeeded")
    assert at.status["counts"]["scored"] == 3
    assert at.status["rows"]["read"] == 36
    assert len(at.jobs) == 3


async def test_a_job_that_is_there_already_is_taken_for_ours_if_it_is(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    for job in at.jobs:  # as to a new operator, whose streams are late
        at.unsee(job)
    await quiet()
    assert at.controller.view.unfinished_count == 3
    assert len(at.jobs) == 3


async def test_a_job_on_its_way_out_is_waited_for(at: Setting) -> None:
    at.apply(parallelism=0)
    await until(lambda: at.status.get("phase") == "Running")
    at.apply(parallelism=100)
    await until(lambda: len(at.jobs) == 3)
    first = at.jobs[0]
    leaving = first | {"metadata": first["metadata"] | {"deletionTimestamp": "2026-01-01T13:00:20Z"}}
    path = f"{JOBS_PATH}/{first['metadata']['name']}"
    at.api.put(path, leaving)
    at.unsee(first)
    await quiet()
    assert at.api.objects[path]["metadata"].get("deletionTimestamp")
    at.api.drop(path)
    at.controller.view.drop_job(("scoring", first["metadata"]["name"]))
    await until(lambda: path in at.api.objects)
    assert "deletionTimestamp" not in at.api.objects[path]["metadata"]


async def test_a_job_of_our_name_that_is_not_ours_is_said_and_left_alone(at: Setting) -> None:
    at.apply(parallelism=0)
    await until(lambda: at.status.get("phase") == "Running")
    at.apply(parallelism=100)
    await until(lambda: len(at.jobs) == 3)
    first = at.jobs[0]
    name = first["metadata"]["name"]
    theirs = {"metadata": first["metadata"] | {"ownerReferences": [{"uid": "x"}], "uid": "theirs"}}
    at.api.put(f"{JOBS_PATH}/{name}", theirs)
    at.unsee(first)
    await until(lambda: any(c["reason"] == "NameTaken" for c in at.status["conditions"]))
    assert at.api.objects[f"{JOBS_PATH}/{name}"]["metadata"]["uid"] == "theirs"


async def test_a_quota_is_said_and_forgotten_when_it_is_over(at: Setting) -> None:
    full = [True]

    def fault(request: web.Request) -> web.Response | None:
        if full[0] and request.method == "POST" and request.path.endswith("/jobs"):
            return status(403, "Forbidden", 'jobs.batch "x" is forbidden: exceeded quota: few')
        return None

    at.api.fault = fault
    at.apply()

    def blocked() -> Json:
        conditions = at.status.get("conditions", [])
        found: Json = next((each for each in conditions if each["type"] == "Blocked"), {})
        return found

    await until(lambda: blocked().get("status") == "True")
    assert blocked()["reason"] == "QuotaExceeded"
    full[0] = False
    await until(lambda: len(at.jobs) == 3 and blocked()["status"] == "False")


async def test_outcomes_are_recorded_while_a_quota_holds_the_rest_up(
    at: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "BACKOFF_FIRST", 60.0)
    monkeypatch.setattr(queue, "BACKOFF_MOST", 60.0)
    at.apply(parallelism=1)
    await until(lambda: len(at.jobs) == 1)

    def full(request: web.Request) -> web.Response | None:
        making = (request.method, request.path) == ("POST", JOBS_PATH)
        return status(403, "Forbidden", "exceeded quota: few") if making else None

    at.api.fault = full
    at.apply(parallelism=3)
    await until(lambda: any(each["reason"] == "QuotaExceeded" for each in at.status["conditions"]))
    calls = at.api.count("POST", "/jobs")
    at.end_jobs()
    await until(lambda: at.status["progress"] == "1/3")
    assert at.api.count("POST", "/jobs") == calls  # nothing is made while it is paused


async def test_what_the_api_will_never_take_ends_the_run_with_its_words(at: Setting) -> None:
    at.api.fault = once("POST", "/jobs", lambda: status(422, "Invalid", "spec.template.x: Invalid value"))
    at.apply(parallelism=1)
    await until(lambda: at.status.get("phase") == "Failed")
    condition = next(each for each in at.status["conditions"] if each["type"] == "Failed")
    assert condition["reason"] == "JobRejected"
    assert "spec.template.x: Invalid value" in condition["message"]
    assert at.api.count("POST", "/jobs") == 1


async def test_an_outcome_that_was_not_seen_is_read(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    for job in at.jobs:
        at.api.put(PODS.path("scoring", job["metadata"]["name"]), at.pod_of(job))
    at.now = NOW + timedelta(seconds=60)
    at.end_jobs(message=False)
    await until(lambda: at.status["phase"] == "Succeeded")
    assert len(at.jobs) == 3
    assert at.api.count("GET", "/pods") == 3


async def test_a_lost_outcome_is_recorded_before_its_job_is_made_again(at: Setting) -> None:
    at.apply(sensors={"names": ["a"]})
    await until(lambda: len(at.jobs) == 1)
    at.now = NOW + timedelta(seconds=60)
    at.end_jobs(message=False)
    await until(lambda: len(at.jobs) == 2)
    assert at.status["incarnations"] == {"0": 1}
    made = [n for n, (method, path) in enumerate(at.api.calls) if method == "POST" and path.endswith("/jobs")]
    wrote = [n for n, (method, _) in enumerate(at.api.calls) if method == "PATCH" and n < made[-1]]
    assert len(made) == 2
    assert wrote[-1] > made[0]


async def test_a_new_operator_reads_the_pinned_list_and_not_its_source(at: Setting) -> None:
    source = CONFIG_MAPS.path("scoring", "fleet")
    at.api.put(source, {"metadata": {"name": "fleet"}, "data": {"sensors": "x\ny\n"}})
    at.apply(sensors={"configMapRef": {"name": "fleet", "key": "sensors"}})
    await until(lambda: len(at.jobs) == 2)
    at.api.put(source, {"metadata": {"name": "fleet"}, "data": {"sensors": "other\n"}})
    at.controller._memories.clear()
    at.end_jobs()
    await until(lambda: at.status["phase"] == "Succeeded")
    copy = at.api.objects[CONFIG_MAPS.path("scoring", at.status["sensorSet"]["configMap"])]
    assert copy["data"] == {SENSORS_KEY: "x\ny\n"}


async def test_a_run_that_was_missed_is_found_and_one_that_is_gone_is_forgotten(at: Setting) -> None:
    at.api.put(RUN, run_body())
    await at.controller.resync()
    await until(lambda: len(at.jobs) == 3)
    at.api.drop(RUN)
    await at.controller.resync()
    assert list(at.controller.view.runs()) == []


async def test_a_deleted_run_is_not_worked_on_any_more(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    await quiet()
    body = at.api.objects[RUN]
    at.api.drop(RUN)
    at.controller.run_event("DELETED", body)
    calls = len(at.api.calls)
    at.end_jobs()
    await quiet()
    assert len(at.api.calls) == calls
    assert at.controller._memories == {}


async def test_a_defect_in_one_runs_way_does_not_stop_others(
    at: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = at.controller._decide

    def broken(run: Any, memory: Any) -> Any:
        if run.name == "broken":
            raise ZeroDivisionError
        return original(run, memory)

    monkeypatch.setattr(at.controller, "_decide", broken)
    other = run_body()
    other["metadata"] |= {"name": "broken", "uid": "other"}
    at.controller.run_event("ADDED", other)
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    errors = at.metrics.registry.get_sample_value(
        "sensorscore_operator_reconcile_errors_total", {"reason": "defect"}
    )
    assert errors is not None
    assert errors >= 1


async def test_an_object_that_cannot_be_read_is_passed_over(at: Setting) -> None:
    at.controller.run_event("ADDED", {"metadata": {"name": "hourly"}})
    at.controller.run_event("ADDED", run_body() | {"status": {"recorded": {"done": "x"}}})
    assert list(at.controller.view.runs()) == []


async def test_the_operators_limit_holds_over_all_runs() -> None:
    api = ApiDouble()
    async with serving(api) as cluster:
        at = Setting(api, cluster, limits={"unfinishedJobs": 4})
        try:
            for name in ("one", "two", "three"):
                body = run_body()
                body["metadata"] |= {"name": name, "uid": name}
                at.controller.run_event("ADDED", api.put(RUNS.path("scoring", name), body))
            await until(lambda: len(at.jobs) >= 4)
            await quiet()
            assert len(at.jobs) == 4
        finally:
            await at.close()

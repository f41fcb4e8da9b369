"""The loop around reconcile, against a double of the API server that refuses and loses answers on request."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from scoring_operator import queue, standstill
from scoring_operator.cluster import CONFIG_MAPS, EVENTS, JOBS, PODS, RUNS, Cluster
from scoring_operator.controller import Controller
from scoring_operator.health import Echo
from scoring_operator.jobs import SENSORS_KEY
from scoring_operator.labels import CHUNK, INCARNATION, STAGE
from scoring_operator.metrics import Metrics
from scoring_operator.records import job_record, pod_record
from unit.operator.api_double import ApiDouble, Fault, serving, status
from unit.operator.clock import Clock
from unit.operator.given import NOW, Json, a_message, a_published, run_body, sensors, settings

RUN = RUNS.path("scoring", "hourly")
JOBS_PATH = JOBS.path("scoring")
QUICK = {"debounceMilliseconds": 0, "statusSeconds": 0, "outcomeGraceSeconds": 0, "sensorsGraceSeconds": 1}


class Setting:
    """A controller at work on the double; the test plays the streams."""

    def __init__(self, api: ApiDouble, cluster: Cluster, **more: Any) -> None:
        self.api = api
        self.metrics = Metrics("1")
        self.now = NOW
        self._cluster = cluster
        self._settings = settings(timing=QUICK, namespaces=["scoring"], **more)
        self._start()

    def _start(self) -> None:
        echo = Echo(time.monotonic)
        self.controller = Controller(
            self._cluster, self._settings, self.metrics, echo, lambda: self.now, time.monotonic
        )
        self._workers = [asyncio.create_task(self.controller.work()) for _ in range(2)]

    async def restart(self) -> None:
        """The operator is killed, and another one begins with what the API holds."""
        await self.close()
        self._start()
        for body in list(self.api.objects.values()):
            if (job := job_record(body) if "ownerReferences" in body["metadata"] else None) is not None:
                self.controller.view.put_job(job)
            elif (pod := pod_record(body)) is not None:
                self.controller.view.put_pod(pod)
        await self.controller.resync()

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
        """The Jobs that score."""
        return [job for job in self._all_jobs if CHUNK in job["metadata"]["labels"]]

    @property
    def publish_jobs(self) -> list[Json]:
        return [job for job in self._all_jobs if STAGE in job["metadata"]["labels"]]

    @property
    def _all_jobs(self) -> list[Json]:
        return [body for path, body in sorted(self.api.objects.items()) if path.startswith(f"{JOBS_PATH}/")]

    def unsee(self, job: Json) -> None:
        """The Job is there, but the controller does not know it."""
        self.controller.view._forget_job(("scoring", job["metadata"]["name"]))
        self.controller.queue.add(("scoring", "hourly"))

    def end_jobs(self, message: bool = True) -> None:
        """All Jobs that score are Complete; with pods that say so, unless told otherwise."""
        for job in self.jobs:
            chunk = int(job["metadata"]["labels"][CHUNK])
            self.end(job, a_message(chunk=chunk) if message else None)

    async def over(self, **more: Any) -> None:
        """The run is published, and ends."""
        await until(lambda: self.publish_jobs or self.status.get("completionTime"))
        for job in self.publish_jobs:
            incarnation = int(job["metadata"]["labels"][INCARNATION])
            self.end(job, a_published(incarnation=incarnation, **more))
        await until(lambda: self.status.get("completionTime"))

    def end(self, job: Json, message: Json | None) -> None:
        """The Job is Complete."""
        name = job["metadata"]["name"]
        end = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-01T13:00:20Z"}
        ended = job | {"status": {"succeeded": 1, "conditions": [end]}}
        done = self.api.put(f"{JOBS_PATH}/{name}", ended)
        if message is not None:
            self.api.put(PODS.path("scoring", name), self.pod_of(job, message))
            record = pod_record(self.api.objects[PODS.path("scoring", name)])
            assert record is not None
            self.controller.view.put_pod(record)
        finished = job_record(done)
        assert finished is not None
        self.controller.view.put_job(finished)

    def pod_of(self, job: Json, message: Json | None = None) -> Json:
        if message is None:
            message = a_message(chunk=int(job["metadata"]["labels"][CHUNK]))
        times = {"startedAt": "2026-01-01T13:00:15Z", "finishedAt": "2026-01-01T13:00:16Z"}
        terminated = {"exitCode": 0, "message": json.dumps(message), **times}
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
    async with asyncio.timeout(120):  # never a measure of speed: only the end of a test that hangs
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
    await at.over()
    await quiet()
    assert at.status["progress"] == "3/3"
    assert at.scored() == 3
    reasons = [body["reason"] for path, body in at.api.objects.items() if "/events/" in path]
    assert sorted(reasons) == ["AllSucceeded", "Started"]


async def test_a_new_run_waits_for_those_applied_with_it_and_one_that_goes_on_does_not(at: Setting) -> None:
    clock = Clock()
    told = settings(timing={**QUICK, "debounceMilliseconds": 200}, namespaces=["scoring"])
    controller = Controller(at._cluster, told, at.metrics, Echo(clock), lambda: NOW, clock)
    controller.run_event("ADDED", at.api.put(RUN, run_body()))
    assert len(controller.queue) == 0
    clock.now += 0.2
    while len(controller.queue):  # begins, and sees what it has made and written
        key = await controller.queue.take()
        await controller._reconcile(key)
        controller.queue.done(key)
        clock.now += 0.2
    controller.run_event("MODIFIED", at.api.put(RUN, at.api.objects[RUN]))
    assert len(controller.queue) == 1


async def test_the_sensors_are_pinned_and_the_status_written_before_the_first_job(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    writes = [path.rpartition("/")[2] for method, path in at.api.calls if method in ("POST", "PATCH")]
    assert writes[:6] == ["configmaps", "status", "events", "jobs", "jobs", "jobs"]


async def test_writes_are_few(at: Setting) -> None:
    at.apply()
    await until(lambda: at.status.get("counts", {}).get("activeJobs") == 3)
    at.end_jobs()
    await until(lambda: at.status["stage"] == "Publish" and at.status["counts"]["activeJobs"] == 1)
    await at.over()
    await quiet()
    assert at.api.count("PATCH") == 5  # begun, Jobs there, decided, the publishing Job there, ended
    assert at.api.count("POST", "jobs") == 3 + 1
    assert at.api.count("POST", "configmaps") == 2  # the list and the decisions
    assert at.api.count("GET") == 0


async def test_a_run_that_was_changed_meanwhile_is_read_anew_before_anything_is_done(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    await quiet()
    changed = run_body(parallelism=7) | {"status": at.status}
    at.api.put(RUN, changed)  # and kopf is late with it
    at.end_jobs()
    await at.over()
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
    await at.over()
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


async def test_what_keeps_pods_from_starting_is_said_on_while_nobody_can_tell(
    at: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standstill, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(standstill, "AGAIN_SECONDS", 0.02)
    event = EVENTS.path("scoring", "refused")
    at.api.put(event, {"metadata": {"name": "refused"}, "message": "no ServiceAccount"})
    silent = [False]

    def fault(request: web.Request) -> web.Response | None:
        reads_pods = (request.method, request.path) == ("GET", PODS.path("scoring"))
        return status(500, "InternalError") if silent[0] and reads_pods else None

    at.api.fault = fault
    at.apply(parallelism=1)

    def blocked() -> bool:
        conditions = at.status.get("conditions", [])
        return any(each["type"] == "Blocked" and each["status"] == "True" for each in conditions)

    await until(blocked)
    silent[0] = True
    calls = at.api.count("GET", "/pods")
    await until(lambda: at.api.count("GET", "/pods") > calls + 3)
    assert blocked()


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


async def test_an_outcome_outlives_its_job_while_the_status_cannot_be_written(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    refused = at.api.count("PATCH")
    at.api.fault = lambda request: status(503, "ServiceUnavailable") if request.method == "PATCH" else None
    at.end_jobs()
    await until(lambda: at.api.count("PATCH") > refused)
    for job in at.jobs:  # its time to live is over
        name = job["metadata"]["name"]
        at.api.drop(f"{JOBS_PATH}/{name}")
        at.controller.view.drop_job(("scoring", name))
        at.controller.view.drop_pod(("scoring", name))
    at.api.fault = lambda _: None
    await at.over()
    assert at.status["counts"]["scored"] == 3
    assert at.api.count("POST", "/jobs") == 4  # and the one that publishes


async def test_a_deleted_job_whose_message_cannot_be_read_is_made_again(at: Setting) -> None:
    at.apply(sensors={"names": ["a"]})
    await until(lambda: len(at.jobs) == 1)
    at.api.fault = lambda request: status(503, "X") if request.path.endswith("/pods") else None
    job, name = at.jobs[0], at.jobs[0]["metadata"]["name"]
    at.end(job, a_message(run="somebody-else's"))
    await until(lambda: at.api.count("GET", "/pods"))
    at.api.drop(f"{JOBS_PATH}/{name}")
    at.api.drop(PODS.path("scoring", name))
    at.controller.view.drop_job(("scoring", name))
    at.api.fault = lambda _: None
    await until(lambda: at.jobs)
    assert at.status["incarnations"] == {"0": 1}
    at.end(at.jobs[0], a_message(incarnation=1))
    await at.over()
    assert at.status["counts"]["scored"] == 1


async def test_an_outcome_that_was_not_seen_is_read(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    for job in at.jobs:
        at.api.put(PODS.path("scoring", job["metadata"]["name"]), at.pod_of(job))
    at.now = NOW + timedelta(seconds=60)
    at.end_jobs(message=False)
    await at.over()
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
    await at.over()
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


async def test_the_limit_of_a_namespace_leaves_room_for_others() -> None:
    api = ApiDouble()
    async with serving(api) as cluster:
        at = Setting(api, cluster, limits={"unfinishedJobs": 9, "unfinishedJobsPerNamespace": 4})
        try:
            for name, namespace in (("one", "scoring"), ("two", "scoring"), ("three", "theirs")):
                body = run_body()
                body["metadata"] |= {"name": name, "uid": name, "namespace": namespace}
                at.controller.run_event("ADDED", api.put(RUNS.path(namespace, name), body))
            await until(lambda: at.controller.view.unfinished_in("theirs") == 3)
            await quiet()
            assert at.controller.view.unfinished_in("scoring") == 4
        finally:
            await at.close()


async def test_runs_share_the_operators_pace_and_their_status_waits_for_nobodys_jobs() -> None:
    api = ApiDouble()
    async with serving(api) as cluster:
        at = Setting(api, cluster, limits={"writesPerSecond": 20})
        names = [f"run-{number}" for number in range(4)]
        try:
            for name in names:
                body = run_body(sensors={"names": [f"s-{number}" for number in range(200)]}, parallelism=200)
                body["metadata"] |= {"name": name, "uid": name}
                at.controller.run_event("ADDED", api.put(RUNS.path("scoring", name), body))
            # At this pace the Jobs of one run take 10 seconds.
            await until(lambda: all(phase_of(at, name) == "Running" for name in names))
            assert len(at.jobs) < 400  # of 800
            await until(lambda: len(at.jobs) >= 60)
            made = Counter(job["metadata"]["labels"]["sensorscore.dev/run"] for job in at.jobs)
            assert min(made[name] for name in names) >= 1
        finally:
            await at.close()


# Publishing


async def test_a_run_is_published_before_it_ends(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    at.end_jobs()
    await until(lambda: at.publish_jobs)
    assert (at.status["stage"], at.status["phase"], at.status["progress"]) == ("Publish", "Running", "3/3")
    assert at.status["verdict"]["reason"] == "AllSucceeded"
    pinned = next(body for path, body in at.api.objects.items() if "-decisions-" in path)
    assert json.loads(pinned["data"]["decisions.json"])["complete"] is True
    sample = {"sensor": "a", "reason": "FlagRate", "message": "sensor a flags too much"}
    await at.over(warnings={"FlagRate": 2}, samples=[sample])
    await quiet()
    assert (at.status["stage"], at.status["phase"]) == ("Done", "Succeeded")
    assert at.status["guard"]["warnings"] == {"FlagRate": 2}
    assert "verdict" not in at.status
    told = {body["reason"]: body["message"] for path, body in at.api.objects.items() if "/events/" in path}
    assert told["GuardWarnings"] == "2 FlagRate; first: a: sensor a flags too much"
    warnings = {"namespace": "scoring", "reason": "FlagRate"}
    assert at.metrics.registry.get_sample_value("sensorscore_guard_warnings_total", warnings) == 2
    spent = at.metrics.registry.get_sample_value("sensorscore_pod_seconds_total", {"namespace": "scoring"})
    assert spent == at.status["cost"]["podSeconds"] > 0


async def test_the_verdict_is_written_before_anything_is_pinned_for_it(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    at.end_jobs()
    await at.over()
    writes = [path.rpartition("/")[2] for method, path in at.api.calls if method in ("POST", "PATCH")]
    pins = [place for place, what in enumerate(writes) if what == "configmaps"]
    assert writes[pins[1] - 1 : pins[1] + 2] == ["status", "configmaps", "jobs"]


async def test_a_publishing_job_that_is_deleted_by_hand_is_made_again(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    at.end_jobs()
    await until(lambda: at.publish_jobs)
    await quiet()
    name = at.publish_jobs[0]["metadata"]["name"]
    at.api.drop(f"{JOBS_PATH}/{name}")
    at.controller.view.drop_job(("scoring", name))
    await until(lambda: at.publish_jobs)
    assert at.publish_jobs[0]["metadata"]["name"] == name
    await at.over()


async def test_decisions_of_our_name_that_are_not_ours_are_said_and_left_alone(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    copy = next(body for path, body in at.api.objects.items() if "-sensors-" in path)
    name = copy["metadata"]["name"].replace("-sensors-", "-decisions-")
    path = CONFIG_MAPS.path("scoring", name)
    at.api.put(path, {"metadata": {"name": name, "ownerReferences": [{"uid": "x"}]}, "data": {"x": "y"}})
    at.end_jobs()
    await until(lambda: any(each["reason"] == "NameTaken" for each in at.status["conditions"]))
    assert (at.api.objects[path]["data"], at.publish_jobs) == ({"x": "y"}, [])
    at.api.drop(path)
    await at.over()
    assert at.status["phase"] == "Succeeded"


async def test_a_publishing_job_that_the_api_refuses_ends_the_run(at: Setting) -> None:
    at.apply()
    await until(lambda: len(at.jobs) == 3)
    at.api.fault = once("POST", "/jobs", lambda: status(422, "Invalid", "spec.template.y: Invalid"))
    at.end_jobs()
    await until(lambda: at.status.get("phase") == "Failed")
    condition = next(each for each in at.status["conditions"] if each["type"] == "Failed")
    assert condition["reason"] == "PublishFailed"
    assert "spec.template.y: Invalid" in condition["message"]


WRITES = 12  # of a run of three sensors: what an undisturbed one makes, if its pods end at once


@pytest.mark.parametrize("after", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("number", range(WRITES))
async def test_killed_at_any_write_a_run_ends_as_if_nothing_had_been(
    at: Setting, number: int, after: bool
) -> None:
    left = [number]
    killed = asyncio.Event()

    def dead(request: web.Request) -> web.Response | None:
        if request.method != "GET" and not killed.is_set():
            left[0] -= 1
            if left[0] < 0:
                killed.set()
        return status(503, "Killed") if killed.is_set() else None

    def dead_after(request: web.Request) -> web.Response | None:
        return dead(request)  # the write was done, nobody heard of it

    def dead_from_then_on(_: web.Request) -> web.Response | None:
        return status(503, "Killed") if killed.is_set() else None

    at.api.fault, at.api.late_fault = (dead_from_then_on, dead_after) if after else (dead, at.api.late_fault)
    at.apply()

    async def pods_end() -> None:
        while True:
            for job in at.jobs:
                if "status" not in job:
                    at.end(job, a_message(chunk=int(job["metadata"]["labels"][CHUNK])))
            for job in at.publish_jobs:
                if "status" not in job:
                    at.end(job, a_published())
            if killed.is_set():
                return
            await asyncio.sleep(0.01)

    pump = asyncio.create_task(pods_end())
    await until(lambda: killed.is_set() or at.status.get("completionTime"))
    killed.set()
    await pump
    at.api.fault = at.api.late_fault = lambda _: None
    killed.clear()
    left[0] = 1000
    await at.restart()
    pump = asyncio.create_task(pods_end())
    await until(lambda: at.status.get("completionTime"))
    pump.cancel()
    assert (at.status["phase"], at.status["stage"], at.status["progress"]) == ("Succeeded", "Done", "3/3")
    assert (at.status["rows"]["read"], at.status["anomalies"]) == (36, 9)
    assert at.status["latency"]["publish"]["count"] == 1
    assert (len(at.jobs), len(at.publish_jobs)) == (3, 1)
    assert at.status["recorded"]["done"] == "0-2"


# Turns


def queued(at: Setting, name: str, hour: int, **spec: Any) -> None:
    """A run of the group is there, and the controller sees it."""
    window = {"start": f"2026-01-01T{hour:02}:00:00Z", "end": f"2026-01-01T{hour + 1:02}:00:00Z"}
    body = run_body(window=window, concurrencyGroup="hourly", **{"concurrencyPolicy": "Queue"} | spec)
    body["metadata"] |= {"name": name, "uid": f"uid-{name}"}
    at.controller.run_event("ADDED", at.api.put(RUNS.path("scoring", name), body))


def phase_of(at: Setting, name: str) -> str:
    return str(at.api.objects[RUNS.path("scoring", name)].get("status", {}).get("phase", ""))


def end_of(at: Setting, name: str) -> Json:
    """What the run's end says, as somebody else writes it: how it came to it does not matter here."""
    path = RUNS.path("scoring", name)
    over = {"type": "Complete", "status": "True", "reason": "AllSucceeded", "message": ""}
    condition = over | {"lastTransitionTime": "2026-01-01T14:00:00Z"}
    status = at.api.objects[path]["status"] | {"conditions": [condition], "phase": "Succeeded"}
    return at.api.put(path, at.api.objects[path] | {"status": status})


async def test_of_many_that_come_at_once_one_goes_on_at_a_time(at: Setting) -> None:
    names = [f"run-{number}" for number in range(5)]
    for number, name in enumerate(names):
        queued(at, name, 9 - number)
    going = []
    while len(going) < len(names):
        await until(lambda: any(phase_of(at, name) == "Running" for name in names))
        await quiet()
        running = [name for name in names if phase_of(at, name) == "Running"]
        assert len(running) == 1
        going += running
        at.controller.run_event("MODIFIED", end_of(at, running[0]))
    assert going[1:] == sorted(going[1:], reverse=True)  # by window: the last name has the earliest


async def test_a_run_whose_first_write_is_not_answered_holds_its_place(at: Setting) -> None:
    at.api.late_fault = once("PATCH", "/status", lambda: status(500, "InternalError"))
    queued(at, "late", 12)
    await until(lambda: at.api.objects[RUNS.path("scoring", "late")].get("status"))
    queued(at, "early", 9)
    await until(lambda: phase_of(at, "early"))
    assert (phase_of(at, "early"), phase_of(at, "late")) == ("Waiting", "Running")


async def test_a_run_that_is_replaced_makes_way(at: Setting) -> None:
    queued(at, "old", 12)
    await until(lambda: len(at.jobs) == 3)
    queued(at, "new", 13, concurrencyPolicy="Replace")
    at.api.objects[RUNS.path("scoring", "new")]["metadata"]["creationTimestamp"] = "2026-01-01T13:30:00Z"
    await at.controller.resync()
    await until(lambda: phase_of(at, "new") == "Running" and len(at.jobs) == 3)
    assert phase_of(at, "old") == "Failed"
    assert {job["metadata"]["labels"]["sensorscore.dev/run"] for job in at.jobs} == {"new"}


# Reruns


def finished(at: Setting, **status: Any) -> None:
    """A run of six sensors has ended: of its three Jobs the second failed on b1, the third never ran."""
    names = ["a1", "a2", "b1", "b2", "c1", "c2"]
    body = run_body(sensors={"names": names}, sensorsPerJob=2)
    body["metadata"] |= {"name": "first", "uid": "first-uid"}
    listed = sensors(*names)
    condition = {"type": "Failed", "status": "True", "reason": "X", "message": "x"}
    whole = {
        "conditions": [condition | {"lastTransitionTime": "2026-01-01T14:00:00Z"}],
        "sensorSet": {"total": 6, "sha256": listed.sha256, "configMap": "first-sensors-x"},
        "recorded": {"done": "0-1", "failedSensors": "2"},
    }
    at.api.put(RUNS.path("scoring", "first"), body | {"status": whole | status})
    owners = [{"uid": "first-uid"}]
    copy = {"metadata": {"name": "first-sensors-x", "ownerReferences": owners}}
    at.api.put(CONFIG_MAPS.path("scoring", "first-sensors-x"), copy | {"data": {SENSORS_KEY: listed.text()}})


async def test_a_rerun_scores_what_failed_or_was_never_decided(at: Setting) -> None:
    finished(at)
    at.apply(sensors={"failedOf": {"name": "first", "uid": "first-uid"}})
    await until(lambda: len(at.jobs) == 3)
    assert {job["metadata"]["labels"]["sensorscore.dev/sensor"] for job in at.jobs} == {"b1", "c1", "c2"}
    at.api.drop(RUNS.path("scoring", "first"))  # it does not matter any more
    await at.restart()
    at.end_jobs()
    await at.over()
    assert at.status["progress"] == "3/3"


@pytest.mark.parametrize(
    ("uid", "status", "words"),
    [
        ("other", {}, "run first has the UID first-uid; wanted other"),
        ("first-uid", {"sensorSet": None}, "ended before it had a list of sensors"),
        ("first-uid", {"recorded": {"done": "0-2"}}, "has no sensor that failed or was not decided"),
        ("first-uid", {"recorded": {"done": "x"}}, "cannot be read"),
        (
            "first-uid",
            {"sensorSet": {"total": 6, "sha256": "0", "configMap": "gone"}},
            "its list, ConfigMap gone, is gone",
        ),
        (
            "first-uid",
            {"sensorSet": {"total": 6, "sha256": "0", "configMap": "first-sensors-x"}},
            "its list is another by now",
        ),
    ],
)
async def test_a_rerun_of_what_cannot_be_told_fails_with_a_sentence(
    at: Setting, uid: str, status: Json, words: str
) -> None:
    finished(at, **status)
    at.apply(sensors={"failedOf": {"name": "first", "uid": uid}})
    await until(lambda: at.status.get("phase") == "Failed")
    message = at.status["conditions"][0]["message"]
    assert message.startswith("spec.sensors.failedOf: run first")
    assert words in message


@pytest.mark.parametrize(("there", "words"), [(False, "is not in scoring"), (True, "has not ended")])
async def test_a_rerun_waits_a_while_for_the_other_run(at: Setting, there: bool, words: str) -> None:
    if there:
        finished(at, conditions=[])
    at.apply(sensors={"failedOf": {"name": "first", "uid": "first-uid"}})
    await until(lambda: at.status.get("phase") == "Pending")
    assert words in at.status["conditions"][0]["message"]
    finished(at)
    await until(lambda: len(at.jobs) == 3)


# Waiting and cost


async def test_pods_that_never_start_fail_the_run_with_the_schedulers_words(at: Setting) -> None:
    at.apply(timeouts={"pendingSeconds": 60})
    await until(lambda: at.status.get("pendingSince"))
    said = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    pod = at.pod_of(at.jobs[0])
    at.api.put(PODS.path("scoring", "x"), pod | {"status": {"phase": "Pending", "conditions": [said]}})
    at.now = NOW + timedelta(seconds=61)
    await at.controller.resync()
    await at.over(success=None)
    assert at.status["phase"] == "Failed"
    condition = next(each for each in at.status["conditions"] if each["type"] == "Failed")
    assert condition["reason"] == "PendingDeadlineExceeded"
    assert "0/3 nodes are available" in condition["message"]
    assert at.jobs == []


@pytest.mark.parametrize("allowed", [True, False], ids=["", "of an operator that may not list Events"])
async def test_pods_that_are_never_made_fail_the_run_with_the_job_controllers_words(
    at: Setting, allowed: bool
) -> None:
    at.apply(timeouts={"pendingSeconds": 60})
    await until(lambda: at.status.get("pendingSince"))
    for name, said in (("first", "older"), ("second", "pods are forbidden: exceeded quota: few")):
        at.api.put(EVENTS.path("scoring", name), {"metadata": {"name": name}, "message": said})
    if not allowed:
        at.api.fault = lambda call: (
            status(403, "Forbidden") if call.method == "GET" and call.path.endswith("/events") else None
        )
    at.now = NOW + timedelta(seconds=61)
    await at.controller.resync()
    await at.over(success=None)
    condition = next(each for each in at.status["conditions"] if each["type"] == "Failed")
    assert condition["reason"] == "PendingDeadlineExceeded"
    assert "Kubernetes has made no pod for Job hourly-0-" in condition["message"]
    assert ("exceeded quota: few" in condition["message"]) == allowed


async def test_cost_adds_up_exactly_whoever_adds_it() -> None:
    api = ApiDouble()
    runtime = {
        "image": "scorer:1",
        "resources": {"requests": {"cpu": "250m"}},
        "cpuHourPrice": "0.04",
    }
    async with serving(api) as cluster:
        at = Setting(api, cluster, runtimes={"default": runtime}, currency="EUR")
        try:
            at.apply()
            await until(lambda: len(at.jobs) == 3)
            at.end(at.jobs[0], a_message(chunk=int(at.jobs[0]["metadata"]["labels"][CHUNK])))
            await until(lambda: at.status["progress"] == "1/3")
            await at.restart()
            at.end_jobs()
            await at.over()
        finally:
            await at.close()
    # Four pods of one second each: three that score with a quarter of a CPU, one that publishes with a tenth.
    cost = at.status["cost"]
    assert (cost["podSeconds"], cost["cpuSeconds"], cost["currency"]) == (4, "0.850", "EUR")
    # 0.04 EUR an hour, each pod's part rounded down to a billionth.
    assert cost["money"] == f"0.{3 * 2777 + 1111:09}"


def in_store(at: Setting, **recorded: str) -> None:
    """The other run's list lies in the store: six sensors, two a Job."""
    told = {"done": "0-1", "failedSensors": "2"} | recorded
    finished(at, sensorSet={"total": 6, "sha256": "b" * 64}, recorded=told)


async def test_a_rerun_of_a_list_in_the_store_is_prepared_from_what_its_operator_decided(at: Setting) -> None:
    in_store(at)
    at.apply(sensors={"failedOf": {"name": "first", "uid": "first-uid"}})
    await until(lambda: at.publish_jobs)
    [job] = at.publish_jobs
    pod = job["spec"]["template"]["spec"]
    order = json.loads(pod["containers"][0]["args"][2])
    assert order["resolve"]["left"] | {"decisions": ""} == {
        "run": "first-uid",
        "sha256": "b" * 64,
        "decisions": "",
    }
    [mounted] = [each["configMap"]["name"] for each in pod["volumes"] if "configMap" in each]
    told = json.loads(at.api.objects[CONFIG_MAPS.path("scoring", mounted)]["data"]["decisions.json"])
    assert (told["total"], told["failed"], told["undecided"]) == (6, "2", "4-5")
    found = {"total": 3, "sha256": "c" * 64, "shards": []}
    at.api.drop(RUNS.path("scoring", "first"))  # it does not matter any more
    await at.restart()
    at.end(job, prepared(sensors=found))
    await until(lambda: len(at.jobs) == 3)
    orders = [json.loads(each["spec"]["template"]["spec"]["containers"][0]["args"][2]) for each in at.jobs]
    path = f"runs/{order['run']['uid']}/sensors"
    wanted = [{"store": path, "from": place, "count": 1, "sha256": "c" * 64} for place in range(3)]
    assert sorted((each["sensors"] for each in orders), key=lambda each: each["from"]) == wanted
    assert not any("sensorscore.dev/sensor" in each["metadata"]["labels"] for each in at.jobs)


async def test_a_rerun_of_a_list_in_the_store_with_nothing_left_fails_with_a_sentence(at: Setting) -> None:
    in_store(at, done="0-2", failedSensors="")
    at.apply(sensors={"failedOf": {"name": "first", "uid": "first-uid"}})
    await until(lambda: at.status.get("phase") == "Failed")
    assert "no sensor that failed or was not decided" in at.status["conditions"][0]["message"]


async def test_a_rerun_of_a_list_in_another_store_fails_with_a_sentence(at: Setting) -> None:
    in_store(at)
    at.api.objects[RUNS.path("scoring", "first")]["spec"]["store"] = "elsewhere"
    at.apply(sensors={"failedOf": {"name": "first", "uid": "first-uid"}})
    await until(lambda: at.status.get("phase") == "Failed")
    message = at.status["conditions"][0]["message"]
    assert message.endswith("has its list in store elsewhere; wanted this run's, default")


def prepared(**more: Any) -> Json:
    message = {
        key: value for key, value in a_published().items() if key in ("v", "run", "chunk", "attempt", "final")
    }
    return message | {"incarnation": 0, "stage": "Prepare", "readings": None, "stagesMs": {"total": 5}} | more


async def test_a_run_holds_to_the_image_that_it_began_with(at: Setting) -> None:
    at.apply(parallelism=1)
    await until(lambda: len(at.jobs) == 1)
    assert at.status["image"] == "localhost/sensorscore-scorer:0.1.0"
    runtimes = settings().runtimes
    newer = {"default": replace(runtimes["default"], image="localhost/sensorscore-scorer:9")}
    at._settings = replace(at._settings, runtimes=newer)
    await at.restart()
    at.apply(parallelism=3)
    await until(lambda: len(at.jobs) == 3)
    images = {job["spec"]["template"]["spec"]["containers"][0]["image"] for job in at.jobs}
    assert images == {"localhost/sensorscore-scorer:0.1.0"}


async def test_nothing_is_made_before_the_inputs_stand_in_the_status(at: Setting) -> None:
    at.api.fault = lambda request: (
        status(500, "InternalError")
        if request.method == "PATCH" and request.path.endswith("/status")
        else None
    )
    at.apply(sensors={"table": {"path": "fleet.csv"}})
    await until(lambda: at.api.count("PATCH", "/status") > 1)
    assert at.api.count("POST", "/jobs") == 0
    at.api.fault = lambda _: None
    await until(lambda: at.publish_jobs)
    assert (at.status["stage"], at.status["image"]) == ("Prepare", "localhost/sensorscore-scorer:0.1.0")

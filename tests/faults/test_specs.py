"""Generated specs and changes against the real CRD and the running operator: it never stumbles over any.

A refusal names the field. A run that was taken ends, or is where its spec says that it waits.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from controlplane.conftest import RUNS, Operator, Runs, condition, manifest, until
from controlplane.kubelet_double import Ending, KubeletDouble, failed, message, scored, work_of
from faults.conftest import WHOLE
from faults.specs import Specs, paths
from local.api import Api, ApiError

pytestmark = pytest.mark.faults
Json = dict[str, Any]

SEED = 20260101
WAVES = range(10) if WHOLE else range(1)
RUNS_A_WAVE = 30 if WHOLE else 12
CHANGES_A_RUN = 4
MISTAKES = 10_000 if WHOLE else 60
LARGE = "large"
SENTENCE = re.compile(r"spec(\.[A-Za-z]+)+")


def known_fields() -> set[str]:
    return {f"spec.{path}" for path, _ in paths(Specs(SEED).schema)} | {"spec.window", "spec.sensors"}


def names_a_field(sentence: str) -> bool:
    """Whether it names one of the schema's fields, or a key or item of one."""
    found = SENTENCE.search(sentence)
    return found is not None and any(found.group().startswith(field) for field in known_fields())


def answer(call: Callable[[], object]) -> tuple[int, str]:
    """The API server's code (0: it did it) and words."""
    try:
        call()
    except ApiError as error:
        return error.status, str(error)
    return 0, ""


def refused(api: Api, namespace: str, spec: Json) -> str:
    """The API server's words on a spec; empty if it takes it. Nothing is stored."""
    path = f"{RUNS}/namespaces/{namespace}/scoringruns?dryRun=All&fieldValidation=Strict"
    code, words = answer(lambda: api.call("POST", path, manifest("tried") | {"spec": spec}))
    assert code in (0, 400, 422), words
    return words


def test_each_mistake_is_refused_by_the_fields_name(api: Api, namespace: str) -> None:
    mistakes = Specs(SEED).mistakes()
    if len(mistakes) > MISTAKES:
        mistakes = random.Random(SEED).sample(mistakes, MISTAKES)  # noqa: S311
    wrong = [
        f"{path}: {spec}: {sentence or 'was taken'}"
        for path, spec in mistakes
        if f"spec.{path}" not in (sentence := refused(api, namespace, spec))
    ]
    assert not wrong, "\n".join(wrong)


def by_chance(pod: Json) -> Ending | None:
    """The pod's end, which follows from its run and chunk: mostly well."""
    work = work_of(pod)
    size = work["sensors"].get("count") or len(work["sensors"]["names"])
    number = f"{size}" if size > 1 else ""
    rows = {"read": 0, "scored": 0, "rejected": 0, "duplicate": 0}
    seed = f"{work['run']['name']}/{work['chunk']}/{work['incarnation']}"
    match hashlib.sha256(seed.encode()).digest()[0] % 10:
        case 0:
            return Ending(0, message(work, f"{number}N", {"N": "Skipped/NoReadings"}, rows=rows, anomalies=0))
        case 1 if size == 1 and "names" in work["sensors"]:
            return failed(work, "ModelCorrupt", "sha256 differs")
        case 2 if work["incarnation"] == 0:
            return Ending(0, "not a message")
    return scored(work)


class Fleet:
    """Runs of one wave, and what became of them."""

    def __init__(self, api: Api, runs: Runs, seed: int) -> None:
        self.api = api
        self.runs = runs
        self.specs = Specs(seed)
        self.chance = random.Random(seed)  # noqa: S311
        self.names: list[str] = []
        self.tried = 0

    def make(self, prefix: str, number: int) -> None:
        """Make runs; those that rules between fields refuse must be refused by a field's name."""
        while len(self.names) < number:
            name = f"{prefix}-{len(self.names)}"
            spec = self.specs.valid(self._sensors())
            if spec["sensors"].get("configMapRef") == {"name": LARGE}:
                spec["sensorsPerJob"] = 120  # more names than stand in a Job
            self.tried += 1
            code, words = answer(lambda name=name, spec=spec: self.runs.create(name, **spec))  # type: ignore[misc]
            if code:
                assert code == 422, words
                assert names_a_field(words), words
            else:
                self.names.append(name)

    def _sensors(self) -> Json:
        listed = {"names": [f"s{n}" for n in range(self.chance.randint(1, 6))]}
        ended = [name for name in self.names if self.chance.random() < 0.2]
        others: list[Json] = [{"configMapRef": {"name": self.chance.choice(["fleet", LARGE, "missing"])}}]
        if ended:
            body = self._get(ended[0])
            if body is not None:
                others.append({"failedOf": {"name": ended[0], "uid": body["metadata"]["uid"]}})
        return listed if self.chance.random() < 0.7 else self.chance.choice(others)

    def change(self) -> None:
        """Change a run by chance."""
        name = self.chance.choice(self.names)
        body = self._get(name)
        if body is None:
            return
        field, patch, allowed = self.specs.change(body["spec"])
        self.tried += 1
        code, words = answer(lambda: self.runs.patch(patch, name))
        if code == 404:  # its time to live was over meanwhile
            return
        assert bool(code) is not allowed, f"{name}: {field} changed by {patch}: {words or 'was taken'}"
        assert allowed or f"spec.{field}" in words, words

    def _get(self, name: str) -> Json | None:
        found: list[Json] = []
        code, words = answer(lambda: found.append(self.runs.get(name)))
        assert code in (0, 404), words
        return found[0] if found else None

    def bodies(self) -> list[Json]:
        """All that are there."""
        return [body for name in self.names if (body := self._get(name)) is not None]

    def settled(self) -> list[str]:
        """Runs that are not (yet) where their spec says."""
        return [f"{body['metadata']['name']}: {why}" for body in self.bodies() if (why := out_of_place(body))]

    def release(self) -> None:
        """Let all go on."""
        go_on = {"suspend": False, "parallelism": 50}
        for body in self.bodies():
            name = body["metadata"]["name"]
            code, words = answer(lambda name=name: self.runs.patch(go_on, name))  # type: ignore[misc]
            assert code in (0, 404), words

    def unended(self) -> list[str]:
        """Names of runs that have not ended."""
        return [body["metadata"]["name"] for body in self.bodies() if not ended(body)]


def ended(body: Json) -> bool:
    return body.get("status", {}).get("phase") in ("Succeeded", "Failed")


def out_of_place(body: Json) -> str:
    """What is wrong with where a run is; empty when it has ended or waits as its spec says."""
    spec, status = body["spec"], body.get("status", {})
    if ended(body) or body["metadata"].get("deletionTimestamp"):
        return ""
    if status.get("observedGeneration") != body["metadata"]["generation"]:
        return f"its last change is not looked at: {status.get('observedGeneration')}"
    phase = status["phase"]
    if spec["suspend"]:
        return "" if phase == "Suspended" else f"suspended, but {phase}"
    if phase == "Waiting":
        return "" if spec.get("concurrencyPolicy", "Allow") != "Allow" else "waits without a reason"
    if phase == "Running" and spec["parallelism"] == 0:
        return "" if not status["counts"]["activeJobs"] or status["stage"] == "Publish" else "has Jobs still"
    return f"neither ended nor told to wait: {phase}"


def check_end(body: Json) -> None:
    """Each sensor counts once, and a refusal names the field."""
    status = body["status"]
    [end] = [
        each
        for each in status["conditions"]
        if each["type"] in ("Complete", "Failed") and each["status"] == "True"
    ]
    reason, sentence = end["reason"], end["message"]
    if reason in ("InvalidSpec", "UnknownStore", "UnknownRuntime", "UnknownSink", "TemplateRefused"):
        assert names_a_field(sentence), sentence
        return
    assert reason in ENDS, (body["metadata"]["name"], reason, sentence)
    assert sentence
    told = condition(body, "AnomaliesDelivered").get("status")
    assert bool(told) == bool(body["spec"].get("sinks")), (body["metadata"]["name"], reason, told)
    counts = status.get("counts")
    if counts is None or reason in UNBEGUN:
        return
    decided = counts["scored"] + counts["skipped"] + counts["failed"]
    assert decided + counts["undecided"] == counts["total"], (body["metadata"]["name"], counts)
    if end["type"] == "Complete":
        assert decided == counts["total"]
        assert told in ("True", None)


UNBEGUN = {"InvalidSensors", "ConcurrencyForbidden", "Replaced"}
ENDS = UNBEGUN | {
    "AllSucceeded",
    "SomeFailed",
    "TooManyFailedSensors",
    "TooManySkippedSensors",
    "DeadlineExceeded",
    "PendingDeadlineExceeded",
    "JobRejected",
}


@pytest.mark.timeout(600, func_only=True)
@pytest.mark.parametrize("wave", WAVES)
def test_runs_end_or_wait_where_their_spec_says_whatever_is_changed(
    api: Api, namespace: str, operator: Operator, runs: Runs, wave: int
) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    for name, size in (("fleet", 12), (LARGE, 150)):
        sensors = "\n".join(f"s{number}" for number in range(size))
        api.create(maps, {"metadata": {"name": name}, "data": {"sensors": sensors}})
    fleet = Fleet(api, runs, SEED + wave)
    operator.start()
    with KubeletDouble(api, namespace, by_chance):
        fleet.make(f"w{wave}", RUNS_A_WAVE)
        for _ in range(RUNS_A_WAVE * CHANGES_A_RUN):
            fleet.change()
            time.sleep(0.02)
        until_none("all are where they should be", fleet.settled)
        fleet.release()
        until_none("all end", fleet.unended)
    assert operator.runs()
    log = operator.log.read_text()
    assert "Traceback" not in log
    assert "defect" not in log
    for body in fleet.bodies():
        check_end(body)
        assert condition(body, "Blocked").get("status", "False") == "False"


def until_none(what: str, left: Any, seconds: float = 240.0) -> None:
    """Wait until nothing is left, or say what is."""
    try:
        until(what, lambda: not left(), seconds)
    except AssertionError:
        raise AssertionError(f"{what}: not so after {seconds:.0f} s: {left()}") from None

"""A run's sinks: who may name them, what its publishing pod is given, and what becomes of its word."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from scoring_operator.chunks import SensorSet
from scoring_operator.contract import Sent
from scoring_operator.decision import Decision, Observation, Observed, Unusable
from scoring_operator.events import events_between
from scoring_operator.jobs import Means, publish_job, scoring_job
from scoring_operator.metrics import Metrics
from scoring_operator.metrics.bounds import Bounds
from scoring_operator.publishing import delivered
from scoring_operator.reconcile import reconcile
from scoring_operator.resource import Run, parse_run
from scoring_operator.spec import Spec
from scoring_operator.status import Verdict
from scoring_operator.status_json import of_api, to_api
from unit.operator.given import (
    NOW,
    Json,
    a_failed_pod,
    a_publish_job,
    a_run,
    chunks_of,
    has_published,
    pinned,
    publishing,
    run_body,
    seen,
    sensors,
    settings,
    spec_of,
)

SINKS: Json = {
    "ops": {
        "type": "webhook",
        "urlSecret": {"name": "ops", "key": "url"},
        "headers": {"Authorization": {"name": "ops", "key": "authorization"}},
    },
    "stream": {
        "type": "eventHub",
        "hub": "anomalies",
        "namespace": "some.servicebus.windows.net",
        "workloadIdentity": True,
    },
    "theirs": {"type": "webhook", "url": "https://events.example.com/", "namespaces": ["else"]},
}
SETTINGS = settings(sinks=SINKS)
ABC = sensors()
OVER = Verdict("Failed", "TooManyFailedSensors", "1 failed")
KILLED = a_publish_job(state="Failed", finished=NOW, attempts=1)
UNPUBLISHED = Observation(KILLED, (a_failed_pod(KILLED, 137, exit_reason="OOMKilled"),))


def decide(run: Run, **observed: Any) -> Decision:
    given = {"sensors": chunks_of(ABC, spec_of(run))} | observed
    return reconcile(run, Observed(**given), SETTINGS, NOW)


def means(*names: str) -> Means:
    chosen = SETTINGS
    return Means(
        chosen.stores["default"],
        chosen.runtimes["default"],
        chosen.stages,
        tuple(chosen.sinks[name] for name in names),
    )


def pod_of(job: Json) -> Json:
    template: Json = job["spec"]["template"]
    return template


@pytest.mark.parametrize("name", ["pager", "theirs"])
def test_a_sink_that_is_not_offered_ends_a_run_at_once(name: str) -> None:
    decision = decide(a_run(sinks=["ops", name]))
    condition = decision.status.conditions["Failed"]
    assert condition.reason == "UnknownSink"
    assert (
        f"spec.sinks has '{name}'; wanted one that is offered to namespace scoring: ops, stream"
        in condition.message
    )


def test_a_sink_that_is_taken_away_meanwhile_ends_no_run() -> None:
    decision = decide(a_run(publishing(ABC), sinks=["pager"]), jobs=seen(a_publish_job()))
    assert "Failed" not in decision.status.conditions


def test_only_the_pod_that_publishes_has_the_secrets() -> None:
    run = a_run(sinks=["ops"])
    told = SensorSet.of(["a"])
    pod = pod_of(publish_job(run, spec_of(run), means("ops"), told, 0))
    (container,) = pod["spec"]["containers"]
    variables = {each["name"]: each.get("valueFrom") for each in container["env"]}
    assert variables["SENSORSCORE_SINK_0_0"] == {
        "secretKeyRef": {"name": "ops", "key": "url", "optional": True}
    }
    assert variables["SENSORSCORE_SINK_0_1"] == {
        "secretKeyRef": {"name": "ops", "key": "authorization", "optional": True}
    }
    (order,) = json.loads(container["args"][2])["sinks"]
    assert (order["urlFrom"], order["headers"]) == (
        "SENSORSCORE_SINK_0_0",
        {"Authorization": "SENSORSCORE_SINK_0_1"},
    )
    chunk = chunks_of(ABC, spec_of(run))[0]
    assert "SENSORSCORE_SINK" not in json.dumps(scoring_job(run, spec_of(run), means("ops"), chunk, 0))


def test_a_sink_by_workload_identity_labels_the_pod_that_publishes() -> None:
    run = a_run(sinks=["stream"])
    label = "azure.workload.identity/use"
    assert (
        pod_of(publish_job(run, spec_of(run), means("stream"), ABC, 0))["metadata"]["labels"][label] == "true"
    )
    assert label not in pod_of(publish_job(run, spec_of(run), means("ops"), ABC, 0))["metadata"]["labels"]


def test_a_run_without_sinks_is_told_of_none() -> None:
    run = a_run()
    (container,) = pod_of(publish_job(run, spec_of(run), means(), ABC, 0))["spec"]["containers"]
    assert not {"sinks", "schedule"} & json.loads(container["args"][2]).keys()


def test_the_schedule_is_told() -> None:
    body = run_body(sinks=["ops"])
    body["metadata"]["labels"] = {"sensorscore.dev/schedule": "hourly"}
    run = parse_run(body)
    (container,) = pod_of(publish_job(run, spec_of(run), means("ops"), ABC, 0))["spec"]["containers"]
    assert json.loads(container["args"][2])["schedule"] == "hourly"


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        ({"ops": Sent(delivered=3)}, (True, "Delivered", "ops: 3 delivered")),
        ({"ops": Sent()}, (True, "NothingToSend", "ops: nothing to send")),
        ({"ops": Sent(suppressed=2)}, (True, "NothingToSend", "ops: 2 suppressed")),
        (
            {"ops": Sent(delivered=1, deadlettered=2, reason="DeadLettered: answered 503")},
            (False, "DeadLettered", "ops: 1 delivered, 2 dead letters (DeadLettered: answered 503)"),
        ),
        (
            {"ops": Sent(skipped=5, reason="TooOld: its window ended long ago")},
            (False, "TooOld", "ops: 5 skipped (TooOld: its window ended long ago)"),
        ),
        ({"ops": Sent(reason="no word: x")}, (False, "NotDelivered", "ops: nothing to send (no word: x)")),
        ({}, (False, "SinkGone", "ops: not sent to, it is offered to this namespace no more")),
    ],
)
def test_a_condition_says_what_became_of_them(sent: dict[str, Sent], wanted: tuple[bool, str, str]) -> None:
    assert delivered(["ops"], sent) == wanted


def test_a_sink_never_makes_a_run_fail() -> None:
    run = a_run(publishing(ABC), sinks=["ops"])
    lost = {"ops": {"deadlettered": 2, "reason": "DeadLettered: answered 503"}}
    decision = decide(run, jobs=seen(has_published(sinks=lost)))
    status = decision.status
    assert status.phase == "Succeeded"
    assert of_api(to_api(status)).conditions["AnomaliesDelivered"].reason == "DeadLettered"
    told = {event.reason: event for event in events_between(run.status, status)}
    assert told["AnomaliesNotDelivered"].warning
    assert "answered 503" in told["AnomaliesNotDelivered"].message


def test_what_was_delivered_is_no_event() -> None:
    run = a_run(publishing(ABC), sinks=["ops"])
    status = decide(run, jobs=seen(has_published(sinks={"ops": {"delivered": 2}}))).status
    assert status.holds("AnomaliesDelivered")
    assert "AnomaliesNotDelivered" not in {event.reason for event in events_between(run.status, status)}


def test_a_run_without_sinks_has_no_such_condition() -> None:
    assert (
        "AnomaliesDelivered"
        not in decide(a_run(publishing(ABC)), jobs=seen(has_published())).status.conditions
    )


@pytest.mark.parametrize(
    ("run", "observed", "reason"),
    [
        (a_run(sinks=["unheard"]), {}, "UnknownSink"),
        (a_run(sinks=["ops"]), {"sensors": Unusable("no list")}, "InvalidSensors"),
        (a_run(pinned(ABC), sinks=["ops"]), {"rejected": "quota"}, "JobRejected"),
        (a_run(publishing(ABC), sinks=["ops"]), {"jobs": seen(UNPUBLISHED)}, "PublishFailed"),
        (a_run(publishing(ABC, OVER), sinks=["ops"]), {"jobs": seen(UNPUBLISHED)}, "TooManyFailedSensors"),
    ],
)
def test_a_run_that_was_not_published_says_that_nobody_was_told(
    run: Run, observed: Json, reason: str
) -> None:
    status = decide(run, **observed).status
    assert status.conditions["Failed"].reason == reason
    told = status.conditions["AnomaliesDelivered"]
    assert (told.status, told.reason, told.since) == (False, "NotPublished", NOW)
    assert reason in told.message
    assert of_api(to_api(status)) == status
    assert (
        "AnomaliesDelivered"
        not in decide(replace(run, spec=without_sinks(run)), **observed).status.conditions
    )


def without_sinks(run: Run) -> Spec:
    return replace(spec_of(run), sinks=())


def test_what_became_of_them_is_counted_by_known_sinks() -> None:
    metrics = Metrics("1", Bounds(["scoring"], sinks=SETTINGS.sinks.values()))

    def value(**labels: str) -> float | None:
        whole = {"namespace": "scoring", **labels}
        return metrics.registry.get_sample_value("sensorscore_sink_events_total", whole)

    assert value(sink="stream", result="deadlettered") == 0
    assert value(sink="theirs", result="delivered") is None
    metrics.sent("scoring", {"ops": Sent(3, 1, 2), "unheard": Sent(4)})
    assert value(sink="ops", result="delivered") == 3
    assert value(sink="ops", result="deadlettered") == 1
    assert value(sink="Other", result="delivered") == 4

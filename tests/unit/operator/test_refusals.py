"""What the administrator does not offer or allow."""

from typing import Any

import pytest

from scoring_operator.chunks import Chunks
from scoring_operator.decision import Observed
from scoring_operator.reconcile import reconcile
from scoring_operator.refusals import template_refusal
from scoring_operator.settings import Runtime, Settings
from scoring_operator.status import Status
from unit.operator.given import NOW, Json, a_run, chunks_of, pinned, sensors, settings, spec_of

RUNTIME: Json = {
    "image": "x",
    "resources": {"requests": {"cpu": "100m", "memory": "192Mi"}, "limits": {"memory": "512Mi"}},
    "template": {
        "maxResources": {"cpu": "2", "ephemeral-storage": "10Gi"},
        "envPrefix": "PARAM_",
        "priorityClassNames": ["batch", "urgent"],
        "labelKeys": ["team", "example.com/"],
        "annotationKeys": ["a.b/c"],
    },
}


def offered(**runtimes: Any) -> Settings:
    return settings(runtimes=runtimes)


def runtime(**change: Any) -> Runtime:
    return offered(default=RUNTIME | change).runtimes["default"]


@pytest.mark.parametrize(
    "template",
    [
        {},
        {"resources": {"requests": {"cpu": 2, "memory": "512Mi"}, "limits": {"cpu": "2000m"}}},
        {"resources": {"limits": {"ephemeral-storage": "1Gi"}}},
        {"env": [{"name": "PARAM_X", "value": "1"}]},
        {"priorityClassName": "batch"},
        {"labels": {"team": "a", "example.com/cost": "b"}, "annotations": {"a.b/c": "d"}},
    ],
)
def test_what_is_allowed(template: Json) -> None:
    assert template_refusal(spec_of(a_run(template=template)).template, runtime()) == ""


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (
            {"resources": {"requests": {"cpu": "2001m"}}},
            "resources.requests.cpu is 2001m; wanted at most 2, by",
        ),
        (
            {"resources": {"limits": {"memory": "1Gi"}}},
            "resources.limits.memory is 1Gi; wanted at most 512Mi",
        ),
        (
            {"resources": {"limits": {"nvidia.com/gpu": 1}}},
            "limits.nvidia.com/gpu is 1; runtime default has no",
        ),
        ({"resources": {"limits": {"cpu": "much"}}}, "resources.limits.cpu: 'much' is not a quantity"),
        ({"env": [{"name": "PATH", "value": "x"}]}, "env: found PATH; wanted names beginning with PARAM_"),
        (
            {"labels": {"app": "shop"}},
            "labels: found app; wanted only example.com/, team, by runtime default",
        ),
        ({"labels": {"example.com": "x"}}, "labels: found example.com; wanted only"),
        ({"labels": {"a.b/c": "x"}}, "labels: found a.b/c; wanted only"),
        (
            {"annotations": {"sidecar.istio.io/proxyImage": "theirs"}},
            "annotations: found sidecar.istio.io/proxyImage; wanted only a.b/c, by runtime default",
        ),
        ({"priorityClassName": "system"}, "priorityClassName is system; wanted one of: batch, urgent"),
    ],
)
def test_what_is_not(template: Json, words: str) -> None:
    assert words in template_refusal(spec_of(a_run(template=template)).template, runtime())


def test_without_bounds_a_run_may_have_what_the_runtime_has_and_no_more() -> None:
    bare = runtime(template={})

    def ask(**template: Any) -> str:
        return template_refusal(spec_of(a_run(template=template)).template, bare)

    assert ask(resources={"requests": {"cpu": "50m", "memory": "512Mi"}}) == ""
    assert "wanted at most 100m" in ask(resources={"requests": {"cpu": "200m"}})
    assert ask(env=[{"name": "X"}]) == "env: found X; runtime default allows none"
    assert ask(labels={"x": "y"}) == "labels: found x; wanted none, by runtime default"
    assert ask(annotations={"x": "y"}) == "annotations: found x; wanted none, by runtime default"
    assert ask(priorityClassName="x") == "priorityClassName is x; runtime default allows none"


def end_of(chosen: Settings, status: Status | None = None, **spec: Any) -> tuple[str, str]:
    run = a_run(status, **spec)
    chunks: Chunks = chunks_of(sensors(), spec_of(run))
    conditions = reconcile(run, Observed(sensors=chunks), chosen, NOW).status.conditions
    failed = conditions.get("Failed")
    return (failed.reason, failed.message) if failed else ("", "")


def test_a_template_that_asks_too_much_ends_the_run_before_it_begins() -> None:
    template = {"resources": {"requests": {"cpu": "3"}}}
    reason, words = end_of(offered(default=RUNTIME), template=template)
    assert reason == "TemplateRefused"
    assert words.startswith("spec.template.resources.requests.cpu is 3; wanted at most 2, by runtime default")


def test_what_was_allowed_when_a_run_began_stays_so_for_it() -> None:
    template = {"resources": {"requests": {"cpu": "3"}}}
    assert end_of(offered(default=RUNTIME), pinned(sensors()), template=template) == ("", "")


def test_a_runtime_is_offered_to_its_namespaces_only() -> None:
    both = offered(default=RUNTIME | {"namespaces": ["else"]}, small=RUNTIME | {"namespaces": ["scoring"]})
    reason, words = end_of(both)
    assert reason == "UnknownRuntime"
    assert words == "spec.runtime is 'default'; wanted one that is offered to namespace scoring: small"
    assert end_of(both, runtime="small") == ("", "")

"""What Helm says after an installation: the next commands by the user's own names, what is missing yet."""

from __future__ import annotations

from typing import Any

import pytest

from chart.rendering import Notes
from chart.variants import AZURITE, IDENTITY, VARIANTS

CLIENT = {"azure.workload.identity/client-id": "00000000-0000-0000-0000-000000000000"}


def test_they_give_the_next_commands_with_the_users_names(notes: Notes) -> None:
    text = notes(VARIANTS["azurite"])
    assert "kubectl --namespace system rollout status deployment/sensorscore" in text
    assert "kubectl --namespace demo apply -f scoringrun.yaml" in text
    assert "kubectl --namespace demo create secret generic storage --from-file=connection-string=FILE" in text
    assert "WARNING" not in text


def test_they_try_a_schedule_where_there_is_one(notes: Notes) -> None:
    run = {"sensors": {"names": ["a"]}}
    text = notes({"stores": {"default": AZURITE}, "schedules": {"hourly": {"namespace": "c", "run": run}}})
    made = "create job --from=cronjob/sensorscore-schedule-hourly try-it"
    assert f"kubectl --namespace c {made}\n" in text
    assert "scoringrun.yaml &&" not in text


def test_they_warn_when_no_run_could_succeed(notes: Notes) -> None:
    text = notes()
    assert "WARNING: no store is set" in text
    assert "--reset-then-reuse-values" in text
    assert "create serviceaccount sensorscore-scorer" in text


def test_they_warn_of_an_identity_that_nobody_named(notes: Notes) -> None:
    values: dict[str, Any] = {"scoringNamespaces": ["a"], "stores": {"default": IDENTITY}}
    said = "WARNING: store default signs in by workload identity, and ServiceAccount sensorscore-scorer names"
    assert said in notes(values)
    assert "WARNING" not in notes(values | {"scorer": {"serviceAccount": {"annotations": CLIENT}}})
    own = {"default": {**IDENTITY, "serviceAccountName": "mine"}}
    assert "WARNING" not in notes(values | {"stores": own})


@pytest.mark.parametrize(
    ("store", "command"),
    [
        (
            {"connectionStringFile": {"secret": "s", "file": "f"}, "url": "azure://account/container"},
            "kubectl --namespace a create secret generic s --from-file=f=FILE",
        ),
        (
            {
                "connectionStringFile": {"secretProviderClass": "v", "file": "f"},
                "url": "azure://account/container",
            },
            "kubectl --namespace a get secretproviderclass v",
        ),
        (
            {"volume": {"persistentVolumeClaim": {"claimName": "c"}}, "namespaces": ["b"]},
            "kubectl --namespace b get persistentvolumeclaim c",
        ),
    ],
)
def test_they_name_what_each_store_needs(notes: Notes, store: dict[str, Any], command: str) -> None:
    text = notes({"scoringNamespaces": ["a", "b"], "stores": {"default": store}})
    assert command in text
    assert "WARNING" not in text


def test_they_say_how_the_definition_comes_when_it_is_not_the_charts(notes: Notes) -> None:
    command = "kubectl apply --server-side -f CHART/files/crds/"
    assert command in notes({"crds": {"enabled": False}})
    assert command not in notes()

"""What keeps pods from being made is said in a sentence; mended, nobody has to start anything again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from controlplane.conftest import Operator, Runs, condition, until
from controlplane.kubelet_double import Ending, KubeletDouble, scored, work_of
from local.api import Api

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]


def all_scored(pod: Json) -> Ending:
    return scored(work_of(pod))


def account(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/serviceaccounts"


def without_account(api: Api, namespace: str) -> None:
    api.call("DELETE", f"{account(namespace)}/sensorscore-scorer")


def with_account(api: Api, namespace: str) -> None:
    api.create(account(namespace), {"metadata": {"name": "sensorscore-scorer"}})


def quota(api: Api, namespace: str) -> None:
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    api.create(quotas, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    until("it counts", lambda: api.call("GET", f"{quotas}/none").get("status", {}).get("used"))


def no_quota(api: Api, namespace: str) -> None:
    api.call("DELETE", f"/api/v1/namespaces/{namespace}/resourcequotas/none")


Step = Callable[[Api, str], None]


@pytest.mark.parametrize(
    ("breaks", "mends", "says"),
    [
        (without_account, with_account, 'serviceaccount "sensorscore-scorer" not found'),
        (quota, no_quota, "exceeded quota: none"),
    ],
)
def test_what_somebody_has_to_mend_is_said_and_over_when_it_is_mended(
    api: Api, namespace: str, operator: Operator, runs: Runs, breaks: Step, mends: Step, says: str
) -> None:
    breaks(api, namespace)
    operator.start()
    runs.create(sensors={"names": ["a"]})
    blocked = lambda: condition(runs.get(), "Blocked")  # noqa: E731
    until("it is said", lambda: blocked().get("reason") == "PodsNotCreated")
    assert says in blocked()["message"]
    assert "PodsNotCreated" in operator.log.read_text()
    assert "PodsNotCreated" in runs.events()
    mends(api, namespace)
    with KubeletDouble(api, namespace, all_scored):
        run = runs.ended()
    assert condition(run, "Complete")["reason"] == "AllSucceeded"
    assert condition(run, "Blocked")["status"] == "False"

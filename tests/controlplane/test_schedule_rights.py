"""What the programs of schedules asked for in `test_schedule`, just before: each right, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.api import Api
from privileges import difference, granted, requests

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

pytestmark = pytest.mark.controlplane
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def listed(api: Api, kind: str, plural: str) -> list[dict[str, Any]]:
    return [item | {"kind": kind} for item in api.call("GET", f"{RBAC}/{plural}")["items"]]


def test_schedules_use_each_right_that_they_are_granted_and_no_other(
    controlplane: ControlPlane, api: Api
) -> None:
    """Each test had a namespace and so an account of its own: together they use all."""
    asked = [
        each for each in requests(controlplane.audit_log) if each.user.endswith(":sensorscore-scheduler")
    ]
    if not asked:
        pytest.skip("nobody asked for anything: run it together with tests/controlplane/test_schedule.py")
    roles = [*listed(api, "Role", "roles"), *listed(api, "RoleBinding", "rolebindings")]
    found = {
        user: difference(rights, [each for each in asked if each.user == user])
        for user, rights in granted(roles).items()
        if user.endswith(":sensorscore-scheduler")
    }
    assert {user: each.not_granted for user, each in found.items() if each.not_granted} == {}
    assert {user: each.forbidden for user, each in found.items() if each.forbidden} == {}
    never = set.intersection(*({kind_of(right) for right in each.unused} for each in found.values()))
    assert never == set(), f"granted and never used: {sorted(never)}"


def kind_of(right: str) -> str:
    """Without the name of the one object that it is of: each test's schedule has its own."""
    return " ".join(right.split(" ")[:2])

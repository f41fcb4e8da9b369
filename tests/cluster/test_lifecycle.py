"""The release over its life: upgraded, rolled back and taken away with runs in flight, twice in a cluster.

These tests take the release away that others run against, and so come after them (`conftest`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.backend import choose
from local.deploy import RELEASE, SYSTEM
from local.errors import LocalError
from local.places import Places
from releases import CHART, CRD, NAMESPACE, PREVIOUS, Release, crd_has, install, namespace, objects
from stack import Manifest, Stack, run_manifest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
GOOD = [f"good-{number}" for number in range(8)]


@pytest.fixture(scope="module")
def release(stack: Stack) -> Iterator[Release]:
    """The tests' own release; afterwards it is again as all others expect it."""
    yield Release(stack.tools, stack.azurite.endpoint)
    install(Places.here(), choose(Places.here()))


@pytest.fixture
def apart(stack: Stack) -> Iterator[None]:
    """The tests' own operator, which watches all namespaces, is not there meanwhile."""
    scale = ("scale", f"deployment/{RELEASE}", f"--namespace={SYSTEM}")
    stack.tools.kubectl(*scale, "--replicas=0")
    gone = ("wait", "--for=delete", "pod", "--selector=app.kubernetes.io/component=operator", "--timeout=60s")
    stack.tools.kubectl(*gone, f"--namespace={SYSTEM}")
    yield
    stack.tools.kubectl(*scale, "--replicas=1")


def begun(stack: Stack, name: str) -> None:
    """A run of eight Jobs, one after the other, that has begun and is not nearly over."""
    stack.apply(run_manifest(name, GOOD, parallelism=1))
    stack.wait_for("its first outcome", lambda: stack.scored(name) >= 1)
    assert stack.scored(name) < len(GOOD)


def ended_once(stack: Stack, name: str) -> None:
    """It ends Complete, and nothing was done twice."""
    run = stack.wait_ended(name)
    assert stack.condition(run, "Complete") == ("True", "AllSucceeded")
    assert run["status"]["rows"]["read"] == len(GOOD) * stack.rows_per_sensor
    assert run["status"]["latency"]["total"]["count"] == len(GOOD)
    assert len(stack.jobs(name)) == stack.pod_count(name) == len(GOOD)


def test_upgrade_from_the_chart_before_and_rollback(stack: Stack, release: Release) -> None:
    """At each step a run is in flight, goes on under the operator that comes, and is done once."""
    stack.apply(run_manifest("kept", GOOD[:1]))
    stack.wait_ended("kept")
    release.uninstall()
    assert stack.get("scoringrun", "kept")["status"]["phase"] == "Succeeded"

    release.install(PREVIOUS, [NAMESPACE])
    assert not crd_has(stack.tools, "priority")
    begun(stack, "upgraded")
    release.install(CHART, [NAMESPACE])
    ended_once(stack, "upgraded")

    assert crd_has(stack.tools, "priority")
    assert stack.get("scoringrun", "kept")["status"]["phase"] == "Succeeded"
    stack.patch("scoringrun", "kept", {"spec": {"ttlSecondsAfterFinished": 86400}})
    stack.apply(run_manifest("newer", GOOD[:1], priority=-1))
    assert stack.wait_ended("newer")["status"]["phase"] == "Succeeded"

    begun(stack, "rolled-back")
    release.helm("rollback", "--wait", "--timeout=120s")
    assert not crd_has(stack.tools, "priority")
    ended_once(stack, "rolled-back")
    assert stack.get("scoringrun", "newer")["status"]["phase"] == "Succeeded"


def test_runs_outlive_the_release_and_the_next_one_goes_on_with_them(stack: Stack, release: Release) -> None:
    release.install(CHART, [NAMESPACE])
    begun(stack, "orphaned")
    uid = stack.get("scoringrun", "orphaned")["metadata"]["uid"]
    said = release.uninstall()
    assert CRD in said, "Helm says what it keeps"
    assert not objects(stack.tools, "deployments", f"--namespace={SYSTEM}")
    release.install(CHART, [NAMESPACE])
    ended_once(stack, "orphaned")
    assert stack.get("scoringrun", "orphaned")["metadata"]["uid"] == uid


def test_two_releases_in_two_namespaces_watch_their_own(stack: Stack, release: Release, apart: None) -> None:
    """The definition is the first one's; the second is installed without, or refused by Helm in words."""
    names = ["sensorscore-one", "sensorscore-two"]
    two = [Release(stack.tools, release.endpoint, RELEASE, name) for name in names]
    for each in two:
        namespace(stack.tools, each.namespace, stack.azurite.connection_string)
    with pytest.raises(LocalError, match="invalid ownership metadata"):
        two[0].install(CHART, [two[0].namespace], watchNamespaces=[two[0].namespace])
    try:
        for each in two:
            own = {"watchNamespaces": [each.namespace], "crds": {"enabled": False}}
            each.install(CHART, [each.namespace], **own)
        for each in two:
            manifest = json.dumps(run_manifest("own", GOOD[:2]))
            where = f"--namespace={each.namespace}"
            stack.tools.kubectl("apply", "--filename=-", where, stdin=manifest)
            done = ("wait", "--for=condition=Complete", "scoringrun/own", "--timeout=90s")
            stack.tools.kubectl(*done, where)
        two[0].uninstall()
        assert stack.get("crd", CRD), "it is not the release's that was taken away"
        again = json.dumps(run_manifest("again", GOOD[:1]))
        where = f"--namespace={two[1].namespace}"
        stack.tools.kubectl("apply", "--filename=-", where, stdin=again)
        stack.tools.kubectl("wait", "--for=condition=Complete", "scoringrun/again", "--timeout=90s", where)
    finally:
        for each in two:
            stack.tools.helm("uninstall", each.name, f"--namespace={each.namespace}", "--ignore-not-found")
            stack.tools.kubectl("delete", "namespace", each.namespace, "--wait=false")


def test_somebody_with_rights_in_one_namespace_only_installs_it_there(stack: Stack, release: Release) -> None:
    """The definition is there, and an administrator has made the roles (`docs/security.md`).

    Kubernetes does not let anybody give rights that they do not have. No other release is there, whose
    editors' role would give `admin` its rights to runs.
    """
    release.uninstall()
    name = "sensorscore-team"
    namespace(stack.tools, name, stack.azurite.connection_string)
    team = Release(stack.tools, release.endpoint, RELEASE, name)
    own = {"watchNamespaces": [name], "crds": {"enabled": False}}
    without = {"rbac": {"create": False, "aggregate": False}}
    may = ("auth", "can-i", "create", "scoringruns.sensorscore.dev", f"--namespace={name}")
    try:
        stack.tools.kubectl("create", "serviceaccount", "installer", f"--namespace={name}")
        bind(stack, name, "admin", "--clusterrole=admin")
        them = team.as_user(stack.user_config(name, "installer"))
        with pytest.raises(LocalError, match="attempting to grant RBAC permissions not currently held"):
            them.install(CHART, [name], **own | {"rbac": {"aggregate": False}})
        them.uninstall()
        assert not allowed(them, *may)
        give_roles(team, own)
        stack.wait_for("the joined roles", lambda: allowed(them, *may))
        them.install(CHART, [name], **own | without)
        manifest = json.dumps(run_manifest("own", GOOD[:2]))
        them.tools.kubectl("apply", "--filename=-", f"--namespace={name}", stdin=manifest)
        done = ("wait", "--for=condition=Complete", "scoringrun/own", "--timeout=90s", f"--namespace={name}")
        them.tools.kubectl(*done)
        them.uninstall()
    finally:
        joined = (
            "clusterrole",
            f"{name}-sensorscore-scoringruns-viewer",
            f"{name}-sensorscore-scoringruns-editor",
        )
        stack.tools.kubectl("delete", *joined, "--ignore-not-found")
        stack.tools.kubectl("delete", "namespace", name, "--wait=false")


def allowed(them: Release, *question: str) -> bool:
    """Whether Kubernetes says yes; no is an exit code for `kubectl auth can-i`."""
    try:
        return them.tools.kubectl(*question).strip() == "yes"
    except LocalError:
        return False


def bind(stack: Stack, where: str, name: str, role: str) -> None:
    account = f"--serviceaccount={where}:installer"
    stack.tools.kubectl("create", "rolebinding", name, role, account, f"--namespace={where}")


def give_roles(team: Release, own: Manifest) -> None:
    """An administrator makes the roles, as the chart has them."""
    only = ("--show-only=templates/rbac.yaml", "--show-only=templates/aggregated-roles.yaml")
    made = team.helm("template", str(CHART), *only, values=team.values([team.namespace], **own))
    team.tools.kubectl("apply", "--filename=-", stdin=made)

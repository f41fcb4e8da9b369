"""What somebody got wrong is said in a sentence, and over when it is mended; nobody starts anything again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest

from local.deploy import RELEASE, SECRET
from stack import Manifest, Stack, run_manifest

pytestmark = pytest.mark.cluster
GOOD = ["good-0", "good-1"]
SECRET_NAME, ACCOUNT = SECRET["name"], "sensorscore-scorer"


@contextlib.contextmanager
def without(stack: Stack, kind: str, name: str) -> Iterator[None]:
    """An object is gone meanwhile; the same is there again afterwards."""
    found = stack.get(kind, name)
    for key in ("creationTimestamp", "resourceVersion", "uid", "managedFields"):
        found["metadata"].pop(key, None)
    stack.kubectl("delete", kind, name)
    try:
        yield
    finally:
        stack.kubectl("create", "--filename=-", stdin=json.dumps(found))


def blocked(stack: Stack, run: str, reason: str) -> str:
    """What it says, once it says that it is held up for that reason."""

    def condition() -> Manifest:
        found = stack.status(run).get("conditions", [])
        return next((each for each in found if each["type"] == "Blocked" and each["reason"] == reason), {})

    stack.wait_for(f"{run} to be {reason}", condition, 120)
    return str(condition()["message"])


def told(stack: Stack, run: str, reason: str) -> bool:
    """Whether an Event of the run says so."""
    chosen = f"--field-selector=involvedObject.name={run},reason={reason}"
    return bool(stack.kubectl("get", "events", chosen, "-o", "name").strip())


def operator_starts(stack: Stack) -> str:
    """Which operator is there, and how often it was started."""
    chosen = "--selector=app.kubernetes.io/component=operator"
    form = "jsonpath={.items[*].metadata.uid} {.items[*].status.containerStatuses[*].restartCount}"
    where = stack.release_namespace
    return stack.kubectl("get", "pods", chosen, "-o", form, namespace=where)


@pytest.mark.parametrize(
    ("kind", "name", "reason", "words"),
    [
        ("serviceaccount", ACCOUNT, "PodsNotCreated", f'serviceaccount "{ACCOUNT}" not found'),
        ("secret", SECRET_NAME, "PodsNotStarting", f'secret "{SECRET_NAME}" not found'),
    ],
)
def test_what_is_missing_is_named_and_the_run_goes_on_when_it_is_there(
    stack: Stack, kind: str, name: str, reason: str, words: str
) -> None:
    before = operator_starts(stack)
    run = f"without-{kind}"
    with without(stack, kind, name):
        stack.apply(run_manifest(run, GOOD))
        assert words in blocked(stack, run, reason)
        assert told(stack, run, reason)
    ended = stack.wait_ended(run)
    assert stack.condition(ended, "Complete") == ("True", "AllSucceeded")
    assert stack.condition(ended, "Blocked")[0] == "False"
    assert operator_starts(stack) == before
    log = stack.kubectl("logs", f"deployment/{RELEASE}", "--tail=500", namespace=stack.release_namespace)
    assert reason in log


def test_an_image_that_nobody_has_is_named(stack: Stack) -> None:
    """It can be mended by the administrator only, with another runtime: the run is deleted meanwhile."""
    stack.apply(run_manifest("no-image", GOOD[:1], runtime="absent"))
    words = blocked(stack, "no-image", "PodsNotStarting")
    assert "localhost/nobody-has-this:absent" in words
    stack.kubectl("delete", "scoringrun", "no-image", "--wait")


@pytest.mark.parametrize(
    ("what", "reason", "words"),
    [
        ("key", "StorageDenied", "storage answered 403: the identity or key in use may not do this"),
        (
            "account",
            "Misconfigured",
            "names account 'devstoreaccount1', the connection string 'otheraccount'",
        ),
    ],
)
def test_a_wrong_way_into_the_storage_is_named_without_the_key_and_what_was_left_is_scored_later(
    stack: Stack, what: str, reason: str, words: str
) -> None:
    before = operator_starts(stack)
    wrong = wrong_connection(stack.azurite.connection_string, what)
    run = f"wrong-{what}"
    with without(stack, "secret", SECRET_NAME):
        stack.kubectl("create", "secret", "generic", SECRET_NAME, f"--from-literal={SECRET['key']}={wrong}")
        try:
            stack.apply(run_manifest(run, GOOD, retry={"backoffLimit": 0}))
            ended = stack.wait_ended(run)
        finally:
            stack.kubectl("delete", "secret", SECRET_NAME)
    failed = next(each for each in ended["status"]["conditions"] if each["type"] == "Failed")
    assert failed["status"] == "True"
    assert {each["reason"] for each in ended["status"]["failures"]} == {reason}
    assert words in failed["message"]
    said = json.dumps(ended["status"])
    assert not any(key in said for key in (stack.account_key, "d3Jvbmc="))
    again = run_manifest(f"{run}-mended", [])
    again["spec"]["sensors"] = {"failedOf": {"name": run, "uid": ended["metadata"]["uid"]}}
    stack.apply(again)
    assert stack.condition(stack.wait_ended(f"{run}-mended"), "Complete") == ("True", "AllSucceeded")
    assert operator_starts(stack) == before


def wrong_connection(right: str, what: str) -> str:
    """The connection string with another account's name, or a key that is none of its own."""
    fields = dict(field.partition("=")[::2] for field in right.strip(";").split(";"))
    fields |= {"AccountKey": "d3Jvbmc="} if what == "key" else {"AccountName": "otheraccount"}
    return ";".join(f"{name}={value}" for name, value in fields.items())


def test_a_path_that_names_a_variable_does_not_tell_the_stores_key(stack: Stack) -> None:
    """Kubernetes fills `$(NAME)` in, in arguments: the run's status and its log would have held the key."""
    path = "models/$(AZURE_STORAGE_CONNECTION_STRING)/{sensor}"
    stack.apply(run_manifest("curious", GOOD[:1], model={"path": path}))
    status = json.dumps(stack.wait_ended("curious")["status"])
    assert stack.account_key not in status
    logs = stack.kubectl("logs", "--selector=sensorscore.dev/run=curious", "--tail=-1")
    assert stack.account_key not in logs
    assert "models/$(AZURE_STORAGE_CONNECTION_STRING)/good-0/current.json does not exist" in logs

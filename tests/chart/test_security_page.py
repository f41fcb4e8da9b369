"""What docs/security.md says that each account may do is what the chart gives it."""

from __future__ import annotations

from pathlib import Path

from chart.manifests import of_kind
from chart.rendering import Manifests, Render
from chart.variants import INGEST
from privileges import Right, rights_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
SCHEDULE = {"hourly": {"namespace": "scoring", "cron": "5 * * * *", "run": {"sensors": {"names": ["a"]}}}}
Rights = set[tuple[str, Right]]


def said() -> Rights:
    """Each right of the page's table, by account; of a Lease or a mark, without its name."""
    text = PAGE.read_text(encoding="utf-8")
    table = text.split("<!-- rights", 1)[1].split("<!-- end of rights -->", 1)[0]
    rows = [line.strip("| \n").split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    return {(row[0], right) for row in rows for right in _rights(row[1])}


def _rights(may: str) -> set[Right]:
    """Of words such as `get, list jobs.batch NAME`."""
    words = may.replace(",", "").split()
    name = words.pop() if words[-1] == "NAME" else ""
    resource, _, group = words.pop().partition(".")
    return {Right(group, resource, verb, name) for verb in words}


def given(manifests: Manifests) -> Rights:
    found: Rights = set()
    for role in (*of_kind(manifests, "Role"), *of_kind(manifests, "ClusterRole")):
        name = role["metadata"]["name"]
        who = next((who for who in ("scheduler", "viewer", "editor") if name.endswith(who)), "operator")
        rights = rights_of(role["rules"])
        found |= {(who, right._replace(name="NAME" if right.name else "")) for right in rights}
    return found


def test_the_page_says_what_each_account_may_do(render: Render) -> None:
    for watched in ([], ["scoring"]):
        manifests = render({"watchNamespaces": watched, "schedules": SCHEDULE, "stores": STORES})
        assert said() == given(manifests)


STORES = {"default": {"url": "azure://account/container", "workloadIdentity": True}}


def test_nobody_is_given_everything_or_the_giving_of_rights(render: Render) -> None:
    forbidden = {"*", "escalate", "bind", "impersonate"}
    for who, right in given(render({"schedules": SCHEDULE, "stores": STORES})):
        assert not forbidden & {right.group, right.resource, right.verb}, who
        assert right.resource != "secrets", who


def test_the_scorers_account_is_given_nothing(render: Render) -> None:
    manifests = render({"scoringNamespaces": ["scoring"], "schedules": SCHEDULE, "stores": STORES})
    bound = {
        subject["name"]
        for kind in ("RoleBinding", "ClusterRoleBinding")
        for binding in of_kind(manifests, kind)
        for subject in binding["subjects"]
    }
    assert bound == {"sensorscore", "sensorscore-scheduler"}


def test_ingests_account_is_given_nothing(render: Render) -> None:
    manifests = render({"stores": STORES, "schedules": SCHEDULE, "ingest": INGEST})
    assert [item for item in of_kind(manifests, "ServiceAccount") if "ingest" in item["metadata"]["name"]]
    assert given(manifests) == said()
    bound = [
        subject["name"]
        for kind in ("RoleBinding", "ClusterRoleBinding")
        for binding in of_kind(manifests, kind)
        for subject in binding["subjects"]
    ]
    assert set(bound) == {"sensorscore", "sensorscore-scheduler"}

"""What ServiceAccounts are granted, and what they asked for by the API server's audit log.

A right is (apiGroup, resource or resource/subresource, verb). The two lists must be the same: what is granted
and never used is taken away, what is used and not granted is a fault in the chart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

Json = dict[str, Any]


class Right(NamedTuple):
    """One thing that may be done to one kind of object; `name` if it is of one object only."""

    group: str
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        """As people say it."""
        of = f" {self.name}" if self.name else ""
        return f"{self.verb} {self.resource}{'.' + self.group if self.group else ''}{of}"


class Request(NamedTuple):
    """One line of the audit log. `user` is system:serviceaccount:NAMESPACE:NAME."""

    user: str
    right: Right
    namespace: str
    allowed: bool


def rights_of(rules: Iterable[Json]) -> set[Right]:
    """All that RBAC rules grant."""
    return {
        Right(group, resource, verb, name)
        for rule in rules
        for group in rule.get("apiGroups") or [""]
        for resource in rule.get("resources") or []
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [""]
    }


def granted(manifests: Iterable[Json]) -> dict[str, set[Right]]:
    """Rights by user, of Roles, ClusterRoles and their bindings that are among `manifests`."""
    known = list(manifests)
    rules = {
        (one["kind"], _namespace(one), one["metadata"]["name"]): one.get("rules") or []
        for one in known
        if one["kind"] in ("Role", "ClusterRole")
    }
    found: dict[str, set[Right]] = {}
    for binding in known:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        role = binding["roleRef"]
        of = _namespace(binding) if role["kind"] == "Role" else ""
        for subject in binding.get("subjects") or []:
            if subject["kind"] == "ServiceAccount":
                user = f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
                found.setdefault(user, set()).update(
                    rights_of(rules.get((role["kind"], of, role["name"]), []))
                )
    return found


def _namespace(manifest: Json) -> str:
    name: str = manifest["metadata"].get("namespace", "")
    return name


def requests(log: Path) -> Iterator[Request]:
    """What was asked for; the last line may not be whole yet."""
    for line in log.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            yield from _request(json.loads(line))


def _request(line: Json) -> Iterator[Request]:
    found = line.get("objectRef")
    decision = (line.get("annotations") or {}).get("authorization.k8s.io/decision")
    if decision is None:
        return  # not known who it was
    if found is None:  # /version, /apis and the like: granted to all by system:discovery
        right = Right("", line["requestURI"].partition("?")[0], line["verb"])
        yield Request(line["user"]["username"], right, "", decision == "allow")
        return
    resource = "/".join(filter(None, (found["resource"], found.get("subresource"))))
    right = Right(found.get("apiGroup", ""), resource, line["verb"], found.get("name", ""))
    yield Request(line["user"]["username"], right, found.get("namespace", ""), decision == "allow")


class Difference(NamedTuple):
    """Between what a user is granted and what it asked for."""

    unused: list[str]
    not_granted: list[str]
    forbidden: list[str]


def difference(rights: set[Right], asked: Iterable[Request]) -> Difference:
    """In words, in order. Reading what the API has (discovery) is everybody's right and left out."""
    used: set[Right] = set()
    not_granted: set[str] = set()
    forbidden: set[str] = set()
    for request in asked:
        if request.right.resource.startswith("/"):
            continue
        fitting = {right for right in (request.right, request.right._replace(name="")) if right in rights}
        used |= fitting
        if not request.allowed:
            forbidden.add(f"{request.right._replace(name='')} in {request.namespace or 'the cluster'}")
        if not fitting:
            not_granted.add(str(request.right._replace(name="")))
    unused = sorted(str(right) for right in rights - used)
    return Difference(unused, sorted(not_granted), sorted(forbidden))

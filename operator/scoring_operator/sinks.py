"""The administrator's sinks: where a run's anomalies may be sent, and what its publishing pod is told.

A run names sinks. Who may make runs thereby chooses neither addresses nor secrets; these are in Secrets of
the run's namespace, and reach no pod but the one that publishes, as variables that its order names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from scoring_operator.contract import Json
from scoring_operator.mounts import SecretKey
from scoring_operator.sections import Section, SettingsError

WEBHOOK, EVENT_HUB = "webhook", "eventHub"
# How many events go into one request where nothing else is said: an alert is a list's, a card takes twenty.
BATCHES = {"cloudevents": 1, "alertmanager": 100, "teams": 20, EVENT_HUB: 500}
MAX_ROUTES, MAX_MATCHES, MAX_HEADERS = 64, 64, 16
_HEADER = r"[A-Za-z][A-Za-z0-9-]{0,63}"
_OURS = ("content-type", "content-length", "host", "connection", "transfer-encoding", "expect")
Secrets = dict[tuple[str | int, ...], SecretKey]
_HOST = r"[a-zA-Z0-9]([-a-zA-Z0-9.]{0,252}[a-zA-Z0-9])?"


@dataclass(frozen=True)
class Sink:
    """One sink: its order, but for the variables that hold secrets, and these by where they stand in it."""

    name: str
    order: Json
    secrets: Mapping[tuple[str | int, ...], SecretKey] = field(default_factory=dict)
    workload_identity: bool = False  # the pod signs in to Event Hubs as its store's ServiceAccount
    namespaces: frozenset[str] = frozenset()  # who may use it; empty: every watched namespace

    def offered_to(self, namespace: str) -> bool:
        """Whether runs of `namespace` may name this sink."""
        return not self.namespaces or namespace in self.namespaces


def sinks_order(sinks: tuple[Sink, ...]) -> tuple[list[Json], dict[str, SecretKey]]:
    """The order's `sinks`, and the variables that it names."""
    orders: list[Json] = []
    variables: dict[str, SecretKey] = {}
    for place, sink in enumerate(sinks):
        order = deepcopy(sink.order)
        for number, (path, key) in enumerate(sink.secrets.items()):
            name = f"SENSORSCORE_SINK_{place}_{number}"
            variables[name] = key
            part: Any = order
            for step in path[:-1]:
                part = part[step]
            part[path[-1]] = name
        orders.append(order)
    return orders, variables


def sink(name: str, section: Section) -> Sink:
    """A sink of the settings. Raises SettingsError."""
    kind = section.text("type", wanted=f"{WEBHOOK}|{EVENT_HUB}", words=f"{WEBHOOK} or {EVENT_HUB}")
    secrets: Secrets = {}
    told: Json = {"name": name, "type": kind}
    identity = False
    if kind == WEBHOOK:
        told |= _webhook(section, secrets)
    else:
        identity = section.flag("workloadIdentity", default=False)
        told |= _event_hub(section, secrets, identity)
    told |= _rule(section)
    routes = section.objects("routes")
    if len(routes) > MAX_ROUTES:
        raise SettingsError(f"{section.path}.routes has {len(routes)}; wanted at most {MAX_ROUTES}")
    if routes:
        parts = [Section(route, f"{section.path}.routes[{place}]") for place, route in enumerate(routes)]
        told["routes"] = [
            _route(part, kind, secrets, place, told.get("httpHosts", [])) for place, part in enumerate(parts)
        ]
    form = told.get("format", "cloudevents") if kind == WEBHOOK else EVENT_HUB
    told["batch"] = section.number("batch", BATCHES[form], 1, 1000)
    namespaces = frozenset(section.texts("namespaces"))
    section.end()
    return Sink(name, told, secrets, identity, namespaces)


def _webhook(section: Section, secrets: Secrets) -> Json:
    hosts = section.texts("allowHttpHosts")
    told: Json = {}
    form = section.text(
        "format",
        "cloudevents",
        wanted="cloudevents|alertmanager|teams",
        words="cloudevents, alertmanager or teams",
    )
    if form != "cloudevents":
        told["format"] = form
    if hosts:
        told["httpHosts"] = hosts
    told |= _url(section, secrets, (), hosts)
    if not told.keys() & {"url", "urlFrom"}:
        raise SettingsError(f"{section.path}.url is missing; wanted url or urlSecret")
    headers = section.section("headers")
    names = [str(header) for header in headers.data]
    if len(names) > MAX_HEADERS:
        raise SettingsError(f"{headers.path} has {len(names)}; wanted at most {MAX_HEADERS}")
    for header in names:
        _check_header(header, headers.path)
        key = _secret(headers.section(header))
        if key is None:
            raise SettingsError(f"{headers.path}.{header} is empty; wanted name and key of a Secret")
        told.setdefault("headers", {})[header] = ""
        secrets["headers", header] = key
    headers.end()
    return told


def _check_header(header: str, path: str) -> None:
    if not re.fullmatch(_HEADER, header) or header.lower() in _OURS:
        raise SettingsError(
            f"{path}.{header} is not known; wanted headers such as Authorization, not of HTTP's own"
        )


def _url(
    section: Section,
    secrets: Secrets,
    path: tuple[str | int, ...],
    hosts: list[str],
) -> Json:
    url = section.text("url", "", wanted=r"https?://[^\s/@]+(/\S*)?", words="an https:// address")
    key = _secret(section.section("urlSecret"))
    if url and key:
        raise SettingsError(f"{section.path} has url and urlSecret; wanted one of them")
    if key:
        secrets[*path, "urlFrom"] = key
        return {"urlFrom": ""}
    if url.startswith("http://") and (urlsplit(url).hostname or "") not in hosts:
        raise SettingsError(
            f"{section.path}.url is {url!r}; wanted https://, or its host in the sink's allowHttpHosts"
        )
    return {"url": url} if url else {}


def _event_hub(section: Section, secrets: Secrets, identity: bool) -> Json:
    told: Json = {"hub": section.text("hub", wanted=r"[^\s]{1,256}", words="a hub's name")}
    mode = section.text("mode", "structured", wanted="structured|binary", words="structured or binary")
    if mode != "structured":
        told["mode"] = mode
    space = section.text("namespace", "", wanted=_HOST, words="NAME.servicebus.windows.net")
    key = _secret(section.section("connectionStringSecret"))
    if identity == bool(key) or identity != bool(space):
        raise SettingsError(
            f"{section.path}: wanted workloadIdentity: true with namespace, or connectionStringSecret alone"
        )
    if key:
        secrets["connectionFrom",] = key
        return told | {"connectionFrom": ""}
    return told | {"eventHubs": space}


def _rule(section: Section) -> Json:
    told: Json = {}
    debounce = section.section("debounce")
    if debounce.data:
        of = debounce.number("of", 1, 1, 24)
        told["debounce"] = {"atLeast": debounce.number("atLeast", 1, 1, of), "of": of}
    debounce.end()
    for key, low, high in (
        ("minAnomalies", 1, 1_000_000),
        ("maxAgeSeconds", 0, 316_224_000),
        ("retrySeconds", 0, 3600),
    ):
        value = section.number(key, low, low, high)
        if key in section.data:
            told[key] = value
    if (score := section.real("minScore")) is not None:
        told["minScore"] = score
    if page := section.text("dashboardUrl", "", wanted=r"https?://\S{1,1000}", words="a page's address"):
        told["dashboardUrl"] = page
    return told


def _route(section: Section, kind: str, secrets: Secrets, place: int, hosts: list[str]) -> Json:
    match = section.section("match")
    told: Json = {"match": {}}
    for key in ("group", "owner"):
        texts = match.texts(key)
        if len(texts) > MAX_MATCHES:
            raise SettingsError(f"{match.path}.{key} has {len(texts)}; wanted at most {MAX_MATCHES}")
        if texts:
            told["match"][key] = texts
    match.end()
    if not told["match"]:
        raise SettingsError(f"{match.path} is empty; wanted group or owner")
    drop = section.flag("drop", default=False)
    if kind == WEBHOOK:
        where = _url(section, secrets, ("routes", place), hosts)
    else:
        hub = section.text("hub", "", wanted=r"[^\s]{1,256}", words="a hub's name")
        where = {"hub": hub} if hub else {}
    if drop == bool(where):
        wanted = "url, urlSecret" if kind == WEBHOOK else "hub"
        raise SettingsError(f"{section.path}: wanted one of {wanted} and drop: true")
    section.end()
    return told | where | ({"drop": True} if drop else {})


def _secret(section: Section) -> SecretKey | None:
    if not section.data:
        return None
    key = SecretKey(section.text("name"), section.text("key"))
    section.end()
    return key

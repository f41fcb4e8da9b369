"""A work order's sinks: where the publish stage sends what it has found, by the administrator's settings.

Secrets are not in it: an order names the environment variables that hold them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from scorer.contract.fields import UsageError, a_choice, a_number, a_text, an_object, shown

WEBHOOK, EVENT_HUB = "webhook", "eventHub"
CLOUDEVENTS, ALERTMANAGER, TEAMS = "cloudevents", "alertmanager", "teams"
STRUCTURED, BINARY = "structured", "binary"
MAX_SINKS = 8
MAX_ROUTES = 64
MAX_MATCHES = 64
MAX_HEADERS = 16
MAX_BATCH = 1000
MAX_WINDOWS = 24
"""Of which a debounce looks at, at most."""
MAX_AGE = 316_224_000
MAX_RETRY_SECONDS = 3600

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_VARIABLE = re.compile(r"SENSORSCORE_SINK_[A-Z0-9_]{1,64}", re.ASCII)
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}", re.ASCII)
_OURS = ("content-type", "content-length", "host", "connection", "transfer-encoding", "expect")


class Place(NamedTuple):
    """Where events go: of a webhook a URL, or the variable that holds it; of Event Hubs a hub.

    Nothing of it: they are not sent.
    """

    url: str = ""
    url_from: str = ""
    hub: str = ""

    @property
    def nowhere(self) -> bool:
        """Whether what is routed here is not sent."""
        return self == Place()


class Route(NamedTuple):
    """The place of sensors whose group and owner are among these; an empty list is not asked."""

    groups: tuple[str, ...]
    owners: tuple[str, ...]
    place: Place


class Debounce(NamedTuple):
    """A sensor's anomalies are sent if at least `least` of its last `of` windows had some."""

    least: int = 1
    of: int = 1


class Sink(NamedTuple):
    """One sink, checked."""

    name: str
    kind: str
    place: Place
    routes: tuple[Route, ...] = ()
    form: str = CLOUDEVENTS
    """Of a webhook's bodies."""
    mode: str = STRUCTURED
    """Of CloudEvents in Event Hubs."""
    headers: Mapping[str, str] = {}
    """Of a webhook: the variable that holds each one's value."""
    http_hosts: tuple[str, ...] = ()
    """Hosts that are sent to without TLS."""
    namespace: str = ""
    """Of Event Hubs, signed in to by the pod's identity."""
    connection_from: str = ""
    """The variable that holds Event Hubs' connection string."""
    batch: int = 1
    """Events in one request, at most."""
    debounce: Debounce = Debounce()
    least_anomalies: int = 1
    least_score: float | None = None
    max_age_seconds: int | None = None
    """Of a window's end when its run is made; older ones are backfills. None: two windows, at least 2 h."""
    retry_seconds: int = 180
    """For how long a sink that takes nothing is tried again, from when it last took something."""
    link: str = ""
    """A page for people. Its tokens: {sensor} {namespace} {schedule} {start} {end}, times in milliseconds."""


def sinks_of(value: Any) -> tuple[Sink, ...]:
    """A work order's `sinks`, checked. Raises UsageError."""
    if not isinstance(value, list) or not 0 < len(value) <= MAX_SINKS:
        raise UsageError(f"work order: sinks is {shown(value)}: wanted a list of 1 to {MAX_SINKS}")
    found = tuple(_sink(each, f"sinks[{place}]") for place, each in enumerate(value))
    names = [each.name for each in found]
    if len(set(names)) != len(names):
        raise UsageError(f"work order: sinks name {', '.join(names)}: wanted each name once")
    return found


_OPTIONAL = (
    *("url", "urlFrom", "hub", "routes", "format", "mode", "headers", "httpHosts", "eventHubs"),
    *("connectionFrom", "batch", "debounce", "minAnomalies", "minScore", "maxAgeSeconds", "retrySeconds"),
    "dashboardUrl",
)


def _sink(value: Any, field: str) -> Sink:
    told = an_object(value, field, ["name", "type"], _OPTIONAL)
    name = a_text(told["name"], f"{field}.name", 63)
    if not _NAME.fullmatch(name):  # it names an object in the store
        raise UsageError(
            f"work order: {field}.name is {shown(name)}: wanted lower-case letters, digits and -"
        )
    kind = a_choice(told["type"], f"{field}.type", (WEBHOOK, EVENT_HUB))
    sink = Sink(
        name,
        kind,
        _place(told, field),
        _list(told, "routes", field, MAX_ROUTES, _route),
        form=a_choice(told.get("format", CLOUDEVENTS), f"{field}.format", (CLOUDEVENTS, ALERTMANAGER, TEAMS)),
        mode=a_choice(told.get("mode", STRUCTURED), f"{field}.mode", (STRUCTURED, BINARY)),
        headers=_headers(told.get("headers", {}), f"{field}.headers"),
        http_hosts=_list(told, "httpHosts", field, MAX_HEADERS, a_text),
        namespace=a_text(told["eventHubs"], f"{field}.eventHubs") if "eventHubs" in told else "",
        connection_from=_variable(told, "connectionFrom", field),
        batch=a_number(told.get("batch", 1), f"{field}.batch", 1, MAX_BATCH),
        debounce=_debounce(told.get("debounce", {}), f"{field}.debounce"),
        least_anomalies=a_number(told.get("minAnomalies", 1), f"{field}.minAnomalies", 1),
        least_score=_score(told.get("minScore"), f"{field}.minScore"),
        max_age_seconds=a_number(told["maxAgeSeconds"], f"{field}.maxAgeSeconds", 0, MAX_AGE)
        if "maxAgeSeconds" in told
        else None,
        retry_seconds=a_number(told.get("retrySeconds", 180), f"{field}.retrySeconds", 0, MAX_RETRY_SECONDS),
        link=a_text(told["dashboardUrl"], f"{field}.dashboardUrl", 1024) if "dashboardUrl" in told else "",
    )
    _check(sink, field)
    return sink


def _check(sink: Sink, field: str) -> None:
    """Raises UsageError for a sink that is nowhere, or that is told what the other kind is told."""
    places = [sink.place, *(route.place for route in sink.routes if not route.place.nowhere)]
    if sink.kind == WEBHOOK:
        if sink.namespace or sink.connection_from or any(place.hub for place in places):
            raise UsageError(f"work order: {field} is a webhook: wanted no hub")
        if any(bool(place.url) == bool(place.url_from) for place in places):
            raise UsageError(
                f"work order: {field} is a webhook: wanted one of url and urlFrom, of routes too"
            )
        return
    if sink.headers or sink.http_hosts or any(place.url or place.url_from for place in places):
        raise UsageError(f"work order: {field} is of Event Hubs: wanted no url and no headers")
    if not all(place.hub for place in places):
        raise UsageError(f"work order: {field}.hub is missing: wanted the name of a hub")
    if bool(sink.namespace) == bool(sink.connection_from):
        raise UsageError(f"work order: {field}: wanted one of eventHubs and connectionFrom")


def _place(told: Mapping[str, Any], field: str) -> Place:
    return Place(
        a_text(told["url"], f"{field}.url", 2048) if "url" in told else "",
        _variable(told, "urlFrom", field),
        a_text(told["hub"], f"{field}.hub", 256) if "hub" in told else "",
    )


def _route(value: Any, field: str) -> Route:
    told = an_object(value, field, ["match"], ("url", "urlFrom", "hub", "drop"))
    match = an_object(told["match"], f"{field}.match", [], ("group", "owner"))
    route = Route(
        _list(match, "group", f"{field}.match", MAX_MATCHES, a_text),
        _list(match, "owner", f"{field}.match", MAX_MATCHES, a_text),
        _place(told, field),
    )
    if not route.groups and not route.owners:
        raise UsageError(f"work order: {field}.match is empty: wanted group or owner")
    drop = told.get("drop", False)
    if not isinstance(drop, bool) or drop != route.place.nowhere:
        raise UsageError(f"work order: {field}: wanted one of a place and drop: true")
    return route


def _list(told: Mapping[str, Any], key: str, field: str, most: int, item: Any) -> tuple[Any, ...]:
    value = told.get(key, [])
    if not isinstance(value, list) or len(value) > most:
        raise UsageError(f"work order: {field}.{key} is {shown(value)}: wanted a list of at most {most}")
    return tuple(item(each, f"{field}.{key}[{place}]") for place, each in enumerate(value))


def _variable(told: Mapping[str, Any], key: str, field: str) -> str:
    if key not in told:
        return ""
    name = told[key]
    if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
        raise UsageError(f"work order: {field}.{key} is {shown(name)}: wanted a name SENSORSCORE_SINK_…")
    return name


def _headers(value: Any, field: str) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MAX_HEADERS:
        raise UsageError(f"work order: {field} is {shown(value)}: wanted an object of at most {MAX_HEADERS}")
    for name in value:
        if not _HEADER.fullmatch(name) or name.lower() in _OURS:
            raise UsageError(
                f"work order: {field} holds {shown(name)}: wanted names of headers, not of our own"
            )
    return {name: _variable(value, name, field) for name in value}


def _debounce(value: Any, field: str) -> Debounce:
    told = an_object(value, field, [], ("atLeast", "of"))
    of = a_number(told.get("of", 1), f"{field}.of", 1, MAX_WINDOWS)
    return Debounce(a_number(told.get("atLeast", 1), f"{field}.atLeast", 1, of), of)


def _score(value: Any, field: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise UsageError(f"work order: {field} is {shown(value)}: wanted a number")
    return float(value)

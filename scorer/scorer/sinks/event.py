"""One sensor's anomalies in one window, as what is sent: pure functions of a result.

CloudEvents 1.0: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

from scorer.window import Window, utc_text

TYPE = "dev.sensorscore.anomaly.v1"
DIGEST = 16
"""Hexadecimal digits of an event's id: 64 bits of SHA-256."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Json = dict[str, Any]


class Found(NamedTuple):
    """What a run has found of a sensor, as its table of anomalies says it. Times are RFC 3339 texts."""

    sensor: str
    anomalies: int
    first: str
    last: str
    score: float | None
    """The highest of the window."""
    threshold: float | None
    model: str
    prediction: str
    """The object that holds the sensor's predictions."""
    group: str = ""
    owner: str = ""


class Origin(NamedTuple):
    """The run that has found it."""

    namespace: str
    run: str
    schedule: str
    window: Window


class Event(NamedTuple):
    """What is sent of a sensor."""

    id: str
    found: Found
    origin: Origin
    link: str = ""


def result_digest(found: Found, span: Window) -> str:
    """Of what was found: the same of every attempt and run with the same result, another of any other."""
    told = [
        found.sensor,
        *(utc_text(span.start), utc_text(span.end)),
        *(found.anomalies, microseconds(found.first), microseconds(found.last)),
        *(found.score, found.threshold, found.model),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:DIGEST]


def digest_of(name: str) -> str:
    """The digest that an event's id ends with."""
    return name.rpartition("/")[2]


def microseconds(time: str) -> int | None:
    """Since 1970; None for no time."""
    return (datetime.fromisoformat(time) - _EPOCH) // timedelta(microseconds=1) if time else None


def time_text(since: int | None) -> str:
    """The same as RFC 3339."""
    if since is None:
        return ""
    time = _EPOCH + timedelta(microseconds=since)
    return time.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def event_of(found: Found, origin: Origin, link: str = "") -> Event:
    """The event of what was found. `link` is a page's address with tokens."""
    span = origin.window
    name = f"{found.sensor}/{utc_text(span.start)}/{utc_text(span.end)}/{result_digest(found, span)}"
    return Event(name, found, origin, _filled(link, found.sensor, origin))


def cloudevent(event: Event) -> Json:
    """The event in CloudEvents' JSON."""
    return {**attributes(event), "data": data(event)}


def attributes(event: Event) -> dict[str, str]:
    """CloudEvents' attributes. The source is the schedule, or of a run without one the run."""
    origin = event.origin
    what = f"schedules/{origin.schedule}" if origin.schedule else f"runs/{origin.run}"
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/sensorscore/namespaces/{origin.namespace}/{what}",
        "type": TYPE,
        "subject": event.found.sensor,
        "time": utc_text(origin.window.end),
        "datacontenttype": "application/json",
    }


def data(event: Event) -> Json:
    """What was found, and by whom. What is not known is left out."""
    found, origin = event.found, event.origin
    told: Json = {
        "sensor": found.sensor,
        "window": {"start": utc_text(origin.window.start), "end": utc_text(origin.window.end)},
        "anomalies": found.anomalies,
        "firstAnomaly": found.first,
        "lastAnomaly": found.last,
        "extremeScore": found.score,
        "threshold": found.threshold,
        "modelVersion": found.model,
        "namespace": origin.namespace,
        "schedule": origin.schedule,
        "run": origin.run,
        "group": found.group,
        "owner": found.owner,
        "prediction": found.prediction,
        "link": event.link,
    }
    return {name: value for name, value in told.items() if value not in ("", None)}


def _filled(link: str, sensor: str, origin: Origin) -> str:
    span = origin.window
    values = {
        "sensor": sensor,
        "namespace": origin.namespace,
        "schedule": origin.schedule,
        "start": str(int(span.start.timestamp()) * 1000),
        "end": str(int(span.end.timestamp()) * 1000),
    }
    for name, value in values.items():
        link = link.replace(f"{{{name}}}", quote(value, safe=""))
    return link

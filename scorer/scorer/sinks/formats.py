"""Bodies of webhooks: CloudEvents, Alertmanager's alerts, a card for Teams. Pure functions of events.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from scorer.contract.sinks import ALERTMANAGER, CLOUDEVENTS, TEAMS
from scorer.sinks.event import Event, cloudevent
from scorer.window import utc_text

ALERT = "SensorAnomaly"
MOST = {TEAMS: 20}
"""Events in a body, at most: Teams takes cards of up to 28 KiB."""

Json = dict[str, Any]


class Body(NamedTuple):
    """What is posted."""

    content_type: str
    data: bytes


def body(form: str, events: Sequence[Event], batched: bool, now: datetime) -> Body:
    """The events as one request of this form. `batched`: more than one could be in it."""
    return _FORMS[form](events, batched, now)


def _cloudevents(events: Sequence[Event], batched: bool, now: datetime) -> Body:
    del now
    if not batched:
        return Body("application/cloudevents+json; charset=utf-8", _json(cloudevent(events[0])))
    listed = [cloudevent(event) for event in events]
    return Body("application/cloudevents-batch+json; charset=utf-8", _json(listed))


def _alertmanager(events: Sequence[Event], batched: bool, now: datetime) -> Body:
    del batched
    return Body("application/json", _json([alert(event, now) for event in events]))


def alert(event: Event, now: datetime) -> Json:
    """One alert. It is the same as long as its labels are: a sensor's next window goes on with it.

    It ends two windows from now, so that it is over when a window comes without anomalies.
    """
    found, origin = event.found, event.origin
    labels = {
        "alertname": ALERT,
        "sensor": found.sensor,
        "namespace": origin.namespace,
        "schedule": origin.schedule,
        "group": found.group,
        "owner": found.owner,
    }
    lasting = max(2 * (origin.window.end - origin.window.start), timedelta(minutes=5))
    told = {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {
            "summary": summary(event),
            "description": _sentence(event),
            "event_id": event.id,
            "run": origin.run,
            "model_version": found.model,
            "prediction": found.prediction,
        },
        "startsAt": found.first or utc_text(origin.window.end),
        "endsAt": utc_text(now + lasting),
    }
    return told | ({"generatorURL": event.link} if event.link else {})


def _teams(events: Sequence[Event], batched: bool, now: datetime) -> Body:
    del batched, now
    first = events[0]
    facts = [{"title": event.found.sensor, "value": _sentence(event)} for event in events]
    title = (
        summary(first) if len(events) == 1 else f"{len(events)} sensors with anomalies, {first.origin.window}"
    )
    blocks: list[Json] = [
        {"type": "TextBlock", "size": "Large", "weight": "Bolder", "wrap": True, "text": title},
        {"type": "FactSet", "facts": facts},
    ]
    links = [{"type": "Action.OpenUrl", "title": "Open", "url": first.link}] if first.link else []
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
        **({"actions": links} if links else {}),
    }
    attached = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return Body("application/json", _json({"type": "message", "attachments": [attached]}))


def summary(event: Event) -> str:
    """A headline."""
    return f"Sensor {event.found.sensor}: {event.found.anomalies} anomalies, {event.origin.window}"


def _sentence(event: Event) -> str:
    found = event.found
    parts = [f"{found.anomalies} readings, {found.first} to {found.last}"]
    if found.score is not None:
        limit = "" if found.threshold is None else f" (threshold {found.threshold:.6g})"
        parts.append(f"highest score {found.score:.6g}{limit}")
    return "; ".join(parts)


_FORMS: dict[str, Callable[[Sequence[Event], bool, datetime], Body]] = {
    CLOUDEVENTS: _cloudevents,
    ALERTMANAGER: _alertmanager,
    TEAMS: _teams,
}


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")

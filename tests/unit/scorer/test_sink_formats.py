"""What webhooks are sent: CloudEvents, alerts, cards."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from scorer.sinks.event import Event, Found, Origin, event_of, result_digest
from scorer.sinks.formats import body
from scorer.sinks.webhook import retry_after
from scorer.window import window

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
NOW = datetime(2026, 1, 1, 13, 5, tzinfo=UTC)
FIRST, LAST = "2026-01-01T12:10:00.000000Z", "2026-01-01T12:20:00.000000Z"
FOUND = Found("a", 2, FIRST, LAST, 0.5, 0.25, "v1", "p/a.parquet", "pumps", "ann")
LINK = "https://g.example/d?s={sensor}&n={namespace}&h={schedule}&from={start}&to={end}"


def event(found: Found = FOUND, schedule: str = "hourly", link: str = "") -> Event:
    return event_of(found, Origin("scoring", "hourly-x", schedule, SPAN), link)


def read(form: str, *events: Event, batched: bool = False) -> Any:
    return json.loads(body(form, events, batched, NOW).data)


@pytest.mark.parametrize(
    "change",
    [
        {"anomalies": 3},
        {"last": FIRST},
        {"score": 0.75},
        {"threshold": None},
        {"model": "v2"},
        {"sensor": "b"},
    ],
)
def test_another_result_has_another_id(change: dict[str, Any]) -> None:
    assert result_digest(FOUND._replace(**change), SPAN) != result_digest(FOUND, SPAN)


@pytest.mark.parametrize("change", [{"prediction": "elsewhere"}, {"group": "fans"}, {"owner": "bob"}])
def test_what_is_no_result_does_not_change_the_id(change: dict[str, Any]) -> None:
    assert result_digest(FOUND._replace(**change), SPAN) == result_digest(FOUND, SPAN)


def test_a_run_without_a_schedule_is_its_own_source() -> None:
    assert (
        read("cloudevents", event(schedule=""))["source"] == "/sensorscore/namespaces/scoring/runs/hourly-x"
    )


def test_what_is_not_known_is_left_out() -> None:
    told = read("cloudevents", event(FOUND._replace(score=None, threshold=None, group="", owner="")))
    assert not {"extremeScore", "threshold", "group", "owner", "link"} & told["data"].keys()


def test_a_link_is_filled_in_and_escaped() -> None:
    told = read("cloudevents", event(FOUND._replace(sensor="a.b-1"), schedule="", link=LINK))
    assert told["data"]["link"] == (
        "https://g.example/d?s=a.b-1&n=scoring&h=&from=1767268800000&to=1767272400000"
    )


def test_an_alert_lasts_two_windows() -> None:
    (alert,) = read("alertmanager", event(link=LINK))
    assert alert["labels"] == {
        "alertname": "SensorAnomaly",
        "sensor": "a",
        "namespace": "scoring",
        "schedule": "hourly",
        "group": "pumps",
        "owner": "ann",
    }
    assert (alert["startsAt"], alert["endsAt"]) == (FIRST, "2026-01-01T15:05:00Z")
    assert alert["annotations"]["event_id"] == event().id


def test_one_card_names_all_its_sensors() -> None:
    told = read("teams", event(), event(FOUND._replace(sensor="b")), batched=True)
    (attached,) = told["attachments"]
    assert attached["contentType"] == "application/vnd.microsoft.card.adaptive"
    title, facts = attached["content"]["body"]
    assert title["text"].startswith("2 sensors with anomalies")
    assert [fact["title"] for fact in facts["facts"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("17", 17.0),
        ("999999999", 3600.0),
        ("Thu, 01 Jan 2026 13:06:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 12:00:00 GMT", 0.0),
        ("", 0.0),
        ("-5", 0.0),
        ("soon", 0.0),
    ],
)
def test_how_long_a_server_wants_to_be_left_alone(text: str, seconds: float) -> None:
    assert retry_after(text, NOW) == seconds

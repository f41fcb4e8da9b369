"""The prepare stage: what is to be resolved and waited for, and what the pod says when it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scorer.contract.fields import UsageError, a_choice, a_text, an_object, checked, shown
from scorer.contract.outcome import Header
from scorer.contract.paths import MAX_SENSOR, check_marker_path, check_object_path, is_sensor_name
from scorer.contract.sensors import a_digest
from scorer.contract.staging import PREPARE, message, stage_head
from scorer.window import utc_time

READINGS, MODELS = "Readings", "Models"
DISCOVER_FROM = (READINGS, MODELS)
SCORE_ANYWAY, FAIL = "Score", "Fail"
ON_TIMEOUT = (SCORE_ANYWAY, FAIL)

READY, TIMED_OUT = "Ready", "TimedOut"
"""How waiting for readings went."""


class TableSource(NamedTuple):
    """A table in the store: a row for each sensor."""

    path: str


class DiscoverSource(NamedTuple):
    """Sensors that have readings in the window, or a current model; whose names begin with the prefix."""

    of: str
    prefix: str = ""


class LeftSource(NamedTuple):
    """What another run left undone: those of its list that its operator's decisions, a file, name."""

    run: str
    sha256: str
    decisions: str


Source = TableSource | DiscoverSource | LeftSource


class WaitFor(NamedTuple):
    """A marker's path, a template; until when (RFC 3339) it is waited for, and what follows then."""

    marker: str
    until: str
    on_timeout: str = SCORE_ANYWAY


class Prepared(NamedTuple):
    """What the stage came to; None where there was nothing to resolve, or to wait for."""

    total: int | None = None
    """0 is what no table's sensors leave of those that were found."""
    sha256: str = ""
    shards: Sequence[int] = ()
    """With predictions in shards: how many sensors each has, in their order."""
    readings: str | None = None


def source_of(value: Any) -> Source:
    """A work order's `resolve`, checked. Raises UsageError."""
    if isinstance(value, dict) and "table" in value:
        path = a_text(an_object(value, "resolve", ["table"])["table"], "resolve.table", 512)
        return TableSource(checked("resolve.table", lambda: check_object_path(path)))
    if isinstance(value, dict) and "discover" in value:
        told = an_object(
            an_object(value, "resolve", ["discover"])["discover"], "resolve.discover", ["from"], ("prefix",)
        )
        prefix = told.get("prefix", "")
        if prefix != "":
            _check_prefix(prefix)
        return DiscoverSource(a_choice(told["from"], "resolve.discover.from", DISCOVER_FROM), prefix)
    left = an_object(
        an_object(value, "resolve", ["left"])["left"], "resolve.left", ["run", "sha256", "decisions"]
    )
    uid = a_text(left["run"], "resolve.left.run", 64)
    if not is_sensor_name(uid):  # it names a folder in the store
        raise UsageError(f"work order: resolve.left.run is {shown(uid)}: wanted a Kubernetes UID")
    return LeftSource(
        uid,
        a_digest(left["sha256"], "resolve.left.sha256"),
        a_text(left["decisions"], "resolve.left.decisions", 4096),
    )


def only_of(value: Any) -> str:
    """A work order's `only`, checked: the path of a table. Raises UsageError."""
    path = a_text(value, "only", 512)
    return checked("only", lambda: check_object_path(path))


def _check_prefix(prefix: Any) -> None:
    """Raises UsageError for what no sensor's name can begin with."""
    text = a_text(prefix, "resolve.discover.prefix", MAX_SENSOR)
    if not is_sensor_name(f"{text}x"[:MAX_SENSOR]):
        raise UsageError(f"work order: resolve.discover.prefix is {shown(text)}: no sensor's name begins so")


def wait_of(value: Any, captured: str = "") -> WaitFor:
    """A work order's `waitFor`, checked. Raises UsageError.

    The readings' path of the layout capture, `captured`, is the marker there if no other is given.
    """
    told = an_object(value, "waitFor", ["marker", "until"], ("onTimeout",))
    until, marker = a_text(told["until"], "waitFor.until"), a_text(told["marker"], "waitFor.marker", 512)
    checked("waitFor.until", lambda: utc_time(until))
    return WaitFor(
        marker if captured == marker else checked("waitFor.marker", lambda: check_marker_path(marker)),
        until,
        a_choice(told.get("onTimeout", SCORE_ANYWAY), "waitFor.onTimeout", ON_TIMEOUT),
    )


def encode_prepared(header: Header, prepared: Prepared, stages_ms: Mapping[str, int]) -> bytes:
    """The termination message of a run that is prepared; always fits: 512 shards of 1,000 sensors, 2.5 kB."""
    sensors = None
    if prepared.total is not None:
        sensors = {"total": prepared.total, "sha256": prepared.sha256, "shards": list(prepared.shards)}
    return message(
        {
            **stage_head(header, PREPARE),
            "sensors": sensors,
            "readings": prepared.readings,
            "stagesMs": dict(stages_ms),
        }
    )

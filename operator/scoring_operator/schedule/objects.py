"""A schedule's objects as Kubernetes has them: runs, the mark, Events."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from scoring_operator.contract import Json, clean, digest8, rfc3339
from scoring_operator.events import MESSAGE_BYTES
from scoring_operator.labels import MANAGED_BY, OURS
from scoring_operator.resource import GROUP, KIND, SCHEDULE_LABEL, VERSION
from scoring_operator.schedule import corrections
from scoring_operator.schedule.corrections import Change
from scoring_operator.schedule.plan import Mark, Span
from scoring_operator.schedule.rescore import Rescore
from scoring_operator.schedule.settings import Schedule
from scoring_operator.schedule.windows import window_time
from scoring_operator.times import parse_time

COMPONENT = "sensorscore-scheduler"
LAST, AHEAD, SKIPPED, LAST_SKIPPED = "lastWindowEnd", "ahead", "skipped", "lastSkipped"
RUN_ENDS = "runs"
LENGTH, OFFSET = "windowSeconds", "offsetSeconds"  # of the grid that the ends in AHEAD and RUN_ENDS are of


class MarkError(ValueError):
    """The mark's ConfigMap is not as this wrote it; the text says what to do."""


def run_name(schedule: str, end: datetime) -> str:
    """The name of a window's run: a DNS label of 46 characters at most, the same for whoever makes it."""
    return f"{schedule}-{end:%Y%m%dt%H%Mz}"


def run_manifest(schedule: Schedule, end: datetime, priority: int) -> Json:
    """The run of the window that ends then.

    One of a lower priority than the live window's is of a window that was missed: it waits for its turn,
    whatever the live one does, else it would end the live one or be ended by it.
    """
    missed = priority < schedule.run["priority"]
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {
            "name": run_name(schedule.name, end),
            "namespace": schedule.namespace,
            "labels": {SCHEDULE_LABEL: schedule.name},
        },
        "spec": {
            **schedule.run,
            "window": {"start": rfc3339(end - schedule.grid.length), "end": rfc3339(end)},
            "concurrencyGroup": schedule.name,
            "priority": priority,
            **({"concurrencyPolicy": "Queue"} if missed else {}),
        },
    }


def rescore_run_name(schedule: str, change: Change) -> str:
    """The name of the run that a correction makes: of 54 characters at most, likewise."""
    return f"{run_name(schedule, change.end)}-c{change.count}"


def rescore_run_manifest(schedule: Schedule, rescore: Rescore, change: Change) -> Json:
    """The run of those of the schedule's sensors that were corrected in the hour that ends then.

    It takes turns with its like, in a group of its own: no live window waits for it, or ends it. Its readings
    are there; and how many of so few sensors are skipped says nothing of the ingest.
    """
    manifest = run_manifest(schedule, change.end, schedule.catch_up.priority)
    manifest["metadata"]["name"] = rescore_run_name(schedule.name, change)
    spec = manifest["spec"]
    spec["sensors"] = {**spec["sensors"], "only": {"path": rescore.list_path(change.end)}}
    spec["concurrencyGroup"] = f"{schedule.name}-rescore"
    spec["concurrencyPolicy"] = "Queue"
    for section, key in (("readings", "waitFor"), ("failurePolicy", "maxSkippedSensors")):
        if key in spec.get(section, {}):
            spec[section] = {name: value for name, value in spec[section].items() if name != key}
    return manifest


def why_not_ours(found: Json, wanted: Json) -> str:
    """What keeps a run that is there from being the wanted one; empty if it is that."""
    labels = found["metadata"].get("labels") or {}
    label, schedule = labels.get(SCHEDULE_LABEL), wanted["metadata"]["labels"][SCHEDULE_LABEL]
    if label != schedule:
        return f"its label {SCHEDULE_LABEL} is {label!r}; wanted {schedule!r}"
    window, ours = found["spec"]["window"], wanted["spec"]["window"]
    for key in ("start", "end"):
        if parse_time(window[key]) != parse_time(ours[key]):
            return f"its window's {key} is {window[key]}; wanted {ours[key]}"
    return ""


def mark_name(schedule: str) -> str:
    """The ConfigMap that keeps a schedule's mark."""
    return f"sensorscore-schedule-{schedule}"


def mark_manifest(schedule: Schedule, mark: Mark) -> Json:
    """The mark."""
    told = {
        LAST: rfc3339(mark.last),
        AHEAD: " ".join(map(rfc3339, sorted(mark.ahead))),
        SKIPPED: str(mark.skipped),
        LAST_SKIPPED: mark.last_skipped,
        RUN_ENDS: " ".join(f"{rfc3339(first)}/{rfc3339(last)}" for first, last in mark.runs),
        **_grid(schedule),
    }
    return _config_map(schedule, mark_name(schedule.name), told)


def rescore_mark_name(schedule: str) -> str:
    """The ConfigMap that keeps which corrections of a schedule's hours have got their run."""
    return f"sensorscore-rescore-{schedule}"


def rescore_mark_manifest(schedule: Schedule, mark: corrections.Mark) -> Json:
    """That mark."""
    return _config_map(schedule, rescore_mark_name(schedule.name), corrections.mark_data(mark))


def parse_rescore_mark(body: Json) -> corrections.Mark:
    """That mark from its ConfigMap; raises `MarkError`."""
    try:
        return corrections.parse_mark(body.get("data") or {})
    except ValueError as error:
        raise MarkError(
            f"ConfigMap {body['metadata']['name']}: {error}. Mend it, or delete the ConfigMap: all corrected "
            "hours of the horizon then get a run once more"
        ) from None


def _config_map(schedule: Schedule, name: str, told: dict[str, str]) -> Json:
    metadata = {
        "name": name,
        "namespace": schedule.namespace,
        "labels": {SCHEDULE_LABEL: schedule.name, MANAGED_BY: OURS},
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {key: text for key, text in told.items() if text},
    }


def _grid(schedule: Schedule) -> dict[str, str]:
    return {
        LENGTH: str(schedule.grid.length // timedelta(seconds=1)),
        OFFSET: str(schedule.grid.offset // timedelta(seconds=1)),
    }


def mark_for(body: Json, schedule: Schedule) -> Mark:
    """The mark as the schedule can go on from it; raises `MarkError`.

    Ends on another grid, settled ahead or with a run, are forgotten: a window that ends then now is another.
    """
    mark, data = parse_mark(body), body.get("data") or {}
    same = all(data.get(key, text) == text for key, text in _grid(schedule).items())
    return mark if same else replace(mark, ahead=frozenset(), runs=())


def parse_mark(body: Json) -> Mark:
    """The mark from its ConfigMap; raises `MarkError`."""
    data = body.get("data") or {}
    key = LAST
    try:
        last = window_time(data[key])
        key = AHEAD
        ahead = frozenset(map(window_time, data.get(key, "").split()))
        key = RUN_ENDS
        runs = tuple(_span(text) for text in data.get(key, "").split())
        key = SKIPPED
        return Mark(last, ahead, int(data.get(key, "0")), data.get(LAST_SKIPPED, ""), runs)
    except (KeyError, ValueError):
        found = repr(data[key]) if key in data else "missing"
        wanted = {SKIPPED: "a number", RUN_ENDS: "times such as 2026-01-01T00:00:00Z/2026-01-01T09:00:00Z"}
        form = wanted.get(key, "a time such as 2026-01-01T00:00:00Z")
        raise MarkError(
            f"ConfigMap {body['metadata']['name']}: data.{key} is {found}; wanted {form}. Mend it, or "
            "delete the ConfigMap: the schedule then begins again with the window just ended"
        ) from None


def _span(text: str) -> Span:
    first, _, last = text.partition("/")
    return window_time(first), window_time(last)


def event_manifest(stored_mark: Json, reason: str, message: str, now: datetime) -> Json:
    """A warning at the mark; its name is its own, so that telling it twice is telling it once."""
    meta = stored_mark["metadata"]
    told = digest8(f"{meta.get('uid')}/{reason}/{message}")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.{told}", "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            **{key: meta[key] for key in ("name", "namespace", "uid") if key in meta},
        },
        "type": "Warning",
        "reason": reason,
        "message": clean(message, MESSAGE_BYTES),
        "firstTimestamp": rfc3339(now),
        "lastTimestamp": rfc3339(now),
        "count": 1,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
    }

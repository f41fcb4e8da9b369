"""The guard's memory in the store: one small object a shard of sensors, `guard/{shard}.json`.

Runs that publish at the same time change the same objects, so each is written only over the state that was
read; whoever comes second reads again, judges again and writes both. Publishing a run twice changes nothing
the second time, and tells the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from scorer.contract.paths import shard_of
from scorer.errors import InputError
from scorer.guard.facts import Facts, read_facts
from scorer.guard.judge import Judged, Records, judge
from scorer.guard.stored import ends, read_state, write_state
from scorer.storage import ConflictError, NotFoundError, TooLargeError, UnavailableError

if TYPE_CHECKING:
    from scorer.guard.words import Finding
    from scorer.logs import Log
    from scorer.storage import Store
    from scorer.window import Window

FOLDER = "guard"
SHARDS = 64
"""Fixed for ever: a sensor's memory stays where it is. 100,000 sensors make objects of half a megabyte."""
MAX_BYTES = 32 * 1024 * 1024
MAX_SENSORS = 20_000
"""Of a shard: a million and more in a store. Those that were not seen for longest are forgotten first."""
FORGOTTEN_SECONDS = 30 * 24 * 3600
TRIES = 8
"""Conflicts on one object before giving up: each means that another run has just written it."""
SAMPLES = 20


class Judgement(NamedTuple):
    """What is to be told of a window: counts by reason, and sentences."""

    warnings: Mapping[str, int]
    """Those that began in this window: a warning counts once in its life."""
    ongoing: Mapping[str, int]
    """Those that began before and are not over."""
    notes: Mapping[str, int]
    findings: tuple[Finding, ...]
    """Every warning: first those that began, then those ongoing; by reason and sensor."""
    samples: tuple[Finding, ...]
    """Some of those that began, of each reason about as many."""


def update(
    store: Store, window: Window, observations: Mapping[str, Mapping[str, Any]], log: Log
) -> Judgement:
    """Judges one window's observations (`scorer.guard.observe`, by sensor) and remembers them.

    Raises StorageError; UnavailableError also if others keep changing the same objects.
    """
    shards: dict[int, list[str]] = {}
    for sensor in sorted(observations):
        shards.setdefault(shard_of(sensor, SHARDS), []).append(sensor)
    judged = [
        _update(store, window, shard, facts, log)
        for shard, sensors in sorted(shards.items())
        if (facts := _facts(observations, sensors, log))
    ]
    began = _ordered(finding for each in judged for finding in each.warnings)
    ongoing = _ordered(finding for each in judged for finding in each.ongoing)
    notes = [finding for each in judged for finding in each.notes]
    return Judgement(
        _counts(began), _counts(ongoing), _counts(notes), (*began, *ongoing), tuple(_some(began))
    )


def state_path(shard: int) -> str:
    """The object that remembers a shard's sensors."""
    return f"{FOLDER}/{shard:05}.json"


def _facts(observations: Mapping[str, Mapping[str, Any]], sensors: list[str], log: Log) -> dict[str, Facts]:
    """One shard's at a time: a run may have 100,000 sensors."""
    found = {}
    refused = []
    for sensor in sensors:
        try:
            found[sensor] = read_facts(observations[sensor])
        except InputError as error:
            refused.append(f"sensor {sensor}'s {error}")
    if refused:
        log.warning(f"guard: {len(refused)} sensors are not watched in this window: {'; '.join(refused[:3])}")
    return found


def _update(store: Store, window: Window, shard: int, facts: Mapping[str, Facts], log: Log) -> Judged:
    path = state_path(shard)
    for _ in range(TRIES):
        state, etag, data = _read(store, path, log)
        judged = judge(state, window, facts)
        kept = write_state(_kept(judged.state))
        try:
            if kept != data:
                store.put(path, kept, if_match=etag, if_none_match=etag is None)
        except ConflictError:
            continue
        return judged
    raise UnavailableError(f"{path} was changed by others {TRIES} times while it was being written")


def _read(store: Store, path: str, log: Log) -> tuple[dict[str, Records], str | None, bytes]:
    """The state with its ETag and bytes; what cannot be read is begun anew: it is advice, worth no run."""
    try:
        blob = store.get(path, MAX_BYTES)
    except NotFoundError:
        return {}, None, b""
    except TooLargeError as error:
        log.warning(f"guard: {error}: what it remembers of its sensors begins anew")
        return {}, store.head(path).etag, b""
    try:
        return read_state(blob.data), blob.etag, blob.data
    except InputError as error:
        log.warning(f"guard: {path} cannot be read, what it remembers of its sensors begins anew: {error}")
        return {}, blob.etag, b""


def _kept(state: Mapping[str, Records]) -> dict[str, Records]:
    """Without sensors that have not been seen for long, and not more than a shard holds."""
    newest = {sensor: ends(records.values()) for sensor, records in state.items()}
    oldest = max(newest.values(), default=0) - FORGOTTEN_SECONDS
    left = [sensor for sensor, end in newest.items() if end >= oldest]
    if len(left) > MAX_SENSORS:
        left = sorted(left, key=lambda sensor: (-newest[sensor], sensor))[:MAX_SENSORS]
    return {sensor: state[sensor] for sensor in left}


def _ordered(findings: Any) -> list[Finding]:
    return sorted(findings, key=lambda finding: (finding.reason, finding.sensor))


def _counts(findings: list[Finding]) -> dict[str, int]:
    return dict(sorted(Counter(finding.reason for finding in findings).items()))


def _some(findings: list[Finding]) -> list[Finding]:
    """The first of each reason, then the second of each, and so on."""
    place: Counter[str] = Counter()
    ranked = []
    for finding in findings:
        ranked.append((place[finding.reason], finding))
        place[finding.reason] += 1
    return [finding for _, finding in sorted(ranked)[:SAMPLES]]

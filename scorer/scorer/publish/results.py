"""How each sensor of a run went, in the end: from the attempts' outcomes and the operator's decisions."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce
from typing import NamedTuple

from scorer.contract.outcome import FAILED, SCORED, SKIPPED, UNDECIDED, Decision, Rows
from scorer.contract.publishing import Decisions, Failure
from scorer.errors import InputError
from scorer.outcomes import Told, hear, read_outcome
from scorer.outputs import Outputs
from scorer.storage import Store
from scorer.summary import NOTHING, summary_of

UNKNOWN = "Unknown"
"""The operator has seen the sensor decided well, and nothing in the store says how."""
STATES = (SCORED, SKIPPED, FAILED, UNDECIDED, UNKNOWN)

MAX_COUNT = 10**15
"""Of rows: what all sums of them stay whole numbers with."""

_NO_ROWS = Rows()


class Result(NamedTuple):
    """One sensor's end. Rows, anomalies and what follows them are of Scored ones."""

    sensor: str
    state: str
    reason: str = ""
    message: str = ""
    """Why it was not scored; of a scored one, what of its readings was lost."""
    rows: Rows = _NO_ROWS
    anomalies: int = 0
    prediction: str = ""
    sha256: str = ""
    fingerprint: str = ""
    model: str = ""
    threshold: float | None = None
    first_anomaly: str = ""
    last_anomaly: str = ""
    extreme_score: float | None = None
    rejected_file: str = ""
    seconds: float = 0.0
    group: str = ""
    """As the run's table has it, like the owner."""
    owner: str = ""
    guard: str = ""
    """What the guard observed, as JSON: as text it takes a tenth of what it takes as objects."""

    @property
    def kind(self) -> str:
        """`Scored`, or `State/Reason`."""
        return f"{self.state}/{self.reason}" if self.reason else self.state


class Totals(NamedTuple):
    """Sums over a run's sensors."""

    counts: Mapping[str, int]
    """By state, all of them."""
    reasons: Mapping[str, int]
    """By `State/Reason`."""
    rows: Rows
    anomalies: int


def results(
    sensors: Sequence[str],
    outcomes: Iterable[Told],
    decisions: Decisions,
    missing: Callable[[str], Result],
) -> list[Result]:
    """One for each sensor, in the list's order.

    `outcomes` come in order of chunk and attempt. `missing` says how a sensor went that none of them decided
    and that the operator takes for well.
    """
    heard: dict[str, tuple[str, Result]] = {}
    for outcome in outcomes:
        hear(heard, outcome, result_of)
    found = []
    for place, sensor in enumerate(sensors):
        state, said = heard.pop(sensor, ("", None))
        if place in decisions.failed:
            found.append(_as_decided(sensor, FAILED, said, decisions.failure_of(place, sensor)))
        elif place in decisions.undecided:
            found.append(_as_decided(sensor, UNDECIDED, said, decisions.failure_of(place, sensor)))
        else:
            found.append(said if said and state in (SCORED, SKIPPED) else missing(sensor))
    return found


def read_results(store: Store, path: str) -> Told:
    """An outcome from which results can be made. Raises InputError for what is none, and StorageError."""
    outcome = read_outcome(store, path)
    try:
        hear({}, outcome, result_of)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"{path} is not an outcome of the scorer: {error!r:.200}") from error
    return outcome


def from_prediction(outputs: Outputs, sensor: str) -> Result:
    """How a sensor went whose outcome is lost, by the prediction that this run has left. Raises StorageError.

    Another run's prediction says nothing of this one.
    """
    # Of a file of its own as it is now: what a listing says may be older than the run.
    prior = outputs.prior(sensor) if outputs.sharded else outputs.current(outputs.path(sensor))
    summary = summary_of(prior.metadata) if prior else None
    if not prior or not summary or prior.metadata.get("run") != outputs.claim.run:
        why = f"sensor {sensor}: no outcome in the store says how it went"
        return Result(sensor, UNKNOWN, "OutcomeLost", why)
    counts = {"rows": summary.rows._asdict(), "anomalies": summary.anomalies}
    about = {"sensor": sensor, "state": SCORED, "seconds": 0.0, **counts}
    return result_of({**summary.detail(outputs.path(sensor)), **about})


def totals(found: Iterable[Result]) -> Totals:
    """The sums."""
    found = list(found)
    counts = Counter(result.state for result in found)
    return Totals(
        {state: counts[state] for state in STATES},
        dict(sorted(Counter(result.kind for result in found if result.reason).items())),
        reduce(Rows.plus, (result.rows for result in found), _NO_ROWS),
        sum(result.anomalies for result in found),
    )


def decisions_of(decided: Sequence[tuple[str, Decision]]) -> Decisions:
    """The decisions of a run that had no operator: all its sensors, in order, as one attempt left them."""
    places = {
        state: frozenset(place for place, (_, of) in enumerate(decided) if of.state == state)
        for state in (FAILED, UNDECIDED)
    }
    return Decisions(
        len(decided),
        complete=not places[UNDECIDED],
        reason="SomeFailed" if places[FAILED] else "AllSucceeded",
        failed=places[FAILED],
        undecided=places[UNDECIDED],
        failures={
            sensor: Failure(of.state, of.reason, of.message)
            for sensor, of in decided
            if of.state in (FAILED, UNDECIDED)
        },
    )


def result_of(told: Told) -> Result:
    """What an outcome tells of one sensor. Raises KeyError, TypeError and ValueError for what cannot be."""
    sensor, state, seconds = _text(told, "sensor"), _text(told, "state"), _number(told, "seconds") or 0.0
    if state not in STATES:
        raise ValueError(f"state {state!r}")
    if state != SCORED:
        return Result(sensor, state, _text(told, "reason"), _text(told, "message"), seconds=seconds)
    rows, anomalies = Rows(**told["rows"]), told["anomalies"]
    if not all(type(count) is int and 0 <= count <= MAX_COUNT for count in (*rows, anomalies)):
        raise TypeError(f"rows {rows}, anomalies {anomalies!r}")
    guard = told.get("guard", NOTHING)
    if not isinstance(guard, Mapping):
        raise TypeError(f"guard {guard!r}")
    for time in ("firstAnomaly", "lastAnomaly"):
        if told.get(time):
            datetime.fromisoformat(told[time])
    return Result(
        sensor,
        SCORED,
        message=_text(told, "lost"),
        rows=rows,
        anomalies=anomalies,
        prediction=_text(told, "prediction"),
        sha256=_text(told, "sha256"),
        fingerprint=_text(told, "fingerprint"),
        model=_text(told, "model"),
        threshold=_number(told, "threshold"),
        first_anomaly=_text(told, "firstAnomaly"),
        last_anomaly=_text(told, "lastAnomaly"),
        extreme_score=_number(told, "extremeScore"),
        rejected_file=_text(told, "rejectedFile"),
        seconds=seconds,
        guard=json.dumps(guard, separators=(",", ":")) if guard else "",
    )


def _text(told: Told, name: str) -> str:
    value = told.get(name, "")
    if not isinstance(value, str):
        raise TypeError(f"{name} {value!r}")
    return value.encode("utf-8", "replace").decode()  # JSON may hold halves of characters


def _number(told: Told, name: str) -> float | None:
    value = told.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise TypeError(f"{name} {value!r}")
    return None if value is None or not math.isfinite(value) else float(value)


def _as_decided(sensor: str, state: str, said: Result | None, why: Failure | None) -> Result:
    """As the operator has decided; the reason is its own where it gives one, else the pod's."""
    if why:
        return Result(sensor, state, why.reason, why.message, seconds=said.seconds if said else 0.0)
    if said and said.state == state:
        return said
    return Result(sensor, state, seconds=said.seconds if said else 0.0)

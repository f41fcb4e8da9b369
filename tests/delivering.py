"""Predictions that need neither models nor readings files, for tests of how they are written and read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from scorer.clock import Stopwatch
from scorer.contract.outcome import Decision, Header, Rows
from scorer.contract.publishing import Decisions, Published
from scorer.contract.work import PER_SENSOR, SHARDED, Output, WorkOrder
from scorer.decisions import scored
from scorer.deliver import Deliveries
from scorer.fence import Claim
from scorer.fetch import Fetched, Kept
from scorer.logs import Log
from scorer.outcome import Outcome
from scorer.outputs import Outputs, Prior
from scorer.predictions import Prediction
from scorer.publish import publish
from scorer.publish.results import decisions_of
from scorer.sensor_rows import SensorRows
from scorer.sources import Found
from scorer.storage import Store
from scorer.summary import summary_of
from scorer.versions import Version
from scorer.window import Window, window
from scoring import order

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
START = int(SPAN.start.timestamp()) * 1_000_000
OWN = Output("predictions/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet", layout=PER_SENSOR)
SHARED = Output("predictions/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet", layout=SHARDED, shards=2)


def claim(minute: int, run: str = "", attempt: int = 0) -> Claim:
    """A claim of a run that was created at this minute."""
    return Claim(
        f"2026-01-01T13:{minute:02}:00Z",
        run or f"run-{minute:02}",
        f"2026-01-01T13:{minute:02}:{attempt:02}.000Z",
    )


def rows(sensor: str, made_from: str, count: int = 6, features: Sequence[str] = ("value",)) -> SensorRows:
    """Rows that depend on sensor and fingerprint alone, every third one flagged."""
    seed = int.from_bytes(hashlib.sha256(f"{sensor}/{made_from}".encode()).digest()[:4], "big")
    random = np.random.default_rng(seed)
    flagged = np.arange(count) % 3 == 0
    return SensorRows(
        tuple(features),
        f"20260101T000000Z-{seed:08x}",
        START + np.arange(1, count + 1) * 60_000_000,
        random.normal(10, 1, (count, len(features))),
        flagged.astype(np.int8),
        np.where(flagged, 1, -1) * random.uniform(0.1, 1, count),
    )


def prediction(
    found: SensorRows, rejects: Sequence[Any] = (), observed: Mapping[str, Any] | None = None
) -> Prediction:
    """A prediction of these rows."""
    count = len(found.times)
    model: Any = SimpleNamespace(
        features=found.features, version=found.version, sha256="0" * 64, threshold=0.0
    )
    readings: Any = SimpleNamespace(
        times=found.times,
        values=found.values,
        rows=Rows(count + len(rejects), count, len(rejects)),
        rejected={"MissingValue": len(rejects)} if rejects else {},
        rejects=tuple(rejects),
        lost="",
    )
    return Prediction(model, readings, found.scores, found.flagged, observed or {})


def fetched(sensor: str, made_from: str, prior: Prior | None) -> Fetched:
    """What the read stage gives of a sensor that is to be scored."""
    return Fetched(sensor, prior, made_from, Version("v", "0" * 64), b"", Found((), ()))


class Pod:
    """A pod that looks at its sensors first and delivers them when it is told to.

    It would make `made_from[sensor]` of each.
    """

    def __init__(
        self, store: Store, output: Output, of: Claim, made_from: Mapping[str, str], span: Window = SPAN
    ) -> None:
        self.outputs = Outputs(store, output, span, of, list(made_from))
        self.deliveries = Deliveries(self.outputs)
        self.made_from = made_from
        self.decided: dict[str, Any] = {}
        self.looked = False
        self._priors: dict[str, Prior | None] = {}

    def look(self) -> None:
        """Reads what is there, for all sensors."""
        self.looked = True
        for sensor in self.made_from:
            self._priors[sensor] = self.outputs.prior(sensor)

    def deliver(self, sensor: str, **changes: Any) -> None:
        """Writes one sensor, or keeps what is there if it is what this pod would make."""
        made_from, prior = self.made_from[sensor], self._priors[sensor]
        done = summary_of(prior.metadata) if prior else None
        if prior and done and done.fingerprint == made_from:
            about = {"madeBy": prior.metadata["run"]}
            kept = Kept(prior, made_from, scored(done, self.outputs.path(sensor), about))
            self.decided.update(self.deliveries.give(sensor, kept))
        else:
            made = prediction(rows(sensor, made_from), **changes)
            self.decided.update(self.deliveries.write(fetched(sensor, made_from, prior), made))

    def run(self) -> dict[str, str]:
        """Everything at once; the kinds of decisions."""
        self.look()
        for sensor in self.made_from:
            self.deliver(sensor)
        return self.kinds()

    def kinds(self) -> dict[str, str]:
        """How each decided sensor went."""
        return {sensor: decision.kind for sensor, decision in self.decided.items()}


def order_of(output: Output, sensors: Sequence[str], run: Claim, name: str) -> WorkOrder:
    """The run's work order."""
    told = {"path": output.path, "format": output.format, "layout": output.layout}
    told |= {"shards": output.shards} if output.layout == SHARDED else {}
    whose = {"name": name, "namespace": "scoring", "uid": run.run, "created": run.run_created}
    return order(sensors, output=told, run=whose)


class Run:
    """A run of one attempt, scored and written down, ready to be published."""

    def __init__(
        self,
        store: Store,
        output: Output,
        made_from: Mapping[str, str],
        minute: int = 1,
        others: Mapping[str, Decision] | None = None,
        rejects: Mapping[str, Sequence[Any]] | None = None,
        observed: Mapping[str, Mapping[str, Any]] | None = None,
        name: str = "hourly",
    ) -> None:
        """Scores the sensors of `made_from`; `others` went as they are told."""
        self.store = store
        self.pod = Pod(store, output, claim(minute), made_from)
        self.pod.look()
        for sensor in made_from:
            self.pod.deliver(
                sensor, rejects=(rejects or {}).get(sensor, ()), observed=(observed or {}).get(sensor)
            )
        self.sensors = [*made_from, *(others or {})]
        self.claim = self.pod.outputs.claim
        self.order = order_of(output, self.sensors, self.claim, name)
        outcome = Outcome(Header(self.claim.run, 0, 0, self.claim.attempt), self.sensors, Stopwatch())
        outcome.decide_all({**self.pod.decided, **(others or {})}.items())
        self.decided = outcome.decisions()
        self.detail = outcome.detail()
        store.put(f"runs/{self.claim.run}/outcomes/00000.{self.claim.attempt}.json", self.detail)

    def publish(self, decisions: Decisions | None = None, claim: Claim | None = None) -> Published:
        """Publishes it."""
        return publish(
            self.store,
            self.order,
            claim or self.claim,
            decisions or decisions_of(self.decided),
            self.sensors,
            Log(),
        )

"""The write stage: puts predictions into the store, unless later ones stand there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorer.contract.outcome import Decision, SensorError
from scorer.contract.paths import rejected_path
from scorer.decisions import (
    agreed,
    changed,
    claim_rejected,
    clear_rejected,
    put_rejected,
    scored,
    superseded,
    withdraw,
)
from scorer.fence import TRIES, Verdict, verdict
from scorer.fetch import Fetched, Kept, undone
from scorer.outputs import Outputs
from scorer.shard_writer import Decided, Item, ShardWriter
from scorer.storage import ConflictError, NotFoundError, StorageError, UnavailableError

if TYPE_CHECKING:
    from scorer.predictions import Prediction

MAX_PREDICTION_BYTES = 256 * 1024 * 1024
"""Of a prediction file that is put again as it is."""


class Deliveries:
    """The way of predictions into the store. Writer threads give to it at the same time.

    In shards a prediction waits until all the pack's sensors of its shard are through, so a decision may be
    returned by the call for another sensor. What is not returned is not decided.
    """

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._shards = ShardWriter(outputs) if outputs.sharded else None

    def give(self, sensor: str, result: Decision | Kept) -> Decided:
        """Takes what needs no scoring, and returns the decisions that are final by it."""
        if isinstance(result, Kept):
            if verdict(result.prior.metadata, result.fingerprint, self._outputs.claim) is Verdict.RAISE:
                return self._raise(sensor, result)
            result = result.decision
        return [(sensor, result), *(self._shards.through(sensor) if self._shards else [])]

    def write(self, fetched: Fetched, prediction: Prediction) -> Decided:
        """Writes a prediction, and returns the decisions that are final by it. Storage's errors are such."""
        sensor = fetched.sensor
        about = {"readings": [file.path for file in fetched.readings.files]}
        try:
            prediction.check(self._outputs.sharded)
            rejected_file = self._write_rejected(fetched, prediction)
            if not self._shards:
                return [(sensor, self._write(fetched, prediction, rejected_file, about))]
        except (StorageError, SensorError) as error:
            return self.give(sensor, undone(sensor, error))
        summary = prediction.summary(fetched.fingerprint, rejected_file)
        return self._shards.through(sensor, Item(fetched.fingerprint, summary, prediction.rows, about))

    def _write_rejected(self, fetched: Fetched, prediction: Prediction) -> str:
        """Writes the rejected rows, which come before the prediction that counts them; returns their path."""
        outputs, prior = self._outputs, fetched.prior
        path = rejected_path(fetched.sensor, outputs.span)
        if prediction.readings.rejects:
            from scorer.rejected import encode

            data = encode(prediction.readings)
            put_rejected(outputs.store, path, data, fetched.fingerprint, outputs.claim)
            return path
        clear_rejected(outputs.store, prior.metadata if prior else None, outputs.claim)
        return ""

    def _write(
        self, fetched: Fetched, prediction: Prediction, rejected_file: str, about: dict[str, Any]
    ) -> Decision:
        """Puts a file of the sensor's own."""
        outputs, sensor, prior = self._outputs, fetched.sensor, fetched.prior
        path = outputs.path(sensor)
        data = prediction.encode(outputs.output.format)
        summary = prediction.summary(fetched.fingerprint, rejected_file, data)
        for _ in range(TRIES):
            found = verdict(prior.metadata if prior else None, fetched.fingerprint, outputs.claim)
            if prior and found is Verdict.GIVE_WAY:
                withdraw(outputs.store, summary, outputs.claim)
                return superseded(sensor, prior.metadata, path, about)
            if prior and found is Verdict.AGREE:
                return agreed(prior.metadata, path, outputs.claim, about)
            try:
                outputs.store.put(
                    path,
                    data,
                    summary.metadata(outputs.claim),
                    if_match=prior.etag if prior else None,
                    if_none_match=prior is None,
                )
            except ConflictError:
                # Another pod's, or our own first try whose answer was lost: the metadata tells.
                prior = outputs.current(path)
                if not rejected_file:
                    clear_rejected(outputs.store, prior.metadata if prior else None, outputs.claim)
                continue
            return scored(summary, path, about)
        raise UnavailableError(f"{path} was changed by others {TRIES} times while it was being written")

    def _raise(self, sensor: str, kept: Kept) -> Decided:
        """Claims a prediction that an earlier run has made."""
        if self._shards:
            return self._shards.through(sensor, Item(kept.fingerprint))
        try:
            return [(sensor, self._put_again(sensor, kept))]
        except StorageError as error:
            return [(sensor, undone(sensor, error))]

    def _put_again(self, sensor: str, kept: Kept) -> Decision:
        """Metadata alone cannot be put on a condition, so the same bytes go with it."""
        outputs = self._outputs
        path = outputs.path(sensor)
        for _ in range(TRIES):
            try:
                there = outputs.store.get(path, MAX_PREDICTION_BYTES)
            except NotFoundError:
                return changed(sensor, path)
            found = verdict(there.metadata, kept.fingerprint, outputs.claim)
            if found is Verdict.GIVE_WAY:
                return superseded(sensor, there.metadata, path)
            if found is Verdict.WRITE:
                return changed(sensor, path)
            if found is Verdict.AGREE:
                return kept.decision
            claim_rejected(outputs.store, there.metadata, outputs.claim)
            try:
                claimed = {**there.metadata, **outputs.claim._asdict()}
                outputs.store.put(path, there.data, claimed, if_match=there.etag)
            except ConflictError:
                continue
            return kept.decision
        raise UnavailableError(f"{path} was changed by others {TRIES} times while it was being written")

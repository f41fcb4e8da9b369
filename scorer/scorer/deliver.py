"""The write stage: puts predictions into the store, unless later ones stand there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorer.contract.outcome import SCORED, SKIPPED, Decision
from scorer.fence import done, prediction_metadata, stands_against
from scorer.fetch import Fetched, Kept, undone
from scorer.outputs import Outputs
from scorer.storage import ConflictError, StorageError, UnavailableError

if TYPE_CHECKING:
    from scorer.predictions import Prediction

TRIES = 5
"""Conflicts on one object before giving up: each means that another pod has just written it."""


class Deliveries:
    """The way of predictions into the store. Writer threads give to it at the same time."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs

    def give(self, sensor: str, result: Decision | Kept) -> list[tuple[str, Decision]]:
        """Takes what needs no writing, and returns the decisions that are final by it."""
        return [(sensor, result.decision if isinstance(result, Kept) else result)]

    def write(self, fetched: Fetched, prediction: Prediction) -> list[tuple[str, Decision]]:
        """Writes a prediction, and returns the decisions that are final by it. Storage's errors are such."""
        try:
            return [(fetched.sensor, self._write(fetched, prediction))]
        except StorageError as error:
            return [(fetched.sensor, undone(fetched.sensor, error))]

    def _write(self, fetched: Fetched, prediction: Prediction) -> Decision:
        outputs, prior = self._outputs, fetched.prior
        path = outputs.path(fetched.sensor)
        about: dict[str, Any] = {
            "prediction": path,
            "readings": [file.path for file in fetched.readings.files],
            "fingerprint": fetched.fingerprint,
            "model": fetched.version.name,
        }
        if prediction.readings.rejected:
            about["rejectedBy"] = prediction.readings.rejected
        rows, anomalies = prediction.readings.rows, prediction.anomalies
        metadata = prediction_metadata(outputs.claim, fetched.fingerprint, rows, anomalies)
        for _ in range(TRIES):
            mine = prior and done(prior.metadata, fetched.fingerprint)
            if prior and stands_against(prior.metadata, outputs.claim) and not mine:
                later = prior.metadata["run"]
                why = f"sensor {fetched.sensor}: {path} holds the prediction of the later run {later}"
                return Decision(SKIPPED, "Superseded", why, detail=about)
            try:
                if not mine:
                    outputs.store.put(
                        path,
                        prediction.encode(),
                        metadata,
                        if_match=prior.etag if prior else None,
                        if_none_match=prior is None,
                    )
            except ConflictError:
                # Another pod's, or our own first try whose answer was lost: the metadata tells.
                prior = outputs.prior(fetched.sensor)
                continue
            return Decision(SCORED, rows=rows, anomalies=anomalies, detail=about)
        raise UnavailableError(f"{path} was changed by others {TRIES} times while it was being written")

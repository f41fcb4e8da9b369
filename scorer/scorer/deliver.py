"""The write stage: puts a prediction into the store, unless a later one stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorer.contract.outcome import SCORED, SKIPPED, Decision
from scorer.fence import Claim, done, prediction_metadata, stands_against
from scorer.fetch import Fetched, head_or_none
from scorer.storage import ConflictError, Store, UnavailableError

if TYPE_CHECKING:
    from scorer.score import Prediction

TRIES = 5
"""Conflicts on one object before giving up: each means that another pod has just written it."""


def deliver(store: Store, claim: Claim, fetched: Fetched, prediction: Prediction) -> Decision:
    """Writes the prediction and decides the sensor. Raises StorageError."""
    prior = fetched.prior
    about: dict[str, Any] = {
        "prediction": fetched.output,
        "readings": [path for path, _ in fetched.readings],
        "fingerprint": fetched.fingerprint,
        "model": fetched.model_version,
    }
    if prediction.rejected:
        about["rejectedBy"] = prediction.rejected
    metadata = prediction_metadata(claim, fetched.fingerprint, prediction.rows, prediction.anomalies)
    for _ in range(TRIES):
        if prior and stands_against(prior.metadata, claim) and not done(prior.metadata, fetched.fingerprint):
            later = prior.metadata["run"]
            why = f"sensor {fetched.sensor}: {fetched.output} holds the prediction of the later run {later}"
            return Decision(SKIPPED, "Superseded", why, detail=about)
        try:
            if not (prior and done(prior.metadata, fetched.fingerprint)):
                store.put(
                    fetched.output,
                    prediction.data,
                    metadata,
                    if_match=prior.etag if prior else None,
                    if_none_match=prior is None,
                )
        except ConflictError:
            # Another pod's, or our own first try whose answer was lost: the metadata tells.
            prior = head_or_none(store, fetched.output)
            continue
        return Decision(SCORED, rows=prediction.rows, anomalies=prediction.anomalies, detail=about)
    raise UnavailableError(f"{fetched.output} was changed by others {TRIES} times while it was being written")

"""The output side: where predictions lie, and what is known of those that are there already.

Imports neither numpy nor pyarrow: the read stage asks it before those are loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scorer.contract.paths import output_path
from scorer.contract.work import Output
from scorer.fence import Claim
from scorer.storage import NotFoundError, Store
from scorer.window import Window


class Prior(NamedTuple):
    """A sensor's prediction that is there already: its object's ETag, and what `scorer.fence` says of it."""

    etag: str
    metadata: Mapping[str, str]


class Outputs:
    """The predictions of one window. Reader and writer threads ask it at the same time."""

    def __init__(
        self, store: Store, output: Output, span: Window, claim: Claim, sensors: Sequence[str]
    ) -> None:
        self.store = store
        self.output = output
        self.claim = claim
        self.sensors = sensors
        self._span = span

    def path(self, sensor: str) -> str:
        """The object that holds the sensor's predictions."""
        return output_path(self.output.path, sensor, self._span)

    def prior(self, sensor: str) -> Prior | None:
        """The prediction that is there, None if there is none. Raises StorageError."""
        try:
            head = self.store.head(self.path(sensor))
        except NotFoundError:
            return None
        return Prior(head.etag, head.metadata)

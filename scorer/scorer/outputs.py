"""The output side: where predictions lie, and what is known of those that are there already.

Imports neither numpy nor pyarrow: the read stage asks it before those are loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scorer.contract.outcome import SensorError
from scorer.contract.paths import is_of_one_window, output_folder, output_path, shard_of, shard_path
from scorer.contract.work import SHARDED, Output
from scorer.fence import Claim
from scorer.shard_index import There, look
from scorer.storage import ConflictError, NotFoundError, StorageError, Store, TooLargeError
from scorer.window import Window

MAX_COUNT_BYTES = 1024
LIST_FROM = 32
"""Sensors of a pack from which on the folder is listed once, instead of asking for each one's prediction."""
LIST_MOST = 50_000
"""Entries of the folder beyond which that would be no gain: ten requests' answers."""


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
        self.span = span
        self.claim = claim
        self.sensors = sensors
        self._locks = {} if not self.sharded else {self.shard(sensor): threading.Lock() for sensor in sensors}
        self._there: dict[int, There] = {}
        self._noting = threading.RLock()
        self._noted = False
        self._listing = threading.Lock()
        self._listed = len(sensors) < LIST_FROM
        self._paths: frozenset[str] | None = None

    @property
    def sharded(self) -> bool:
        """Whether many sensors share an object."""
        return self.output.layout == SHARDED

    def shard(self, sensor: str) -> int:
        """The sensor's shard."""
        return shard_of(sensor, self.output.shards)

    def path(self, sensor: str) -> str:
        """The object that holds the sensor's predictions."""
        if self.sharded:
            return self.shard_path(self.shard(sensor))
        return output_path(self.output.path, sensor, self.span)

    def shard_path(self, shard: int) -> str:
        """The object of a shard."""
        return shard_path(self.output.path, shard, self.span)

    def prior(self, sensor: str) -> Prior | None:
        """The prediction that is there, None if there is none.

        In shards it is as it was when the shard's first sensor was asked for: an index is read once. Raises
        StorageError, and SensorError for a shard that this scorer cannot write to.
        """
        if self.sharded:
            there = self.seen(self.shard(sensor))
            entry = there.sensors.get(sensor)
            return None if entry is None or there.etag is None else Prior(there.etag, entry)
        path, listed = self.path(sensor), self._paths_there()
        if listed is not None and path not in listed:
            return None  # if one has come since, the conditional write finds out
        return self.current(path)

    def _paths_there(self) -> frozenset[str] | None:
        """What lies in the predictions' folder, as it was when it was first asked for; None if unknown.

        A request less for each sensor of a window that is scored for the first time, as nearly all are.
        """
        with self._listing:
            if not self._listed:
                self._listed = True
                self._paths = self._list()
            return self._paths

    def _list(self) -> frozenset[str] | None:
        folder = output_folder(self.output.path, self.span)
        if not folder or not is_of_one_window(self.output.path):
            return None
        found = set()
        try:
            for entry in self.store.list(folder):
                found.add(entry.path)
                if len(found) > LIST_MOST:
                    return None
        except StorageError:
            return None  # not allowed perhaps: asking for each one tells what is wrong, and with which
        return frozenset(found)

    def current(self, path: str) -> Prior | None:
        """The sensor's own object at this path as it is now. Raises StorageError."""
        try:
            head = self.store.head(path)
        except NotFoundError:
            return None
        return Prior(head.etag, head.metadata)

    def seen(self, shard: int) -> There:
        """The shard as it was when it was first asked for. Raises StorageError and SensorError."""
        with self._locks[shard]:
            there = self._there.get(shard)
            if there is None:
                there = self.checked(shard, look(self.store, self.shard_path(shard)))
                if there.etag is None:
                    self._check_count()
                self._there[shard] = there
            return there

    def _check_count(self) -> None:
        """Raises SensorError if the window's predictions at this path have another number of shards."""
        try:
            found = self.store.get(self._count_path(), MAX_COUNT_BYTES).data
        except NotFoundError:
            return
        except TooLargeError as error:
            raise SensorError("OutputCorrupt", f"{error}: delete the window's predictions") from error
        if found != self._count():
            raise SensorError(
                "OutputCorrupt",
                f"{self._count_path()} says {found.decode(errors='replace')[:80]}: wanted shards = "
                f"{self.output.shards}; delete the window's predictions, or write to another path",
            )

    def note_count(self) -> None:
        """Holds the window's predictions at this path to one number of shards: a sensor lies in one of them.

        To be called before the first shard is written. Raises StorageError, and SensorError for another
        number.
        """
        with self._noting:
            if not self._noted:
                with contextlib.suppress(ConflictError):
                    self.store.put(self._count_path(), self._count(), if_none_match=True)
                self._check_count()
                self._noted = True

    def _count(self) -> bytes:
        return json.dumps({"shards": self.output.shards}).encode()

    def _count_path(self) -> str:
        folder = output_folder(self.output.path, self.span)
        name = f"_shards-{hashlib.sha256(self.output.path.encode()).hexdigest()[:16]}.json"
        return f"{folder}/{name}" if folder else name

    def checked(self, shard: int, there: There) -> There:
        """The same, if it is one of as many shards as are wanted. Raises SensorError."""
        if there.contents and (there.contents.shard, there.contents.shards) != (shard, self.output.shards):
            found = f"shard {there.contents.shard} of {there.contents.shards}"
            raise SensorError(
                "OutputCorrupt",
                f"{self.shard_path(shard)} is {found}: wanted shard {shard} of {self.output.shards}; "
                "delete the window's predictions, or write to another path",
            )
        return there

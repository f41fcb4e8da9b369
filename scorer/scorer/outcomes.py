"""Reads a run's outcomes from the store: what all attempts at all its chunks said of their sensors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from scorer.ahead import Ahead
from scorer.contract.outcome import UNDECIDED
from scorer.errors import InputError
from scorer.storage import Store

T = TypeVar("T")

READERS = 16
"""Requests at the same time: what is waited for here is the network."""
MAX_OUTCOME_BYTES = 16 * 1024 * 1024

Told = Mapping[str, Any]
"""What an outcome says, or says of one sensor."""
TOLD_BYTES = 4096
"""Of one sensor, about: its path names and digests, as Python's objects."""


def held(outcome: Told) -> int:
    """Bytes that an outcome takes, about."""
    return TOLD_BYTES * len(outcome["sensors"])


def in_order(names: Sequence[str], read: Callable[[str], T], size: Callable[[T], int]) -> Iterator[T]:
    """Reads by several threads, not far ahead of the one that takes, in the order of the names.

    What `read` raises is raised when its turn comes.
    """

    def guarded(name: str) -> T | BaseException:
        try:
            return read(name)
        except BaseException as error:  # noqa: BLE001 (raised again below)
            return error

    ahead: Ahead[T | BaseException] = Ahead(
        names, guarded, lambda found: 0 if isinstance(found, BaseException) else size(found), READERS
    )
    try:
        for _ in names:
            found = ahead.get()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        ahead.close()


def outcome_paths(store: Store, uid: str) -> list[str]:
    """Where the run's outcomes lie, in order of chunk, then attempt. Raises StorageError."""
    return [entry.path for entry in store.list(f"runs/{uid}/outcomes") if entry.path.endswith(".json")]


def read_outcome(store: Store, path: str) -> Told:
    """One attempt's outcome. Raises InputError for what is none, and StorageError."""
    try:
        outcome = json.loads(store.get(path, MAX_OUTCOME_BYTES).data)
        if not isinstance(outcome, dict) or not isinstance(outcome["sensors"], list):
            raise TypeError("sensors")
        last_words([outcome])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} is not an outcome of the scorer: {error!r:.200}") from error
    return outcome


def last_words(outcomes: Iterable[Told]) -> dict[str, Told]:
    """For each sensor, in the run's order, what the newest attempt that decided it says; else the newest."""
    heard: dict[str, tuple[str, Told]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: (outcome["chunk"], outcome["attempt"])):
        hear(heard, outcome, lambda told: told)
    return {sensor: told for sensor, (_, told) in heard.items()}


def hear(heard: dict[str, tuple[str, T]], outcome: Told, keep: Callable[[Told], T]) -> None:
    """Adds what an attempt says, which is later than those of its chunk that were heard before.

    Of each sensor its state is kept, and what `keep` makes of the rest.
    """
    alone = len(outcome["sensors"]) == 1
    for told in outcome["sensors"]:
        before = heard.get(told["sensor"])
        if before is None or told["state"] != UNDECIDED or before[0] == UNDECIDED:
            # A sensor alone in its pod cost all of the pod's time, not only that of its own work.
            seconds = outcome["stagesMs"]["total"] / 1000 if alone else told.get("seconds", 0.0)
            heard[told["sensor"]] = told["state"], keep({**told, "seconds": seconds})

"""Which sensors a run has: from a table, from what lies in the store, or from another run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from scorer.contract.paths import shard_of
from scorer.contract.preparing import MODELS, DiscoverSource, LeftSource, Source, TableSource
from scorer.contract.publishing import read_decisions
from scorer.contract.work import MAX_SENSORS, MAX_SHARDS, SHARDED
from scorer.errors import InputError
from scorer.listed import Listed, list_path, read_all
from scorer.prepare.discover import with_model, with_readings
from scorer.prepare.errors import SensorsError
from scorer.storage import NotFoundError

if TYPE_CHECKING:
    from scorer.contract.work import Output, WorkOrder
    from scorer.logs import Log
    from scorer.storage import Store


def resolve(store: Store, order: WorkOrder, source: Source, log: Log) -> list[Listed]:
    """The sensors as they are now, each once, in the order of the run's list.

    None of them may be in the table that the order's `only` names; else there is at least one. Raises
    StorageError, and SensorsError for what gives no list.
    """
    found = _found(store, order, source, log)
    if not found:
        raise SensorsError(f"{_words(order, source)}: found no sensors; wanted at least one")
    if order.only:
        wanted = {each.sensor for each in _table(store, order.only, order, log)}
        found = [each for each in found if each.sensor in wanted]
        log.info(f"table {order.only} names {len(wanted)} sensors: {len(found)} of them are the run's")
    return in_order(found, order.output)


def in_order(found: Iterable[Listed], output: Output) -> list[Listed]:
    """By name; with predictions in shards by shard, and by name within. Raises SensorsError."""
    by_name = sorted(found, key=lambda each: each.sensor)
    if output.layout != SHARDED or not by_name:
        return by_name
    _check_shards(by_name, output.shards)
    return sorted(by_name, key=lambda each: shard_of(each.sensor, output.shards))


def shard_sizes(listed: Sequence[Listed], output: Output) -> list[int]:
    """How many sensors each shard has; empty without shards."""
    if output.layout != SHARDED:
        return []
    if not listed:
        return []
    sizes = Counter(shard_of(each.sensor, output.shards) for each in listed)
    return [sizes[shard] for shard in range(output.shards)]


def _check_shards(listed: Sequence[Listed], shards: int) -> None:
    """Raises SensorsError for a shard that no pod can hold."""
    shard, most = _largest(listed, shards)
    if most <= MAX_SENSORS:
        return
    enough = shards
    while enough < MAX_SHARDS and _largest(listed, enough)[1] > MAX_SENSORS:
        enough = min(MAX_SHARDS, enough * 2)
    found = f"shard {shard} of {shards} has {most} of the {len(listed)} sensors"
    raise SensorsError(f"output.shards: {found}; wanted at most {MAX_SENSORS}, so at least {enough} shards")


def _largest(listed: Sequence[Listed], shards: int) -> tuple[int, int]:
    return Counter(shard_of(each.sensor, shards) for each in listed).most_common(1)[0]


def _found(store: Store, order: WorkOrder, source: Source, log: Log) -> list[Listed]:
    if isinstance(source, TableSource):
        return _table(store, source.path, order, log)
    if isinstance(source, DiscoverSource):
        if source.of == MODELS:
            return [Listed(name) for name in with_model(store, order.model.path, source.prefix, log)]
        return [
            Listed(name) for name in with_readings(store, order.readings, order.window, source.prefix, log)
        ]
    return _left(store, source)


def _table(store: Store, path: str, order: WorkOrder, log: Log) -> list[Listed]:
    from scorer.prepare.table import read_table  # here: nothing else needs what decodes tables

    return read_table(store, path, order.window, log)


def _left(store: Store, source: LeftSource) -> list[Listed]:
    """What another run failed on or never decided, with what its table gave."""
    path = list_path(source.run)
    try:
        _, listed = read_all(store, path, source.sha256)
    except NotFoundError as error:
        raise SensorsError(f"the list of run {source.run} is gone: {error}") from error
    except InputError as error:
        raise SensorsError(str(error)) from error
    decisions = read_decisions(source.decisions, len(listed))
    return [listed[place] for place in sorted(decisions.failed | decisions.undecided)]


def _words(order: WorkOrder, source: Source) -> str:
    if isinstance(source, TableSource):
        return f"table {source.path}, in {order.window}"
    if isinstance(source, DiscoverSource):
        named = f" whose name begins with {source.prefix}" if source.prefix else ""
        if source.of == MODELS:
            return f"models at {order.model.path}{named}"
        return f"readings at {order.readings.path} in {order.window}{named}"
    return f"what run {source.run} left undone"

"""The list of a run's sensors in the store, `runs/{uid}/sensors`: written once, read in parts.

    {"v":1,"total":2,"block":256,"sizes":[37],"sha256":["..."]}
    device-1-tag-1
    device-1-tag-2<tab>{"model":"pump-a","threshold":0.25,"owner":"plant-2"}

The first line, the head, has size and digest of each block of lines after it; the operator keeps the head's
own digest. So a pod reads its few lines of a long list, and they are checked on the very bytes, without all
the others: a list of 100,000 sensors has 6 MB and more, its head 30 kB.

Imports neither numpy nor pyarrow: a pod reads its list before those are loaded.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from scorer.contract.paths import is_sensor_name
from scorer.contract.sensors import NOTHING_GIVEN, Given, SensorsInStore, sensor_names
from scorer.contract.work import MAX_RUN_SENSORS, UsageError, WorkOrder
from scorer.errors import InputError
from scorer.storage import ConflictError, NotFoundError, Store

VERSION = 1
BLOCK = 256
"""Sensors whose lines have one digest."""
FIRST_BYTES = 65_536
"""What is asked for first: the longest head, and all of a list of some hundred sensors."""
MAX_WORD = 128
"""Characters of a group or an owner."""
MAX_LINE_BYTES = 4096
"""The longest has 3,271: two names, a number, and two words of letters that are 12 bytes each in JSON."""
MAX_BLOCK_BYTES = BLOCK * MAX_LINE_BYTES


class Listed(NamedTuple):
    """A sensor of the list, and what the run's table gives it."""

    sensor: str
    given: Given = NOTHING_GIVEN


class Head(NamedTuple):
    """What the first line says; `digest` is its own, which the operator keeps."""

    total: int
    block: int
    sizes: Sequence[int]
    sha256: Sequence[str]
    length: int
    digest: str


def list_path(uid: str) -> str:
    """Where a run's list lies."""
    return f"runs/{uid}/sensors"


def encode(listed: Sequence[Listed]) -> bytes:
    """The list's bytes."""
    lines = [_line(each) for each in listed]
    blocks = [b"".join(lines[start : start + BLOCK]) for start in range(0, len(lines), BLOCK)]
    head = json.dumps(
        {
            "v": VERSION,
            "total": len(listed),
            "block": BLOCK,
            "sizes": [len(block) for block in blocks],
            "sha256": [hashlib.sha256(block).hexdigest() for block in blocks],
        },
        separators=(",", ":"),
    ).encode()
    return b"".join((head, b"\n", *blocks))


def pin(store: Store, uid: str, listed: Sequence[Listed]) -> tuple[Head, list[Listed]]:
    """Writes the run's list, unless one is there: then that is it. Raises StorageError and InputError."""
    path = list_path(uid)
    data = encode(listed)
    head = _read_head(data, path)  # before it is there to stay
    try:
        store.put(path, data, if_none_match=True)
    except ConflictError:
        return read_all(store, path)
    return head, list(listed)


def read_all(store: Store, path: str, sha256: str = "") -> tuple[Head, list[Listed]]:
    """A whole list, of this digest if one is given. Raises StorageError and InputError."""
    head, start = _head(store, path, sha256)
    return head, list(_lines(store, path, head, start, 0, head.total))


def read_part(store: Store, wanted: SensorsInStore) -> list[Listed]:
    """The sensors that a work order names. Raises StorageError, and InputError for another list."""
    try:
        head, start = _head(store, wanted.path, wanted.sha256)
    except NotFoundError as error:
        raise InputError(f"the run's list of sensors is gone: {error}") from error
    if wanted.first + wanted.size > head.total:
        raise InputError(
            f"{wanted.path} lists {head.total} sensors: wanted {wanted.size} from place {wanted.first} on"
        )
    return list(_lines(store, wanted.path, head, start, wanted.first, wanted.size))


def known(store: Store, order: WorkOrder) -> tuple[WorkOrder, tuple[str, ...]]:
    """The sensors of an order, and the order with what the run's table gives them.

    Raises StorageError, and UsageError for a list that is not the one that the order means.
    """
    if not isinstance(order.sensors, SensorsInStore):
        return order, sensor_names(order.sensors)
    try:
        listed = read_part(store, order.sensors)
    except InputError as error:
        raise UsageError(str(error)) from error
    return order._replace(given=given_by(listed)), names_of(listed)


def _head(store: Store, path: str, sha256: str) -> tuple[Head, bytes]:
    """The list's head, and its first bytes, as many as were read."""
    data = store.get_range(path, 0, FIRST_BYTES)
    head = _read_head(data, path)
    if sha256 and head.digest != sha256:
        raise InputError(f"{path} is another list: found sha256 {head.digest}, wanted {sha256}")
    return head, data


def _read_head(data: bytes, path: str) -> Head:
    line, newline, _ = data.partition(b"\n")
    try:
        if not newline:
            raise ValueError("its first line does not end")
        told: dict[str, Any] = json.loads(line)
        if told["v"] != VERSION:
            raise ValueError(f"v is {told['v']!r}, this scorer understands {VERSION}")
        digest = hashlib.sha256(line).hexdigest()
        head = Head(told["total"], told["block"], told["sizes"], told["sha256"], len(line) + 1, digest)
        _check_head(head)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{path} is not a list of sensors: {str(error)[:200]}") from error
    return head


def _check_head(head: Head) -> None:
    """Raises ValueError and TypeError."""
    for name, value, most in (("total", head.total, MAX_RUN_SENSORS), ("block", head.block, MAX_RUN_SENSORS)):
        if type(value) is not int or not 0 < value <= most:
            raise ValueError(f"{name} is {value!r}, wanted 1 to {most}")
    blocks = -(-head.total // head.block)
    if len(head.sizes) != blocks or len(head.sha256) != blocks:
        raise ValueError(f"it has {len(head.sizes)} blocks, wanted {blocks}")
    if not all(type(size) is int and 0 < size <= MAX_BLOCK_BYTES for size in head.sizes):
        raise ValueError(f"sizes are not those of blocks of at most {MAX_BLOCK_BYTES} bytes")


def _lines(store: Store, path: str, head: Head, start: bytes, first: int, size: int) -> Iterator[Listed]:
    """The sensors from place `first` on; `start` is what is there of the list's beginning."""
    numbers = range(first // head.block, (first + size - 1) // head.block + 1)
    begin = head.length + sum(head.sizes[: numbers.start])
    length = sum(head.sizes[number] for number in numbers)
    data = start[begin : begin + length]
    if len(data) < length:
        data = store.get_range(path, begin, length)
    lines: list[bytes] = []
    at = 0
    for number in numbers:
        block = data[at : at + head.sizes[number]]
        at += len(block)
        found = hashlib.sha256(block).hexdigest()
        if found != head.sha256[number]:
            raise InputError(
                f"{path} was changed: block {number} has sha256 {found}, its head says {head.sha256[number]}"
            )
        lines += block.splitlines()
    skipped = first - numbers.start * head.block
    wanted = lines[skipped : skipped + size]
    if len(wanted) != size:
        raise InputError(f"{path} has {len(wanted)} lines from place {first} on: wanted {size}")
    seen: set[str] = set()
    for place, line in enumerate(wanted, start=first):
        listed = _listed(line, path, place)
        if listed.sensor in seen:
            raise InputError(f"{path} holds {listed.sensor} twice")
        seen.add(listed.sensor)
        yield listed


def _line(listed: Listed) -> bytes:
    given = {name: value for name, value in listed.given._asdict().items() if value not in ("", None)}
    text = f"\t{json.dumps(given, separators=(',', ':'))}" if given else ""
    return f"{listed.sensor}{text}\n".encode()


def _listed(line: bytes, path: str, place: int) -> Listed:
    name, _, rest = line.decode("utf-8", "replace").partition("\t")
    try:
        if not is_sensor_name(name):
            raise ValueError(f"{name[:80]!r} is no sensor's name")
        return Listed(name, given_of(json.loads(rest)) if rest else NOTHING_GIVEN)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(f"{path}, place {place}: {str(error)[:200]}") from error


def given_of(told: Any) -> Given:
    """What a line says beside the name, checked. Raises ValueError, TypeError and OverflowError."""
    given = Given(**told)
    if not all(isinstance(word, str) for word in (given.model, given.group, given.owner)):
        raise ValueError("model, group and owner are to be texts")
    if given.model and not is_sensor_name(given.model):
        raise ValueError(f"model {given.model[:80]!r} is no name of a model")
    if given.threshold is not None and (
        isinstance(given.threshold, bool)
        or not isinstance(given.threshold, int | float)
        or not math.isfinite(given.threshold)
    ):
        raise ValueError(f"threshold {given.threshold!r} is no number")
    for word in (given.group, given.owner):
        if len(word) > MAX_WORD or not word.isprintable():
            raise ValueError(f"{word[:80]!r} is no word of at most {MAX_WORD} printable characters")
    return given


def names_of(listed: Iterable[Listed]) -> tuple[str, ...]:
    """The names alone."""
    return tuple(each.sensor for each in listed)


def given_by(listed: Iterable[Listed]) -> Mapping[str, Given]:
    """What the table gives, by sensor; those that it gives nothing are left out."""
    return {each.sensor: each.given for each in listed if each.given != NOTHING_GIVEN}

"""The contract with the scorer: exit codes, names, path templates, work order, outcome message.

The scorer has its own module of this name; neither imports the other, and `tests/contract/*.json` holds both
to the same vectors. What comes from a pod is untrusted input: whoever may write a pod's termination message
must not be able to harm more than that pod's own sensors, so `parse_message` bounds and checks everything and
raises `ContractError` for the rest.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any, Literal, NoReturn

Json = dict[str, Any]

VERSION = 1
MESSAGE_LIMIT = 4096  # bytes; the kubelet cuts a termination message there, which would leave broken JSON
TEXT_LIMIT = 256  # bytes of one sensor's sentence, and of anything else that is copied into a status
NAMES_INLINE = 100  # above that a work order refers to the pinned list, to keep argv and etcd small
NUMBER_LIMIT = (
    2**40
)  # of one message; so the sums over 100,000 Jobs stay within the status' int64 whatever pods say
BLOB_NAME_LIMIT = 1024  # characters, of Azure
MODEL_FILE_ROOM = 61  # below a sensor's folder: /VERSION/model.safetensors
SENSORS_FILE = "/etc/sensorscore/sensors/names"
CONTAINER = "scorer"


class ContractError(ValueError):
    """Something does not keep the contract; its text names the field and what was wanted."""


class Exit(IntEnum):
    """How a scoring pod's process ends."""

    OK = 0
    USAGE = 64
    PARTIAL = 65
    INTERNAL = 70
    RETRY = 75
    TIMEOUT = 124
    TERMINATED = 143


FAIL_JOB = (Exit.USAGE, Exit.PARTIAL)  # a further attempt would end the same way


class State(StrEnum):
    """What a sensor is, so far."""

    SCORED = "Scored"
    SKIPPED = "Skipped"
    FAILED = "Failed"
    UNDECIDED = "Undecided"


# Names ------------------------------------------------------------------------------------------------------

_SENSOR_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_REASON = re.compile(r"[A-Z][A-Za-z]{0,63}")


def is_sensor_name(name: str) -> bool:
    """Whether `name` can be a label's value and one segment of a path."""
    return _SENSOR_NAME.fullmatch(name) is not None


def job_name(run: str, uid: str, chunk: int, incarnation: int) -> str:
    """Name of a chunk's Job, at most 56 characters; the same for the same work: made twice is made once."""
    return f"{run[:40].rstrip('-.')}-{chunk}-{digest8(f'{uid}/{chunk}/{incarnation}')}"


def digest8(text: str) -> str:
    """Eight letters and digits that are `text`'s own, usable in an object's name."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest())[:8].decode().lower()


def rfc3339(time: datetime) -> str:
    """`time` as Kubernetes writes it: UTC, whole seconds, Z."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# Path templates ---------------------------------------------------------------------------------------------

Template = Literal["model", "readings", "output"]
_DATE_TOKENS = frozenset({"{yyyy}", "{MM}", "{dd}", "{HH}"})
_TOKENS: Mapping[Template, frozenset[str]] = {
    "model": frozenset({"{sensor}"}),
    "readings": frozenset({"{sensor}"}) | _DATE_TOKENS,
    "output": frozenset({"{sensor}"}) | _DATE_TOKENS,
}


def check_template(field: Template, path: str) -> None:
    """Raise `ContractError` for a path that is not relative, leaves the store, or holds an unknown token."""
    where = f"{field}.path"
    if not path or len(path) > 512:
        raise ContractError(f"{where} is {'empty' if not path else 'too long'}; wanted 1 to 512 characters")
    if "\\" in path or not path.isprintable():
        found = "\\" if "\\" in path else "a control character, or a blank that only looks like one"
        raise ContractError(f"{where} {path!r} holds {found}; wanted a path with / between its segments")
    longest = len(path.replace("{sensor}", "x" * 63)) + (MODEL_FILE_ROOM if field == "model" else 0)
    if longest > BLOB_NAME_LIMIT:
        raise ContractError(
            f"{where} {path!r} can become {longest} characters long; wanted at most {BLOB_NAME_LIMIT}"
        )
    if path.startswith("/"):
        raise ContractError(f"{where} {path!r} begins with /; wanted a path relative to the store")
    for segment in path.split("/"):
        if segment in ("", ".", ".."):
            raise ContractError(
                f"{where} {path!r} holds the segment {segment or 'empty'!r}; wanted names between single /"
            )
    _check_tokens(field, path)


def _check_tokens(field: Template, path: str) -> None:
    known = _TOKENS[field]
    for token in re.findall(r"\{[^{}]*\}|[{}]", path):
        if token not in known:
            raise ContractError(f"{field}.path {path!r} holds {token}; wanted only {' '.join(sorted(known))}")
    if "{sensor}" not in path and field != "readings":
        raise ContractError(f"{field}.path {path!r} has no {{sensor}}; wanted a path of each sensor's own")


# Work order -------------------------------------------------------------------------------------------------


def work_sensors(names: tuple[str, ...], first: int) -> Json:
    """The `sensors` of a work order: the names themselves, or where in the pinned list they stand."""
    if len(names) <= NAMES_INLINE:
        return {"names": list(names)}
    return {"file": SENSORS_FILE, "from": first, "count": len(names)}


def arguments(work: Json) -> list[str]:
    """The container's arguments; the image's entry point stands before them."""
    return ["run", "--work", json.dumps(work, separators=(",", ":"), ensure_ascii=True)]


# Outcome message --------------------------------------------------------------------------------------------

POD_STAGES = ("import", "read", "score", "write", "total")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of readings: read = scored + rejected + duplicate."""

    read: int = 0
    scored: int = 0
    rejected: int = 0
    duplicate: int = 0

    def __add__(self, other: Rows) -> Rows:
        """The sum of both."""
        return Rows(
            self.read + other.read,
            self.scored + other.scored,
            self.rejected + other.rejected,
            self.duplicate + other.duplicate,
        )


@dataclass(frozen=True, slots=True)
class Message:
    """What one attempt says of its pack; `codes` is (how many, state, reason) in the pack's order."""

    attempt: str
    final: bool
    codes: tuple[tuple[int, State, str], ...]
    rows: Rows
    anomalies: int
    stages_ms: Mapping[str, int]
    sentences: Mapping[str, str]
    in_hand: str = ""

    def sensors(self) -> Iterator[tuple[State, str]]:
        """(state, reason) of each sensor in the pack's order."""
        for count, state, reason in self.codes:
            for _ in range(count):
                yield state, reason

    @property
    def decided_count(self) -> int:
        """How many sensors are Scored, Skipped or Failed."""
        return sum(count for count, state, _ in self.codes if state is not State.UNDECIDED)


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose message it must be."""

    run: str
    chunk: int
    incarnation: int
    size: int


def parse_message(text: str, expected: Expected) -> Message:
    """Read a termination message; raises `ContractError` for all but `expected`'s well-formed one."""
    data = _load(text)
    for key, wanted in (
        ("v", VERSION),
        ("run", expected.run),
        ("chunk", expected.chunk),
        ("incarnation", expected.incarnation),
    ):
        found = data.get(key)
        if type(found) is not type(wanted) or found != wanted:
            raise ContractError(f"{key} is {_shown(found)}; wanted {wanted!r}")
    rows = Rows(
        **{
            name: _count(_object(data, "rows"), name, "rows")
            for name in ("read", "scored", "rejected", "duplicate")
        }
    )
    if rows.read != rows.scored + rows.rejected + rows.duplicate:
        raise ContractError(f"rows do not add up: {rows}; wanted read = scored + rejected + duplicate")
    anomalies = _count(data, "anomalies")
    if anomalies > rows.scored:
        raise ContractError(f"anomalies is {anomalies}; wanted at most the {rows.scored} rows scored")
    final = data.get("final")
    if not isinstance(final, bool):
        raise ContractError(f"final is {_shown(final)}; wanted true or false")
    stages = _object(data, "stagesMs")
    return Message(
        attempt=clean(_text(data, "attempt")),
        final=final,
        codes=_codes(_text(data, "codes"), _legend(data), expected.size),
        rows=rows,
        anomalies=anomalies,
        stages_ms={name: _count(stages, name, "stagesMs") for name in POD_STAGES if name in stages},
        sentences=_sentences(data),
        in_hand=clean(_text(data, "inHand")) if "inHand" in data else "",
    )


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """`text` without control characters and lone surrogates, at most `limit` bytes of whole characters."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain.encode("utf-8", "ignore")[:limit].decode("utf-8", "ignore").strip()


def _load(text: str) -> Json:
    if len(text.encode("utf-8", "surrogatepass")) > MESSAGE_LIMIT:
        raise ContractError(f"message has more than {MESSAGE_LIMIT} bytes")
    try:
        # Old bytes may stand behind a message that was rewritten in place by a shorter one: read the first
        # value only.
        data, _ = json.JSONDecoder(parse_constant=_no_constant).raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"message is not JSON: {clean(str(error), 80)}") from None
    if not isinstance(data, dict):
        raise ContractError(f"message is {_shown(data)}; wanted an object")
    return data


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _shown(value: object) -> str:
    return clean(repr(value), 60)


def _object(data: Json, key: str) -> Json:
    value = data.get(key)
    if not isinstance(value, dict):
        raise ContractError(f"{key} is {_shown(value)}; wanted an object")
    return value


def _text(data: Json, key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str):
        raise ContractError(f"{key} is {_shown(value)}; wanted a text")
    return value


def _count(data: Json, key: str, where: str = "") -> int:
    value = data.get(key)
    if type(value) is not int or not 0 <= value <= NUMBER_LIMIT:  # bool is an int to Python
        raise ContractError(
            f"{where}{'.' if where else ''}{key} is {_shown(value)}; wanted a whole number, not negative"
        )
    return value


def _legend(data: Json) -> dict[str, tuple[State, str]]:
    legend: dict[str, tuple[State, str]] = {}
    for letter, meaning in _object(data, "legend").items():
        state, _, reason = meaning.partition("/") if isinstance(meaning, str) else ("", "", "")
        known = state in set(State) and (reason == "" if state == State.SCORED else _REASON.fullmatch(reason))
        if not known or len(letter) != 1 or letter.isdigit():
            raise ContractError(
                f"legend says {_shown(letter)} is {_shown(meaning)}; wanted a letter for a known State/Reason"
            )
        legend[letter] = (State(state), reason)
    return legend


def _codes(
    text: str, legend: Mapping[str, tuple[State, str]], size: int
) -> tuple[tuple[int, State, str], ...]:
    codes: list[tuple[int, State, str]] = []
    total = 0
    for digits, letter in re.findall(r"([0-9]*)([^0-9]|$)", text):
        if not letter and not digits:
            continue
        if letter not in legend:
            raise ContractError(f"codes hold {_shown(letter)}, which is not in legend")
        if len(digits) > 6 or digits.startswith("0"):
            raise ContractError(f"codes count {_shown(digits)} sensors; wanted {size}")
        count = int(digits) if digits else 1
        total += count
        codes.append((count, *legend[letter]))
    if total != size:
        raise ContractError(f"codes speak of {total} sensors; wanted {size}")
    return tuple(codes)


def _sentences(data: Json) -> dict[str, str]:
    failures = data.get("failures")
    if not isinstance(failures, list):
        raise ContractError(f"failures is {_shown(failures)}; wanted a list")
    sentences: dict[str, str] = {}
    for failure in failures:
        if not isinstance(failure, dict):
            raise ContractError(f"failures hold {_shown(failure)}; wanted objects")
        sensor = _text(failure, "sensor")
        if is_sensor_name(sensor):
            sentences[sensor] = clean(_text(failure, "message"))
    return sentences

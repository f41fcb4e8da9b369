"""What a scoring pod says of its sensors: its termination message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from scoring_operator.contract.names import State, is_sensor_name
from scoring_operator.contract.untrusted import (
    ContractError,
    Json,
    a_count,
    a_flag,
    a_text,
    an_object,
    check_head,
    clean,
    load,
    objects,
    shown,
)
from scoring_operator.contract.work import VERSION

POD_STAGES = ("import", "read", "score", "write", "total")
REASON = re.compile(r"[A-Z][A-Za-z]{0,63}")


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
    names: Mapping[int, str] = field(default_factory=dict)  # by place, as far as the message tells them

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
    data = load(text)
    check_head(data, v=VERSION, run=expected.run, chunk=expected.chunk, incarnation=expected.incarnation)
    rows = Rows(
        **{
            name: a_count(an_object(data, "rows"), name, "rows")
            for name in ("read", "scored", "rejected", "duplicate")
        }
    )
    if rows.read != rows.scored + rows.rejected + rows.duplicate:
        raise ContractError(f"rows do not add up: {rows}; wanted read = scored + rejected + duplicate")
    anomalies = a_count(data, "anomalies")
    if anomalies > rows.scored:
        raise ContractError(f"anomalies is {anomalies}; wanted at most the {rows.scored} rows scored")
    stages = an_object(data, "stagesMs")
    return Message(
        attempt=clean(a_text(data, "attempt")),
        final=a_flag(data, "final"),
        codes=_codes(a_text(data, "codes"), _legend(data), expected.size),
        rows=rows,
        anomalies=anomalies,
        stages_ms={name: a_count(stages, name, "stagesMs") for name in POD_STAGES if name in stages},
        sentences=_sentences(data),
        names=_names(data, expected.size),
        in_hand=clean(a_text(data, "inHand")) if "inHand" in data else "",
    )


def _legend(data: Json) -> dict[str, tuple[State, str]]:
    legend: dict[str, tuple[State, str]] = {}
    for letter, meaning in an_object(data, "legend").items():
        state, _, reason = meaning.partition("/") if isinstance(meaning, str) else ("", "", "")
        known = state in set(State) and (reason == "" if state == State.SCORED else REASON.fullmatch(reason))
        if not known or len(letter) != 1 or letter.isdigit():
            raise ContractError(
                f"legend says {shown(letter)} is {shown(meaning)}; wanted a letter for a known State/Reason"
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
            raise ContractError(f"codes hold {shown(letter)}, which is not in legend")
        if len(digits) > 6 or digits.startswith("0"):
            raise ContractError(f"codes count {shown(digits)} sensors; wanted {size}")
        count = int(digits) if digits else 1
        total += count
        codes.append((count, *legend[letter]))
    if total != size:
        raise ContractError(f"codes speak of {total} sensors; wanted {size}")
    return tuple(codes)


def _sentences(data: Json) -> dict[str, str]:
    """Why, by sensor; under no name what is said of all of a pack whose names the pod could not read."""
    sentences: dict[str, str] = {}
    for failure in objects(data, "failures"):
        sensor = a_text(failure, "sensor")
        if is_sensor_name(sensor):
            sentences[sensor] = clean(a_text(failure, "message"))
        elif "place" in failure:
            sentences.setdefault("", clean(a_text(failure, "message")))
    return sentences


def _names(data: Json, size: int) -> dict[int, str]:
    """Names by place in the pack: told where its list lies in the store, so that nobody else knows them."""
    names: dict[int, str] = {}
    for failure in objects(data, "failures"):
        if "place" in failure and is_sensor_name(a_text(failure, "sensor")):
            place = a_count(failure, "place", "failures")
            if place >= size or place in names:
                raise ContractError(
                    f"failures.place is {place}, perhaps twice; wanted each below {size} once"
                )
            names[place] = a_text(failure, "sensor")
    in_hand = data.get("inHand")
    if size == 1 and isinstance(in_hand, str) and is_sensor_name(in_hand):
        names.setdefault(0, in_hand)
    return names

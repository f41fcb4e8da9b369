"""What a pod says of its sensors: one decision each, in a termination message of less than 4,096 bytes.

The kubelet cuts a message at 4,096 bytes, and half a JSON document says nothing. Run-length letters in the
chunk's order never need more than one character a sensor (`97S2N`, like a CIGAR string), so that 1,000
sensors always fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

VERSION = 1
MESSAGE_BYTES = 4095
FAILURE_BYTES = 256  # of one failure's own message: the first sentence, not a story

SCORED, SKIPPED, FAILED, UNDECIDED = "Scored", "Skipped", "Failed", "Undecided"
NOT_STARTED = f"{UNDECIDED}/NotStarted"

# Runs of the two usual letters by themselves: ten times as fast as one of any letter.
_RUN = re.compile(r"S{2,}|-{2,}|(.)\1+", re.DOTALL)
# One order for all writers: S and - first because people read them, the rest as they come.
_LETTERS = "ABCDEFGHIJKLMNOPQRTUVWXYZabcdefghijklmnopqrstuvwxyz"


class SensorError(Exception):
    """Why one sensor has failed for good: a reason from the contract and one sentence for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Rows(NamedTuple):
    """read = scored + rejected + duplicate, always."""

    read: int = 0
    scored: int = 0
    rejected: int = 0
    duplicate: int = 0

    def plus(self, other: Rows) -> Rows:
        """Both together."""
        return Rows(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class Decision(NamedTuple):
    """How one sensor went: state, the contract's reason (none for Scored), and a sentence for people."""

    state: str
    reason: str = ""
    message: str = ""
    rows: Rows = Rows()
    anomalies: int = 0
    detail: Mapping[str, Any] = {}  # paths, fingerprint, seconds, ...: for runs/…/outcomes only

    @property
    def kind(self) -> str:
        """`Scored`, or `State/Reason`: what a legend explains a letter by."""
        return f"{self.state}/{self.reason}" if self.reason else self.state


class Header(NamedTuple):
    """Which attempt at which chunk a message is of."""

    run: str
    chunk: int
    incarnation: int
    attempt: str


class Letters:
    """Gives each kind of decision a letter, in order of first use."""

    def __init__(self) -> None:
        self._letters = {SCORED: "S", NOT_STARTED: "-"}
        self._free = iter(_LETTERS)

    def of(self, kind: str) -> str:
        """The letter of this kind.

        There are 51 free ones, and fewer kinds in the contract. Should there ever be more, a kind has the
        letter of another one of its state: the state decides what happens next, the reason explains.
        """
        letter = self._letters.get(kind)
        if letter is None:
            letter = next(self._free, "") or self._like(kind)
            self._letters.setdefault(kind, letter)
        return letter

    def _like(self, kind: str) -> str:
        state = kind.partition("/")[0]
        return next(letter for other, letter in self._letters.items() if other.partition("/")[0] == state)

    def legend(self, used: str) -> dict[str, str]:
        """Letter to kind, for the letters used."""
        kinds = {letter: kind for kind, letter in reversed(self._letters.items()) if letter in used}
        return dict(sorted(kinds.items()))


@lru_cache(maxsize=1)  # a message is written more often than its codes change
def encode_codes(letters: str) -> str:
    """Run-length form: `SSSN` becomes `3SN`."""
    return _RUN.sub(lambda run: f"{len(run[0])}{run[0][0]}", letters)


def encode_message(
    header: Header,
    letters: str,
    legend: Mapping[str, str],
    *,
    final: bool,
    rows: Rows,
    anomalies: int,
    stages_ms: Mapping[str, int],
    failures: Iterable[tuple[str, str, str] | tuple[str, str, str, int]],
    in_hand: str | None = None,
) -> bytes:
    """The termination message; of the failures (sensor, reason, message, perhaps place) as many as fit.

    A failure's place in the pack is told to an operator that does not know the pack's names.
    """
    message: dict[str, Any] = {"v": VERSION, **header._asdict(), "final": final}
    message |= {"codes": encode_codes(letters), "legend": dict(legend)}
    if in_hand is not None:
        message["inHand"] = in_hand
    message |= {"rows": rows._asdict(), "anomalies": anomalies, "stagesMs": dict(stages_ms), "failures": []}
    text = _bytes(message)
    room = MESSAGE_BYTES - len(text)
    fitting: list[bytes] = []
    for failure in (_failure(*told) for told in failures):
        room -= len(failure) + 1
        if room < 0:
            break
        fitting.append(failure)
    return text[:-2] + b",".join(fitting) + b"]}"  # into the empty list that ends the message


@lru_cache(maxsize=128)  # more than fit into a message, which says the same ones again and again
def _failure(sensor: str, reason: str, why: str, place: int | None = None) -> bytes:
    told = {"sensor": sensor, "reason": reason, "message": cut_utf8(why, FAILURE_BYTES)}
    return _bytes(told if place is None else told | {"place": place})


def cut_utf8(text: str, size: int) -> str:
    """At most `size` bytes of the text as UTF-8, cut between characters, with … where something was cut."""
    data = text.encode("utf-8", "replace")
    if len(data) <= size:
        return data.decode()
    return data[: size - len("…".encode())].decode("utf-8", "ignore") + "…"


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _bytes(value: Any) -> bytes:
    return _ENCODER.encode(value).encode("utf-8")

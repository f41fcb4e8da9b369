"""What one try at a request came to, and how long to wait before the next: the same of all kinds of sinks."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from scorer.contract.sinks import Place
from scorer.sinks.event import Event

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0


class Taken(NamedTuple):
    """The sink has taken it."""


class Later(NamedTuple):
    """It did not, and may the next time. `after`: seconds that it wants to be left alone."""

    why: str
    after: float = 0.0


class Never(NamedTuple):
    """It will not take this. `all`: nothing that goes to the same place either."""

    why: str
    all: bool = False


Answer = Taken | Later | Never


class Sender(Protocol):
    """What sends to one sink."""

    def batches(self, items: Sequence[tuple[Place, Event]]) -> list[tuple[Place, list[Event]]]:
        """The requests that are needed, always the same of the same items. Raises UnreachableError."""

    def send(self, place: Place, events: Sequence[Event], seconds: float) -> Answer:
        """Sends one of them, once, within so many seconds."""

    def close(self) -> None:
        """Ends what is open."""


class UnreachableError(Exception):
    """A sink that must be asked before anything can be sent did not answer."""

    def __init__(self, answer: Later | Never) -> None:
        super().__init__(answer.why)
        self.answer = answer


def wait_before(tries: int, asked: float, draw: Callable[[], float] = random.random) -> float:
    """Seconds before the next try, after so many: doubling, half by chance; never less than is asked."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(tries - 1, 16))
    return max(asked, longest * (0.5 + 0.5 * draw()))

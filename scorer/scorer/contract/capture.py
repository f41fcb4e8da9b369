"""Paths of Event Hubs Capture: where its files lie, in its own tokens, which users may order as they like.

    {Namespace}/{EventHub}/{PartitionId}/{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}

Azure appends `.avro`, and so does this. The time is when the capture window began, in UTC. From
https://learn.microsoft.com/azure/event-hubs/event-hubs-capture-overview
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from scorer.contract.paths import MAX_TEMPLATE, TemplateError

SOURCE_TOKENS = ("Namespace", "EventHub", "PartitionId")
TIME_TOKENS = ("Year", "Month", "Day", "Hour", "Minute", "Second")
ENDING = ".avro"
LATE_SECONDS, MAX_LATE_SECONDS = 900, 86_400
"""After a window's end, how long its events may be on the way to the hub."""

_TOKEN = re.compile(r"\{([^{}]*)\}")


class Begun(NamedTuple):
    """What a file's name says: which partition it is of, and when its capture window began."""

    source: tuple[str, ...]
    time: datetime


def check_capture_path(path: str) -> str:
    """The template itself, if it can name files of Capture. Raises TemplateError."""
    if not 0 < len(path) <= MAX_TEMPLATE or not path.isprintable() or "\\" in path:
        raise TemplateError(
            f"path {path[:80]!r}: wanted 1 to {MAX_TEMPLATE} characters that can be printed, no \\"
        )
    for segment in path.split("/"):
        if segment in ("", ".", ".."):
            raise TemplateError(f"path {path!r} has the segment {segment!r}{'' if segment else ' (empty)'}")
    tokens = _TOKEN.findall(path)
    known = (*SOURCE_TOKENS, *TIME_TOKENS)
    wanted = " ".join(f"{{{token}}}" for token in known)
    for token in tokens:
        if token not in known:
            raise TemplateError(f"path {path!r} holds {{{token}}}: wanted for the layout capture {wanted}")
        if tokens.count(token) > 1:
            raise TemplateError(f"path {path!r} holds {{{token}}} twice: wanted it once")
    for brace in "{}*":
        if brace in _TOKEN.sub("", path):
            raise TemplateError(
                f"path {path!r} holds a single {brace}: wanted for the layout capture {wanted}"
            )
    for token in TIME_TOKENS:
        if token not in tokens:
            raise TemplateError(
                f"path {path!r} does not hold {{{token}}}: Capture's names have all of {wanted}"
            )
    return path


def capture_segments(path: str) -> list[str]:
    """The template's segments, of which the last one ends `.avro`."""
    return (path if path.endswith(ENDING) else path + ENDING).split("/")


def tokens_of(text: str) -> list[str]:
    """The names of the tokens in it."""
    return _TOKEN.findall(text)


def filled(text: str, known: dict[str, str]) -> str:
    """The text with the tokens filled in that are known."""
    return _TOKEN.sub(lambda token: known.get(token[1], token[0]), text)


@lru_cache(maxsize=64)
def capture_pattern(text: str) -> re.Pattern[str]:
    """What a template, or a segment of one, can be; with a group for each token."""
    first, *rest = _TOKEN.split(text)
    found = re.escape(first)
    for token, literal in zip(rest[::2], rest[1::2], strict=True):
        kind = r"\d{4}" if token == "Year" else r"\d\d" if token in TIME_TOKENS else "[^/]+"  # noqa: S105
        found += f"(?P<{token}>{kind}){re.escape(literal)}"
    return re.compile(found, re.ASCII)


def begun_of(path: str, name: str) -> Begun | None:
    """What the name of a file says by the template `path`; None if it is none of Capture's."""
    fits = capture_pattern("/".join(capture_segments(path))).fullmatch(name)
    if fits is None:
        return None
    told = fits.groupdict()
    try:
        time = datetime(*(int(told[token]) for token in TIME_TOKENS), tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:  # no such day
        return None
    return Begun(tuple(told.get(token, "") for token in SOURCE_TOKENS), time)

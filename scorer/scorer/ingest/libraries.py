"""What the hub's client and other libraries have to say, in the process's own log: a line of JSON each.

Without this Python writes their warnings to stderr as plain text, of several lines, between the log's lines.
"""

from __future__ import annotations

import logging

from scorer.logs import Log

_LONGEST = 500


class _Said(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            said = " ".join(record.getMessage().split())[:_LONGEST]
        except (TypeError, ValueError) as error:  # its arguments do not fit its words
            said = f"{record.msg!s:.200}: {error}"
        say = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        say(said, logger=record.name)


def hear_libraries(log: Log) -> None:
    """From now on warnings and errors of libraries are lines of this log; what is less is dropped."""
    logging.getLogger().handlers = [_Said(log)]

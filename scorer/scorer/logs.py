"""The pod's log: one JSON object a line on stdout, with time, level, run and, where there is one, sensor."""

from __future__ import annotations

import json
import os
import time
from typing import Any

_STDOUT = 1


class Log:
    """Writes lines that carry the same fields throughout."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def info(self, message: str, **fields: Any) -> None:
        """Something that went as it should."""
        self._write("info", message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        """Something a user should know of."""
        self._write("warning", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        """Something that did not go as it should."""
        self._write("error", message, fields)

    def _write(self, level: str, message: str, fields: dict[str, Any]) -> None:
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03}Z"
        line = {"time": stamp, "level": level, "message": message, **self._fields, **fields}
        # One write a line, past any buffer: lines of several threads stay whole, and a killed process loses
        # none.
        os.write(
            _STDOUT, json.dumps(line, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"
        )

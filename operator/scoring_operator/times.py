"""Kubernetes' times: RFC 3339, read as UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_time(text: str) -> datetime:
    """An RFC 3339 time with a zone, as UTC; raises `ValueError`."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    return time.astimezone(UTC)


def time_or_none(text: str | None) -> datetime | None:
    """The time, if there is one."""
    return parse_time(text) if text else None

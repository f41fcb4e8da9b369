"""The one kind of error that the demo shows to people."""

from __future__ import annotations


class DemoError(Exception):
    """What stands in the way, why, and what to do, in a sentence; shown without a traceback."""

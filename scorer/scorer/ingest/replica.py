"""Names of processes: what a replica's next process may take at once from the one before it."""

from __future__ import annotations

import uuid


def process_name(replica: str) -> str:
    """A name for this process that nobody had before; that of its replica stands before the last '/'."""
    return f"{replica}/{uuid.uuid4()}"


def predecessor(owner: str, name: str) -> bool:
    """Whether `owner` was a process of the same replica as `name`; a replica without a name has none."""
    replica = name.rpartition("/")[0]
    return bool(replica) and owner != name and owner.rpartition("/")[0] == replica

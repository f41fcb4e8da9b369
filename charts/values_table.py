"""Writes the values table of the chart's README from values.yaml: each key's comment, and its default.

Run `python -m charts.values_table` after a change of values.yaml; a test holds the two equal.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

CHART = Path(__file__).resolve().parent / "sensorscore"
START, END = "<!-- values: made by charts/values_table.py -->", "<!-- end of values -->"
KEY = re.compile(r"^(?P<indent> *)(?P<name>[A-Za-z0-9_.-]+):")
NOTE = "@schema "


class Key(NamedTuple):
    """One key: where it is, what its comment's first paragraph says, the schema's note in it, its default."""

    path: tuple[str, ...]
    text: str
    note: Mapping[str, Any]
    default: Any


def first_paragraph(comment: list[str]) -> str:
    """The prose of a comment up to its first empty line; what follows is an example."""
    lines = comment[: comment.index("")] if "" in comment else comment
    return " ".join(lines)


def keys(source: str) -> list[Key]:
    """The keys of a values file, in its order. Every key has one space-indented line of its own."""
    values = yaml.safe_load(source)
    found: list[Key] = []
    stack: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in source.splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.strip().removeprefix("#").strip())
            continue
        if match := KEY.match(line):
            indent = len(match["indent"])
            stack = [(depth, name) for depth, name in stack if depth < indent] + [(indent, match["name"])]
            path = tuple(name for _, name in stack)
            default: Any = values
            for name in path:
                default = default[name]
            found.append(_key(path, comment, default))
        comment = []
    return found


def _key(path: tuple[str, ...], comment: list[str], default: Any) -> Key:
    note: dict[str, Any] = {}
    for line in comment:
        if line.startswith(NOTE):
            note |= yaml.safe_load(line.removeprefix(NOTE))
    return Key(path, first_paragraph([line for line in comment if not line.startswith(NOTE)]), note, default)


def rows(source: str) -> list[Key]:
    """The explained keys of a values file."""
    return [key for key in keys(source) if key.text]


def table(source: str) -> str:
    """The table in Markdown. A key whose children are explained one by one shows no default of its own."""
    found = rows(source)
    parents = {row.path[:depth] for row in found for depth in range(1, len(row.path))}
    lines = ["| key | what it is | default |", "|---|---|---|"]
    for row in found:
        default = "" if row.path in parents else f"`{json.dumps(row.default)}`"
        text = row.text.replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| `{'.'.join(row.path)}` | {text} | {default} |")
    return "\n".join(lines)


def with_table(readme: str, source: str) -> str:
    """The README with its table made anew. ValueError: its markers are missing."""
    head, start, rest = readme.partition(START)
    _, end, tail = rest.partition(END)
    if not (start and end):
        raise ValueError(f"README.md lacks the lines {START} and {END}")
    return f"{head}{START}\n{table(source)}\n{END}{tail}"


def main() -> int:
    """Rewrite the README in place."""
    readme = CHART / "README.md"
    source = (CHART / "values.yaml").read_text(encoding="utf-8")
    readme.write_text(with_table(readme.read_text(encoding="utf-8"), source), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

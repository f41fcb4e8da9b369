"""Reads the contract's vectors, which both packages' tests run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "contract"


def vectors(name: str) -> Any:
    """What `tests/contract/<name>.json` holds."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))

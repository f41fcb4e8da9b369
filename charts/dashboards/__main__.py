"""`python -m charts.dashboards`: writes the dashboards' JSON into the chart."""

from __future__ import annotations

import sys
from pathlib import Path

from charts.dashboards import cost, health, ingest, latency, runs
from charts.dashboards.board import text

FOLDER = Path(__file__).resolve().parent.parent / "sensorscore" / "files" / "dashboards"
BOARDS = (runs.BOARD, latency.BOARD, health.BOARD, ingest.BOARD, cost.BOARD)


def texts() -> dict[str, str]:
    """What each file in `FOLDER` is to hold."""
    return {f"{board.name}.json": text(board) for board in BOARDS}


def main() -> int:
    """Writes the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in texts().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A Prometheus that holds the synthetic day of `history.py` and `ingest_history.py`.

    PYTHONPATH=.:tests .venv/bin/python -m monitoring.day docs/pictures

draws the dashboards of that day, as `docs/dashboards.md` shows them.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import scraping, unpacked
from local.commands import run
from local.places import Places
from local.preview.__main__ import main as preview
from local.prometheus import Prometheus
from monitoring import history, ingest_history


@contextmanager
def prometheus(folder: Path) -> Iterator[Prometheus]:
    """It runs on loopback, scrapes nothing, and ends with the block."""
    promtool = unpacked.program(Places.here(), "promtool")
    folder.mkdir(parents=True, exist_ok=True)
    day = folder / "day.txt"
    lines = (*history.lines(), *ingest_history.lines(), "# EOF", "")
    day.write_text("\n".join(lines), encoding="utf-8")
    blocks = ["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=48h", day]
    run([promtool, *blocks, folder / "data"], "making blocks of a day of metrics")
    with Prometheus(folder, scraping.static([])) as started:
        yield started


def main(pictures: Path) -> int:
    """Draws each dashboard of the day as `dashboard-NAME.svg`."""
    with tempfile.TemporaryDirectory() as scratch, prometheus(Path(scratch) / "prometheus") as started:
        out = Path(scratch) / "out"
        when = ("--end", str(history.END), "--hours", str(history.HOURS))
        code = preview(
            ["--prometheus", started.url, "--out", str(out), "--scrape-interval", str(history.SCRAPE), *when]
        )
        for picture in out.glob("*.svg"):
            (pictures / f"dashboard-{picture.name}").write_bytes(picture.read_bytes())
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

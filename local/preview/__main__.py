"""`python -m local.preview`: each dashboard drawn from a Prometheus, as an HTML page and an SVG picture."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from local import promql
from local.backend import choose
from local.console import say
from local.errors import LocalError
from local.places import Places
from local.preview import variables
from local.preview.data import Range
from local.preview.errors import PreviewError
from local.preview.model import Dashboard, everything, load
from local.preview.page import page, picture

ROOT = Path(__file__).resolve().parent.parent.parent
MARGIN_SECONDS, SHORTEST_SECONDS, GRAFANAS_SCRAPE_SECONDS = 60.0, 900.0, 15.0
DASHBOARDS = ROOT / "charts" / "sensorscore" / "files" / "dashboards"


def main(argv: Sequence[str] | None = None) -> int:
    """Draws the dashboards; 1 if one cannot be drawn whole."""
    arguments = _parser().parse_args(argv)
    try:
        url = arguments.prometheus or choose(Places.here()).monitoring().prometheus.url
    except LocalError as problem:
        say(f"error: {problem}")
        return 1
    try:
        return draw(promql.Client(url), arguments)
    except OSError as problem:
        say(f"error: {problem} (asked: Prometheus at {url}; `make demo` leaves one running)")
        return 1
    except LocalError as problem:
        say(f"error: {problem}")
        return 1


def draw(source: promql.Client, arguments: argparse.Namespace) -> int:
    """One page and one picture a dashboard. PreviewError: it cannot be drawn; OSError: nobody answers."""
    files = [Path(file) for file in arguments.dashboards] or sorted(DASHBOARDS.glob("*.json"))
    if not files:
        raise PreviewError(f"no dashboards in {DASHBOARDS}")
    dashboards = {file.stem: load(file) for file in files}
    arguments.out.mkdir(parents=True, exist_ok=True)
    others = [(dashboard.title, f"{name}.html") for name, dashboard in dashboards.items()]
    refused = 0
    for name, dashboard in dashboards.items():
        spread = _range(arguments, source, dashboard)
        drawing = picture(dashboard, source, spread, _values(dashboard, arguments.var))
        (arguments.out / f"{name}.svg").write_text(drawing.svg + "\n", encoding="utf-8")
        (arguments.out / f"{name}.html").write_text(page(dashboard, drawing, others), encoding="utf-8")
        nothing = f"; no data: {', '.join(drawing.empty)}" if drawing.empty else ""
        say(f"  {arguments.out / name}.html: {len(dashboard.panels)} panels{nothing}")
        for reason in drawing.refused:
            say(f"  refused: {reason}")
        refused += len(drawing.refused)
    return 1 if refused else 0


def _range(arguments: argparse.Namespace, source: promql.Client, dashboard: Dashboard) -> Range:
    """The range that was asked for; else the dashboard's own, or as much of it as Prometheus has seen."""
    end = time.time() if arguments.end is None else arguments.end
    scrape = arguments.scrape_interval or _scrape_interval(source)
    if arguments.hours:
        return Range(end - arguments.hours * 3600, end, scrape)
    span = variables.seconds(dashboard.start.removeprefix("now-"))
    first = source.query(f"min(min_over_time(timestamp(up)[{span:.0f}s:30s]))", end)
    seen = end - first[0].value + MARGIN_SECONDS if first else span
    return Range(end - min(span, max(seen, SHORTEST_SECONDS)), end, scrape)


def _scrape_interval(source: promql.Client) -> float:
    """Seconds between scrapes by Prometheus' configuration; what Grafana assumes where that is not told."""
    try:
        settings = yaml.safe_load(source.get("status/config")["yaml"])["global"]
    except promql.QueryError:
        return GRAFANAS_SCRAPE_SECONDS
    return variables.seconds(settings["scrape_interval"])


def _values(dashboard: Dashboard, chosen: Sequence[str]) -> dict[str, str]:
    """What stands for each variable: all, unless another value was asked for."""
    values = everything(dashboard)
    for pair in chosen:
        name, equals, value = pair.partition("=")
        if not equals:
            raise PreviewError(f"--var {pair}: wanted NAME=VALUE")
        values[name] = value
    return values


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.preview", description=__doc__)
    parser.add_argument(
        "dashboards", nargs="*", metavar="FILE", help="dashboards (JSON); default: the chart's"
    )
    parser.add_argument("--prometheus", default="", metavar="URL", help="default: the local cluster's")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "dashboards", metavar="FOLDER")
    parser.add_argument(
        "--hours",
        type=float,
        help="how far back; default: the dashboard's own range, as far as there is data",
    )
    parser.add_argument("--end", type=float, metavar="SECONDS", help="end of the range, seconds since 1970")
    parser.add_argument("--scrape-interval", type=float, metavar="SECONDS", help="default: Prometheus' own")
    parser.add_argument("--var", action="append", default=[], metavar="NAME=VALUE", help="a variable's value")
    return parser


if __name__ == "__main__":
    sys.exit(main())

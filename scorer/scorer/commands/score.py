"""`scorer score`: a window scored here and now, by the very pipeline and publishing that pods run."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scorer import templates
from scorer.clock import Stopwatch
from scorer.commands.arguments import (
    add_model,
    add_readings,
    add_sensors,
    add_store,
    add_window,
    as_argument,
    readings_of,
    store_of,
    window_of,
)
from scorer.commands.chosen import add_chosen, chosen
from scorer.commands.console import say, table
from scorer.commands.jobs import address_of
from scorer.commands.progress import Progress
from scorer.commands.said import Plain, Said, kept_log
from scorer.contract.exits import Exit
from scorer.contract.outcome import FAILED, UNDECIDED, Decision, Header
from scorer.contract.paths import check_apart, names_window, shard_of
from scorer.contract.work import (
    CURRENT,
    MAX_SECONDS,
    MAX_SENSORS,
    OUTPUT_FORMATS,
    OUTPUT_LAYOUTS,
    PARQUET,
    PER_SENSOR,
    SHARDED,
    Output,
    Run,
    WorkOrder,
    model_source,
    output_of,
)
from scorer.errors import InputError
from scorer.fence import Claim
from scorer.logs import Log, log_path
from scorer.outcome import Outcome, outcome_path
from scorer.pipeline import Pipeline
from scorer.window import utc_text

if TYPE_CHECKING:
    from scorer.commands import Subparsers
    from scorer.storage import Store

FEW = 40
"""Sensors that still make a table to read; of more those with most anomalies are shown."""


def add(subparsers: Subparsers) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("score", help="score a window here, without Kubernetes")
    add_store(parser)
    add_window(parser, "readings to score")
    add_sensors(parser)
    add_chosen(parser)
    add_model(parser)
    parser.add_argument(
        "--model-version",
        default=CURRENT,
        metavar="VERSION",
        help="Current (default), AsOfWindowEnd or a name",
    )
    add_readings(parser)
    _add_output(parser)
    for what in ("readings", "model"):
        parser.add_argument(
            f"--on-missing-{what}",
            choices=("Skip", "Fail"),
            default="Skip",
            help=f"a sensor without {what}: %(default)s",
        )
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="write the run's report there")
    parser.set_defaults(command=_score)


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("predictions")
    group.add_argument(
        "--output",
        metavar="PATH",
        help=f"default: {templates.OUTPUT}, or {templates.SHARDS} for shards".replace("%", "%%"),
    )
    group.add_argument(
        "--output-format", choices=OUTPUT_FORMATS, default=PARQUET, help="default: %(default)s"
    )
    group.add_argument("--layout", choices=OUTPUT_LAYOUTS, default=PER_SENSOR, help="default: %(default)s")
    group.add_argument(
        "--allow-overwrite", action="store_true", help="take a path that other windows have too"
    )
    group.add_argument("--shards", type=int, metavar="N", help="files, of many sensors each (default: 1)")


def _score(options: argparse.Namespace) -> int:
    store, clock, order = store_of(options), Stopwatch(), _order(options)
    _check_report(options.report)
    order, sensors = chosen(options, store, order)
    claim = Claim(order.run.created, order.run.uid, clock.attempt())
    told = {"run": order.run.uid, "attempt": claim.attempt}
    with kept_log(
        store, log_path(order.run.name, Header(order.run.uid, 0, 0, claim.attempt)), **told
    ) as kept:
        with Progress("scored", len(sensors)) as progress:
            log = Said(progress, kept, **told)
            decided, defects = _score_packs(store, order, sensors, claim, clock, log)
        log.finish()
        _show(sensors, decided)
        _publish(store, order, claim, [(sensor, decided[sensor]) for sensor in sensors], Plain(kept, **told))
    if options.report:
        _report(store, order, options.report)
    return int(Exit.INTERNAL if defects else _exit(decided))


def _order(options: argparse.Namespace) -> WorkOrder:
    """One work order for all packs: its sensors are told to each pack by itself."""
    now = datetime.now(UTC)
    output = {
        "path": options.output or (templates.SHARDS if options.layout == SHARDED else templates.OUTPUT),
        "format": options.output_format,
        "layout": options.layout,
    } | ({"shards": options.shards} if options.shards is not None else {})
    model = {"path": options.model, "version": options.model_version}
    order = WorkOrder(
        run=Run("local", "local", f"local-{now:%Y%m%dT%H%M%S.%fZ}", utc_text(now)),
        chunk=0,
        incarnation=0,
        window=window_of(options),
        sensors=(),
        store=address_of(options),
        model=as_argument(lambda: model_source(model)),
        readings=readings_of(options),
        output=as_argument(lambda: output_of(output)),
        on_missing_readings=options.on_missing_readings,
        on_missing_model=options.on_missing_model,
        per_attempt_seconds=MAX_SECONDS,
    )
    _check_output(order, options.allow_overwrite)
    return order


def _check_output(order: WorkOrder, allow_overwrite: bool) -> None:
    """Raises InputError for predictions that would overwrite what they are made from, or another window's."""
    path = order.output.path
    check_apart(path, order.readings.path, order.model.path)
    if not allow_overwrite and not names_window(path, order.window):
        raise InputError(
            f"--output {path} is the same for the window before or after {order.window}, whose predictions "
            "would be overwritten: wanted finer date tokens, a longer window, or --allow-overwrite"
        )


def packs(sensors: Sequence[str], output: Output, most: int = MAX_SENSORS) -> list[list[str]]:
    """The sensors in packs, as an operator would make them: sensors of one shard beside each other."""
    ordered = list(sensors)
    if output.layout == SHARDED:
        ordered.sort(key=lambda sensor: shard_of(sensor, output.shards))
    return [ordered[start : start + most] for start in range(0, len(ordered), most)]


def _score_packs(
    store: Store, order: WorkOrder, sensors: Sequence[str], claim: Claim, clock: Stopwatch, log: Log
) -> tuple[dict[str, Decision], int]:
    """Each sensor's decision, and how many met a defect."""
    decided: dict[str, Decision] = {}
    defects = 0
    for chunk, pack in enumerate(packs(sensors, order.output)):
        header = Header(order.run.uid, chunk, order.incarnation, claim.attempt)
        outcome = Outcome(header, pack, clock)
        defects += Pipeline(order._replace(chunk=chunk), store, claim, outcome, log).run()
        store.put(outcome_path(header), outcome.detail())
        for sensor, decision in outcome.decisions():
            seconds = decision.detail.get("seconds", 0.0)  # the rest is in the outcome's detail
            decided[sensor] = decision._replace(detail={"seconds": seconds})
    return decided, defects


def _show(sensors: Sequence[str], decided: dict[str, Decision]) -> None:
    shown = list(sensors)
    if len(shown) > FEW:
        shown.sort(key=lambda sensor: -_share(decided[sensor]))
        shown = shown[:FEW]
    rows = [_row(sensor, decided[sensor]) for sensor in shown]
    say(table(("SENSOR", "STATE", "ROWS", "REJECTED", "ANOMALIES", "SHARE", "SECONDS"), rows))
    kinds = Counter(decision.kind for decision in decided.values())
    if len(sensors) > FEW:
        say(f"and {len(sensors) - FEW} more with fewer anomalies")
    if len(sensors) > FEW or len(kinds) > 1:
        say(f"{len(sensors)} sensors: " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))


def _row(sensor: str, decision: Decision) -> tuple[object, ...]:
    return (
        sensor,
        decision.kind,
        decision.rows.scored,
        decision.rows.rejected,
        decision.anomalies,
        f"{_share(decision):.1%}" if decision.rows.scored else "",
        decision.detail.get("seconds", 0.0),
    )


def _share(decision: Decision) -> float:
    return decision.anomalies / decision.rows.scored if decision.rows.scored else 0.0


def _publish(
    store: Store, order: WorkOrder, claim: Claim, decided: Sequence[tuple[str, Decision]], log: Log
) -> None:
    from scorer.publish.run import publish_local

    published = publish_local(store, order, claim, decided, log)
    say(f"run {order.run.uid}: {published.manifest}")


def _check_report(file: Path | None) -> None:
    """Raises InputError for a report that could not be written: before the work is done."""
    if file is not None:
        try:
            with file.open("a", encoding="utf-8"):
                pass
        except OSError as error:
            raise InputError(f"--report {file} cannot be written: {error.strerror}") from error


def _report(store: Store, order: WorkOrder, file: Path) -> None:
    from scorer.report import page
    from scorer.report.load import load

    page.write(load(store, order.run.uid, f"Window {order.window}", order.window), file)
    say(f"written: {file}")


def _exit(decided: dict[str, Decision]) -> Exit:
    states = {decision.state for decision in decided.values()}
    if UNDECIDED in states:
        return Exit.RETRY
    return Exit.PARTIAL if FAILED in states else Exit.OK

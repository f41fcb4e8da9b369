"""`scorer score`: a window scored here and now, by the very pipeline and publishing that pods run."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorer.clock import Stopwatch
from scorer.commands.arguments import (
    OUTPUT_TEMPLATE,
    add_model,
    add_readings,
    add_sensors,
    add_store,
    add_window,
    as_argument,
    readings_of,
    sensors_of,
    store_of,
    window_of,
)
from scorer.commands.console import complain, say, table
from scorer.commands.jobs import address_of
from scorer.commands.progress import Progress
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
from scorer.logs import Log
from scorer.outcome import Outcome, outcome_path
from scorer.pipeline import Pipeline
from scorer.window import utc_text

if TYPE_CHECKING:
    from scorer.commands import Subparsers
    from scorer.storage import Store

FEW = 40
"""Sensors that still make a table to read; of more those with most anomalies are shown."""
SHOWN_COMPLAINTS = 40
SHARDED_TEMPLATE = "predictions/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet"


def add(subparsers: Subparsers) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("score", help="score a window here, without Kubernetes")
    add_store(parser)
    add_window(parser, "readings to score")
    add_sensors(parser)
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
        help=f"default: {OUTPUT_TEMPLATE}, or {SHARDED_TEMPLATE} for shards".replace("%", "%%"),
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
    sensors = sensors_of(options, store, order.readings.path, order.window)
    claim = Claim(order.run.created, order.run.uid, clock.attempt())
    with Progress("scored", len(sensors)) as progress:
        log = _Said(progress)
        decided, defects = _score_packs(store, order, sensors, claim, clock, log)
    log.finish()
    _show(sensors, decided)
    _publish(store, order, claim, [(sensor, decided[sensor]) for sensor in sensors])
    if options.report:
        _report(store, order, options.report)
    return int(Exit.INTERNAL if defects else _exit(decided))


def _order(options: argparse.Namespace) -> WorkOrder:
    """One work order for all packs: its sensors are told to each pack by itself."""
    now = datetime.now(UTC)
    output = {
        "path": options.output or (SHARDED_TEMPLATE if options.layout == SHARDED else OUTPUT_TEMPLATE),
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


class _Said(Log):
    """The pipeline's log for people: a step of the bar a sensor, a line for what is not as it should be."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._complaints = 0

    def _write(self, level: str, message: str, fields: dict[str, Any]) -> None:
        with self._lock:
            if level != "info":
                self._complaints += 1
                if self._complaints <= SHOWN_COMPLAINTS or "traceback" in fields:
                    self._progress.complain(f"scorer: {message}{fields.get('traceback', '')}")
            if level == "info" or "state" in fields:
                self._progress.step(failed=fields.get("state") in (FAILED, UNDECIDED))

    def finish(self) -> None:
        """How much was not said."""
        if self._complaints > SHOWN_COMPLAINTS:
            complain(f"scorer: and {self._complaints - SHOWN_COMPLAINTS} more like these")


class _Plain(Log):
    """The publish stage's log for people."""

    def _write(self, level: str, message: str, fields: dict[str, Any]) -> None:
        if level != "info":
            complain(f"scorer: {message}{fields.get('traceback', '')}")


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


def _publish(store: Store, order: WorkOrder, claim: Claim, decided: Sequence[tuple[str, Decision]]) -> None:
    from scorer.publish.run import publish_local

    published = publish_local(store, order, claim, decided, _Plain())
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

"""`scorer score`: a window scored here and now, by the very pipeline that pods run."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scorer.clock import Stopwatch
from scorer.commands.arguments import (
    MODEL_TEMPLATE,
    OUTPUT_TEMPLATE,
    READINGS_TEMPLATE,
    add_sensors,
    add_store,
    add_window,
    sensors_of,
    store_of,
    window_of,
)
from scorer.commands.console import complain, say, table
from scorer.contract.exits import Exit
from scorer.contract.outcome import Decision, Header
from scorer.contract.paths import check_model_path, check_output_path, check_readings_path
from scorer.contract.work import (
    MAX_SECONDS,
    ModelSource,
    Output,
    ReadingsSource,
    Run,
    StoreAddress,
    WorkOrder,
)
from scorer.fence import Claim
from scorer.logs import Log
from scorer.outcome import Outcome, outcome_path
from scorer.pipeline import Pipeline
from scorer.window import utc_text

if TYPE_CHECKING:
    from scorer.commands import Subparsers


def add(subparsers: Subparsers) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("score", help="score a window here, without Kubernetes")
    add_store(parser)
    add_window(parser, "readings to score")
    add_sensors(parser)
    parser.add_argument("--model", default=MODEL_TEMPLATE, metavar="PATH", help="default: %(default)s")
    parser.add_argument("--readings", default=READINGS_TEMPLATE, metavar="PATH", help="default: %(default)s")
    parser.add_argument("--output", default=OUTPUT_TEMPLATE, metavar="PATH", help="default: %(default)s")
    for what in ("readings", "model"):
        parser.add_argument(
            f"--on-missing-{what}",
            choices=("Skip", "Fail"),
            default="Skip",
            help=f"a sensor without {what}: %(default)s",
        )
    parser.set_defaults(command=_score)


class _Lines(Log):
    """The pipeline's log as lines for people: what is not as it should be, the rest is in the table."""

    def _write(self, level: str, message: str, fields: dict[str, Any]) -> None:
        if level != "info":
            complain(f"scorer: {message}{fields.get('traceback', '')}")


def _score(options: argparse.Namespace) -> int:
    store, clock = store_of(options), Stopwatch()
    order = _order(options)
    sensors = sensors_of(options, store, order.readings.path, order.window)
    header = Header(order.run.uid, order.chunk, order.incarnation, clock.attempt())
    outcome = Outcome(header, sensors, clock)
    claim = Claim(order.run.created, order.run.uid, header.attempt)
    defects = Pipeline(order, store, claim, outcome, _Lines()).run()
    store.put(outcome_path(header), outcome.detail())
    rows = [_row(sensor, decision) for sensor, decision in outcome.decisions()]
    say(table(("SENSOR", "STATE", "ROWS", "REJECTED", "ANOMALIES", "SHARE", "SECONDS"), rows))
    return int(Exit.INTERNAL if defects else outcome.exit())


def _order(options: argparse.Namespace) -> WorkOrder:
    now = datetime.now(UTC)
    return WorkOrder(
        run=Run("local", "local", f"local-{now:%Y%m%dT%H%M%S.%fZ}", utc_text(now)),
        chunk=0,
        incarnation=0,
        window=window_of(options),
        sensors=(),
        store=StoreAddress(options.store, options.endpoint, options.allow_http),
        model=ModelSource(check_model_path(options.model)),
        readings=ReadingsSource(check_readings_path(options.readings)),
        output=Output(check_output_path(options.output)),
        on_missing_readings=options.on_missing_readings,
        on_missing_model=options.on_missing_model,
        per_attempt_seconds=MAX_SECONDS,
    )


def _row(sensor: str, decision: Decision) -> tuple[object, ...]:
    share = f"{decision.anomalies / decision.rows.scored:.1%}" if decision.rows.scored else ""
    return (
        sensor,
        decision.kind,
        decision.rows.scored,
        decision.rows.rejected,
        decision.anomalies,
        share,
        decision.detail.get("seconds", 0.0),
    )

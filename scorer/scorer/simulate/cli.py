"""`sensorscore-simulate`: readings and events of devices that are not there, and what was found in them."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np

from scorer import templates
from scorer.cli import obey
from scorer.commands.arguments import add_store, store_of, window_of
from scorer.commands.console import complain, say
from scorer.contract.paths import SHARD_TOKEN, check_output_path
from scorer.errors import InputError
from scorer.ingest.checks import duration
from scorer.ingest.settings import MAX_WINDOW
from scorer.settings import before_libraries, settings
from scorer.simulate import options as told
from scorer.simulate.bodies import bodies
from scorer.simulate.labels import write_labels
from scorer.simulate.send import Clock, Hub, send
from scorer.simulate.simulation import Simulation, simulation

OWN, SENT = "own", "sent"


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code; an error a user can cause is one sentence on stderr."""
    before_libraries()
    return obey("sensorscore-simulate", _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sensorscore-simulate", description=__doc__)
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    events = actions.add_parser("events", help="write events as JSON Lines")
    events.add_argument("--out", default="-", metavar="FILE", help="default: standard output")
    landed = actions.add_parser("land", help="put readings into a store, as `scorer land` does")
    add_store(landed)
    landed.add_argument("--readings", default=templates.READINGS, metavar="PATH", help="default: %(default)s")
    sent = actions.add_parser("send", help="send events to Event Hubs")
    _add_send(sent)
    for parser_of, command in ((events, _events), (landed, _land), (sent, _send)):
        told.add_fleet(parser_of)
        told.add_faults(parser_of)
        if parser_of is not landed:
            told.add_network(parser_of)
        parser_of.set_defaults(command=command)
    _add_check(actions.add_parser("check", help="compare predictions with what was injected"))
    return parser


def _add_send(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hub", metavar="NAME", help="unless the connection string names it")
    parser.add_argument(
        "--namespace", metavar="HOST", help="NAME.servicebus.windows.net: sign in by Workload Identity"
    )
    parser.add_argument(
        "--speed", type=float, default=1.0, help="60: an hour in a minute; 0: as fast as it goes; default: 1"
    )
    parser.add_argument(
        "--times",
        choices=(OWN, SENT),
        default=OWN,
        help="that events tell: of the simulated clock, or of the wall's when it comes to that",
    )
    parser.add_argument("--connections", type=int, default=4, help="default: %(default)s")
    parser.epilog = (
        "Without --namespace, its connection string is taken from EVENTHUB_CONNECTION_STRING; with it, a "
        "pod's identity from what Azure's workload identity webhook puts there (AZURE_CLIENT_ID and others)."
    )


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--labels", type=Path, required=True, metavar="FILE")
    add_store(parser)
    parser.add_argument(
        "--predictions", default=templates.OUTPUT, metavar="PATH", help="default: %(default)s"
    )
    parser.add_argument("--window", metavar="START/END", help="default: all that was simulated")
    parser.add_argument(
        "--aggregated",
        default="0s",
        metavar="TIME",
        help="windows that readings were aggregated over, like 5s",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the figures there too")
    parser.set_defaults(command=_check)


def _events(options: argparse.Namespace) -> int:
    simulated = _simulation(options)
    with _labelled(options, simulated), _written(options.out) as file:
        for due in simulated.messages():
            file.writelines(f"{body}\n" for body in bodies(due, simulated.sensors))
    complain(simulated.account())
    return 0


def _land(options: argparse.Namespace) -> int:
    from scorer.simulate.stored import land_blocks

    simulated = _simulation(options)
    with _labelled(options, simulated):
        landed = land_blocks(store_of(options), simulated.blocks, simulated.sensors, options.readings)
    say(
        f"landed {landed.readings} readings in {landed.files} files of {options.store}: {simulated.account()}"
    )
    return 0


def _send(options: argparse.Namespace) -> int:
    import asyncio

    hub = _hub(options)
    if not 0 <= options.speed <= 1e6 or not 1 <= options.connections <= 64:
        raise InputError("--speed is to be 0 to 1000000, --connections 1 to 64")
    if options.times == SENT and not options.speed:
        raise InputError("--times sent goes with a --speed above 0")
    simulated = _simulation(options)
    clock = Clock(simulated.period[0], told.microseconds(datetime.now(UTC)), options.speed)
    stamp = clock.sent if options.times == SENT else None
    due = simulated.messages()
    if stamp:
        due = (each._replace(times=stamp(each.times)) for each in due)
    with _labelled(options, simulated, stamp):
        sent = asyncio.run(send(due, simulated.sensors, hub, clock))
    say(
        f"sent {sent.messages} messages in {sent.batches} batches, {sent.again} tries more than these, "
        f"at most {sent.behind:.1f} s behind: {simulated.account()}"
    )
    return 0


def _hub(options: argparse.Namespace) -> Hub:
    namespace, connection = options.namespace or "", settings().hub_connection_string or ""
    if namespace:
        if "/" in namespace or ":" in namespace or "." not in namespace:
            raise InputError(f"--namespace is {namespace!r}: wanted a host like NAME.servicebus.windows.net")
        if not options.hub:
            raise InputError("--namespace goes with --hub: wanted the name of the Event Hub")
        return Hub("", options.hub, options.connections, namespace)
    if not connection:
        raise InputError(
            "EVENTHUB_CONNECTION_STRING is not set: wanted the namespace's connection string, or --namespace "
            "where a pod has Workload Identity"
        )
    return Hub(connection, options.hub, options.connections)


def _check(options: argparse.Namespace) -> int:
    from scorer.simulate.check import as_json, scored_rows, span_of
    from scorer.simulate.check import told as said
    from scorer.simulate.judge import judge
    from scorer.simulate.labels import read_labels

    check_output_path(options.predictions, sharded=SHARD_TOKEN in options.predictions)
    labelled = read_labels(options.labels)
    span = window_of(options) if options.window else span_of(labelled)
    window = duration(options.aggregated, "--aggregated", 0, MAX_WINDOW)
    rows = scored_rows(store_of(options), options.predictions, span, labelled.sensors)
    verdict = judge(rows, labelled.faults, window)
    if not verdict.rows:
        raise InputError(
            f"no predictions in {span} at {options.predictions}: score the simulated readings first"
        )
    say(said(verdict))
    if options.json:
        try:
            options.json.write_text(json.dumps(as_json(verdict), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{options.json} cannot be written: {error.strerror}") from error
    return 0


def _simulation(options: argparse.Namespace) -> Simulation:
    def now() -> datetime:
        return datetime.now(UTC)

    return simulation(
        told.plan_of(options, now), options.replay, told.start_of(options, now) if options.replay else None
    )


@contextlib.contextmanager
def _labelled(
    options: argparse.Namespace,
    simulated: Simulation,
    stamp: Callable[[np.typing.NDArray[np.int64]], np.typing.NDArray[np.int64]] | None = None,
) -> Iterator[None]:
    """Writes the labels afterwards, also of a simulation that was broken off."""
    try:
        yield
    finally:
        if options.labels:
            facts = {"seed": simulated.plan.seed, "counts": dict(simulated.tally)}
            write_labels(options.labels, simulated.labels(), facts, stamp or (lambda times: times))


@contextlib.contextmanager
def _written(path: str) -> Iterator[IO[str]]:
    if path == "-":
        yield sys.stdout
        return
    try:
        file = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
    with file:
        yield file

"""The command line's options, and the plan that they say."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scorer.errors import InputError
from scorer.ingest.checks import duration
from scorer.simulate.settings import (
    KINDS,
    MAX_LENGTH,
    UNIFORM,
    WAVE,
    Faults,
    Fleet,
    Gaps,
    Network,
    Plan,
    checked,
)
from scorer.window import utc_text, utc_time

NOW = "now"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(time: datetime) -> int:
    """Since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def add_fleet(parser: argparse.ArgumentParser) -> None:
    """Who measures what, or the file that is replayed."""
    usual = Fleet()
    group = parser.add_argument_group("readings")
    group.add_argument(
        "--replay",
        type=Path,
        metavar="FILE",
        help="a table of readings as `scorer land` takes it, in place of a fleet",
    )
    group.add_argument("--seed", type=int, default=0, help="what is drawn (default: %(default)s)")
    group.add_argument("--devices", type=int, default=usual.devices, help="default: %(default)s")
    group.add_argument("--tags", type=int, default=usual.tags, help="of each device; default: %(default)s")
    _length(group, "--every", "5s", "between two readings of a sensor", least=1)
    _length(group, "--for", "1h", "how long", least=1, name="length")
    group.add_argument(
        "--start",
        metavar="TIME",
        help=f"of the first reading: {NOW}, or like (the default) "
        f"{utc_text(_EPOCH + timedelta(microseconds=usual.start))}; "
        "replayed readings stay where they are unless it is given",
    )
    group.add_argument("--signal", choices=(UNIFORM, WAVE), default=usual.signal, help="default: %(default)s")
    group.add_argument("--aligned", action="store_true", help="all devices measure at the same moments")
    group.add_argument(
        "--missing", type=float, default=0.0, metavar="SHARE", help="of readings that are lost"
    )
    group.add_argument(
        "--outages", type=float, default=0.0, metavar="NUMBER", help="of each device in a day, on average"
    )
    _length(group, "--outage", "5m", "how long one is", least=1)


def add_faults(parser: argparse.ArgumentParser) -> None:
    """What is wrong on purpose."""
    usual = Faults()
    group = parser.add_argument_group("faults")
    group.add_argument(
        "--faults", default="0", metavar="KIND=NUMBER,…", help=f"{', '.join(KINDS)}; or one number for each"
    )
    _length(group, "--fault-length", "30m", "of each", least=1)
    group.add_argument(
        "--fault-size", type=float, default=usual.size, help="of the sensor's range; default: %(default)s"
    )
    _length(group, "--clean", "0s", "from the start on without faults, to train on")
    group.add_argument("--labels", type=Path, metavar="FILE", help="writes there what was injected, as JSON")


def add_network(parser: argparse.ArgumentParser) -> None:
    """What becomes of messages on their way."""
    group = parser.add_argument_group("messages")
    group.add_argument("--readings-per-message", type=int, default=1, metavar="NUMBER", help="default: 1")
    _length(group, "--jitter", "0s", "that each message may take: later ones overtake it")
    group.add_argument("--late", type=float, default=0.0, metavar="SHARE", help="of messages that come late")
    _length(group, "--late-by", "1m", "at least, and up to twice that")
    group.add_argument(
        "--duplicates", type=float, default=0.0, metavar="SHARE", help="of messages that come twice"
    )
    _length(group, "--skew", "0s", "by which a device's clock may be wrong")


def plan_of(options: argparse.Namespace, now: Callable[[], datetime]) -> Plan:
    """The plan that the options say. Raises InputError."""
    fleet = Fleet(
        options.devices,
        options.tags,
        options.every,
        start_of(options, now) or Fleet().start,
        options.length,
        options.signal,
        options.aligned,
    )
    gaps = Gaps(options.missing, options.outages, options.outage)
    if options.replay and (gaps.missing or gaps.outages):
        raise InputError(
            "--missing and --outages are of a fleet: with --replay all of the file's readings come"
        )
    faults = Faults(_counts(options.faults), options.fault_length, options.fault_size, options.clean)
    network = (
        Network(
            options.readings_per_message,
            options.jitter,
            options.late,
            options.late_by,
            options.duplicates,
            options.skew,
        )
        if hasattr(options, "jitter")
        else Network()
    )
    return checked(Plan(options.seed, fleet, gaps, faults, network))


def start_of(options: argparse.Namespace, now: Callable[[], datetime]) -> int | None:
    """What `--start` says, None without it. Raises InputError."""
    if options.start is None:
        return None
    return microseconds(now() if options.start == NOW else utc_time(options.start))


def _counts(text: str) -> tuple[int, ...]:
    if text.isdecimal():
        return (int(text),) * len(KINDS)
    counts = dict.fromkeys(KINDS, 0)
    for part in text.split(","):
        kind, _, number = part.strip().partition("=")
        if kind not in counts or not number.isdecimal():
            raise InputError(f"--faults has {part!r}: wanted KIND=NUMBER of {', '.join(KINDS)}, or a number")
        counts[kind] = int(number)
    return tuple(counts.values())


def _length(
    group: argparse._ArgumentGroup, flag: str, default: str, said: str, least: int = 0, name: str = ""
) -> None:
    def read(text: str) -> int:
        try:
            return duration(text, flag, least, MAX_LENGTH)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    group.add_argument(
        flag,
        dest=name or flag.removeprefix("--").replace("-", "_"),
        type=read,
        default=default,
        metavar="TIME",
        help=f"{said}; default: {default}",
    )

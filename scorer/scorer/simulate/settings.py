"""What is simulated. Times are microseconds, those of the clock since 1970 in UTC; shares are 0 to 1."""

from __future__ import annotations

from typing import NamedTuple

from scorer.errors import InputError

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND

UNIFORM, WAVE = "uniform", "wave"
SPIKE, SHIFT, DRIFT, FROZEN, NOISE = "spike", "shift", "drift", "frozen", "noise"
KINDS = (SPIKE, SHIFT, DRIFT, FROZEN, NOISE)
"""Of faults."""

MAX_SENSORS = 1_000_000
MAX_LENGTH = 366 * DAY


class Fleet(NamedTuple):
    """Devices with tags, each pair a sensor, and when they measure: within (start, start + length]."""

    devices: int = 3
    tags: int = 5
    every: int = 5 * SECOND
    """Between two readings of a sensor."""
    start: int = 1_767_225_600 * SECOND
    """2026-01-01T00:00:00Z."""
    length: int = HOUR
    signal: str = UNIFORM
    """`uniform` in the tag's range, as of the Azure reference's simulator; or a daily `wave` with noise."""
    aligned: bool = False
    """All devices measure at the same moments, rather than each at its own within `every`."""


class Gaps(NamedTuple):
    """Readings that there are none of."""

    missing: float = 0.0
    """Share of readings that are lost, each by itself."""
    outages: float = 0.0
    """How often a device falls silent in a day, on average."""
    outage: int = 5 * MINUTE
    """For how long."""


class Faults(NamedTuple):
    """What is wrong with the readings on purpose."""

    counts: tuple[int, ...] = (0,) * len(KINDS)
    """How many of each of KINDS."""
    length: int = 30 * MINUTE
    size: float = 1.3
    """Of the sensor's range."""
    clean: int = 0
    """From the start on without any: what models are trained on."""


class Network(NamedTuple):
    """What becomes of messages on their way, and of the times that devices put in."""

    per_message: int = 1
    """Readings of one device in a message."""
    jitter: int = 0
    """Each message takes up to so long: later ones overtake it."""
    late: float = 0.0
    """Share of messages that come late, by `late_by` and up to twice that."""
    late_by: int = MINUTE
    duplicates: float = 0.0
    """Share of messages that come twice; the second like any other, within `jitter` or a second."""
    skew: int = 0
    """Each device's clock is wrong by up to so much, one way or the other."""


class Plan(NamedTuple):
    """All of it."""

    seed: int = 0
    fleet: Fleet = Fleet()
    gaps: Gaps = Gaps()
    faults: Faults = Faults()
    network: Network = Network()


def checked(plan: Plan) -> Plan:
    """The plan itself. Raises InputError naming the option, what was found and what was wanted."""
    fleet, gaps, faults, network = plan.fleet, plan.gaps, plan.faults, plan.network
    _within("--seed", plan.seed, 0, 2**63 - 1)
    _within("--devices", fleet.devices, 1, MAX_SENSORS)
    _within("--tags", fleet.tags, 1, MAX_SENSORS)
    _within("--devices times --tags", fleet.devices * fleet.tags, 1, MAX_SENSORS)
    if fleet.length < fleet.every:
        raise InputError("--for is shorter than --every: wanted time for one reading at least")
    for name, share in (
        ("--missing", gaps.missing), ("--late", network.late), ("--duplicates", network.duplicates),
    ):  # fmt: skip
        _within(name, share, 0.0, 1.0)
    _within("--outages", gaps.outages, 0.0, 1_000.0)
    _within("--readings-per-message", network.per_message, 1, 10_000)
    _within("--fault-size", faults.size, 0.0, 1_000.0)
    for kind, count in zip(KINDS, faults.counts, strict=True):
        _within(f"--faults {kind}", count, 0, 100_000)
    return plan


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise InputError(f"{name} is {value:g}: wanted {least:g} to {most:g}")

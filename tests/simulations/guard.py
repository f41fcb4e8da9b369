"""How often the guard warns of sensors that are well, and how soon of those that are not.

    python -m simulations.guard             false alarms and detection, as docs/guard.md shows them (minutes)

from the repository's root with PYTHONPATH=.:tests. A short form is a unit test.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2

from scorer.guard.facts import read_facts
from scorer.guard.judge import Records, judge
from scorer.guard.observe import observe
from scorer.guard.words import Finding
from scorer.window import Window
from simulations import trained
from simulations.sensors import FAULTS, Hour, Plan, hours, readings

SEED = 20270701
DAYS = 7
ZERO = datetime(2026, 1, 2, tzinfo=UTC)
ENOUGH_TIMES = 50
"""A clean sensor's training holds at least so many times the rows that its process takes to forget."""
FORGETS = {"AR(1) 0.5": 3, "AR(1) 0.9": 19, "AR(1) 0.97": 66, "AR(1) 0.99": 199}
"""Rows: (1 + r) / (1 - r)."""
WHOLE_DAYS = ("daily", "drift")


class Rate(NamedTuple):
    """Warnings of sensors that are well."""

    sensor_days: int
    warnings: Counter[str]
    first_day: int
    """Of the warnings, those within a sensor's first day."""
    notes: int
    naive: int
    """Warnings of a rule on single windows: flagged more than three times what the training did."""

    @property
    def total(self) -> int:
        """All warnings."""
        return sum(self.warnings.values())

    def per_thousand(self) -> float:
        """Warnings per 1,000 sensors a day."""
        return 1000 * self.total / self.sensor_days

    def bound(self) -> float:
        """The same at most, with 95 % confidence: of a Poisson count, exactly (Garwood, 1936)."""
        return float(1000 * chi2.ppf(0.95, 2 * (self.total + 1)) / 2 / self.sensor_days)

    def plus(self, other: Rate) -> Rate:
        """Both together."""
        return Rate(
            self.sensor_days + other.sensor_days,
            self.warnings + other.warnings,
            self.first_day + other.first_day,
            self.notes + other.notes,
            self.naive + other.naive,
        )


NONE = Rate(0, Counter(), 0, 0, 0)


def clean_plans() -> list[Plan]:
    """Sensors that are well, and whose models were trained on enough."""
    plans = []
    for kind in (
        "normal",
        "uniform, 2 decimals",
        "log-normal",
        *FORGETS,
        "daily, 2 sigma",
        "daily, 10 sigma",
        "daily, in steps",
        "drift, 0.25 sigma",
        "hour-long swings",
    ):
        for hourly, nu in ((60, 0.01), (60, 0.05), (280, 0.001), (280, 0.01), (3600, 0.001), (3600, 0.05)):
            plans.append(Plan(kind, hourly, _hours(kind, hourly, nu), nu))
    return plans


def _hours(kind: str, hourly: int, nu: float) -> int:
    least = max(200, ENOUGH_TIMES * FORGETS.get(kind, 1), 1 / nu)
    shortest = 168 if kind == "hour-long swings" else 24 if kind.startswith(WHOLE_DAYS) else 1
    return next(hour for hour in (1, 4, 24, 72, 168) if hour >= shortest and hour * hourly >= least)


SHORT_PLANS = (
    Plan("daily, 10 sigma", 280, 1, 0.01),
    Plan("AR(1) 0.97", 280, 1, 0.01),
    Plan("AR(1) 0.99", 60, 24, 0.01),
    Plan("hour-long swings", 60, 24, 0.01),
)
"""Trained on less than the process takes to show all of itself: what the guard says of them is right."""

TRAINED_PLANS: tuple[tuple[Plan, int, float | str], ...] = (
    (Plan("normal", 60, 24, 0.01), 1, "scale"),
    (Plan("normal", 60, 24, 0.01), 1, 0.1),
    (Plan("uniform, 2 decimals", 280, 1, 0.01), 1, 0.1),
    (Plan("uniform, 2 decimals", 280, 1, 0.05), 1, "scale"),
    (Plan("AR(1) 0.9", 60, 24, 0.01), 1, "scale"),
    (Plan("daily, 2 sigma", 60, 24, 0.01), 1, "scale"),
    (Plan("normal", 60, 24, 0.01), 3, "scale"),
    (Plan("AR(1) 0.5", 60, 24, 0.05), 10, "scale"),
)


def watched(windows: Iterable[Hour]) -> Iterator[tuple[int, list[Finding], list[Finding]]]:
    """One sensor through the guard: window's number, warnings that begin in it, notes."""
    state: dict[str, Records] = {}
    for number, hour in enumerate(windows):
        if not len(hour.values):
            continue
        start = ZERO + timedelta(hours=number)
        span = Window(start, start + timedelta(hours=1))
        told = observe(hour.model, readings(hour), hour.flagged, span)
        judged = judge(state, span, {"s": read_facts(told)})
        state = judged.state
        yield number, judged.warnings, judged.notes


def false_alarms(
    sensor: Callable[[np.random.Generator], Iterable[Hour]], sensors: int, days: int, seed: int
) -> Rate:
    """What the guard says of so many sensors of a kind over so many days."""
    chance = np.random.default_rng(seed)
    warnings: Counter[str] = Counter()
    first = notes = naive = 0
    for _ in range(sensors):
        windows = list(sensor(chance))
        naive += sum(_odd_alone(hour) for hour in windows)
        for number, began, noted in watched(windows):
            warnings.update(finding.reason for finding in began)
            first += len(began) if number < 24 else 0
            notes += len(noted)
    return Rate(sensors * days, warnings, first, notes, naive)


def _odd_alone(hour: Hour) -> bool:
    usual = hour.model.metadata["training"]["flagged"]
    return bool(hour.flagged.sum() > 3 * usual * len(hour.flagged))


def windows_to_warning(plan: Plan, fault: str, sensors: int, days: int, seed: int) -> list[int | None]:
    """For each sensor: windows from the beginning of the fault, after 30 good ones, to its own warning."""
    chance = np.random.default_rng(seed)
    change, reason = FAULTS[fault]
    found: list[int | None] = []
    for _ in range(sensors):
        windows = [
            hour if number < 30 else change(hour, chance)
            for number, hour in enumerate(hours(plan, 30 + 24 * days, chance))
        ]
        told = (
            number - 29
            for number, began, _ in watched(windows)
            if number >= 30 and any(finding.reason == reason for finding in began)
        )
        found.append(next(told, None))
    return found


def simulated(plan: Plan, days: int) -> Callable[[np.random.Generator], Iterable[Hour]]:
    """A sensor of the plan with a stand-in for a model."""
    return lambda chance: hours(plan, 24 * days, chance)


def real(
    plan: Plan, features: int, gamma: float | str, days: int
) -> Callable[[np.random.Generator], Iterable[Hour]]:
    """A sensor of the plan with a one-class SVM."""
    return lambda chance: trained.hours(plan, features, gamma, 24 * days, chance)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _line(name: str, rate: Rate) -> None:
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(rate.warnings.items())) or "none"
    _say(
        f"| {name} | {rate.sensor_days:,} | {reasons} | {rate.per_thousand():.2f} (<= {rate.bound():.2f}) | "
        f"{rate.first_day} | {1000 * rate.notes / rate.sensor_days:.0f} | "
        f"{1000 * rate.naive / rate.sensor_days:.0f} |"
    )


HEAD = (
    "| sensors | sensor-days | warnings | per 1,000 a day (95 %) | on the first day | notes | naive |\n"
    "|---|---|---|---|---|---|---|"
)


def clean(days: int = DAYS, share: float = 1.0) -> dict[str, Rate]:
    """Sensors that are well, by kind; `share` of as many as docs/guard.md has."""
    kinds: dict[str, Rate] = {}
    for place, plan in enumerate(clean_plans()):
        sensors = max(1, round((40 if plan.hourly == 3600 else 120) * share))
        rate = false_alarms(simulated(plan, days), sensors, days, SEED + place)
        kinds[plan.kind] = kinds.get(plan.kind, NONE).plus(rate)
    return kinds


def total(rates: Iterable[Rate]) -> Rate:
    """All together."""
    return reduce(Rate.plus, rates, NONE)


def main() -> None:
    """The tables of docs/guard.md."""
    _say(f"seed {SEED}, {DAYS} days a sensor\n\n{HEAD}")
    kinds = clean()
    for kind, rate in kinds.items():
        _line(kind, rate)
    _line("**all of them**", total(kinds.values()))
    trained_ones = []
    for place, (plan, features, gamma) in enumerate(TRAINED_PLANS):
        trained_ones.append(false_alarms(real(plan, features, gamma, DAYS), 100, DAYS, SEED + 1000 + place))
        _line(f"one-class SVM, {features} x {plan}, gamma {gamma}", trained_ones[-1])
    _line("**all one-class SVMs**", total(trained_ones))
    for place, plan in enumerate(SHORT_PLANS):
        _line(f"*{plan}*", false_alarms(simulated(plan, DAYS), 60, DAYS, SEED + 2000 + place))
    _detection()


def _detection() -> None:
    plans = (
        Plan("normal", 60, 24, 0.01),
        Plan("uniform, 2 decimals", 280, 1, 0.01),
        Plan("normal", 280, 24, 0.001),
        Plan("normal", 3600, 1, 0.01),
        Plan("AR(1) 0.9", 60, 24, 0.01),
        Plan("daily, 10 sigma", 280, 24, 0.01),
    )
    _say(f"\n| fault | {' | '.join(str(plan) for plan in plans)} |\n|---|{'---|' * len(plans)}")
    for place, fault in enumerate(FAULTS):
        cells = []
        for plan in plans:
            found = windows_to_warning(plan, fault, 60, 8, SEED + 3000 + place)
            told = sorted(windows for windows in found if windows is not None)
            share = f"{len(told)} of {len(found)}"
            cells.append(
                f"{share}: {told[len(told) // 2]}, {told[int(0.95 * len(told))]}" if told else f"{share}"
            )
        _say(f"| {fault} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

"""How often registration's `ManyVectors` is right: `python -m simulations.vectors`, from tests/.

Each model is trained by scikit-learn on one simulated process, and asked about new readings of the same one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from scorer.fit.facts import findings
from simulations.sensors import SERIES

NAME = "ManyVectors"
NEW = 1_000
"""Readings that the model has not seen."""
KINDS = ("normal", "uniform, 2 decimals", "log-normal", "AR(1) 0.9")
USUAL: tuple[float | str, ...] = ("scale", 0.1)
NARROW: tuple[float | str, ...] = (10.0, 100.0)


class Case(NamedTuple):
    """A sensor's readings, and how its model is trained."""

    kind: str
    features: int
    rows: int
    nu: float
    gamma: float | str


class Seen(NamedTuple):
    """What became of it, as shares of rows."""

    case: Case
    vectors: float
    flagged: float
    """Of new readings, not those of the training."""
    warned: bool


def cases(gammas: Iterable[float | str], rows: Iterable[int] = (60, 280, 720)) -> Iterator[Case]:
    """Sensors of every kind."""
    for told in product(KINDS, (1, 3, 10), rows, (0.001, 0.01, 0.05, 0.2), gammas):
        yield Case(*told)


def seen(case: Case, chance: np.random.Generator) -> Seen:
    """One sensor."""
    count = case.rows + NEW
    values = np.column_stack([SERIES[case.kind](count, 60.0, chance) for _ in range(case.features)])
    # Of a process that changes slowly any later stretch is another one: what is normal is drawn from all.
    values = chance.permutation(values)
    model = make_pipeline(StandardScaler(), OneClassSVM(nu=case.nu, gamma=case.gamma))
    model.fit(values[: case.rows])
    vectors = len(model[-1].support_vectors_)
    training = {"rows": case.rows, "supportVectors": vectors, "settings": {"nu": case.nu}}
    warned = any(finding.name == NAME for finding in findings(training))
    return Seen(case, vectors / case.rows, float((model.predict(values[case.rows :]) < 0).mean()), warned)


def all_seen(chosen: Iterable[Case], seed: int = 7) -> list[Seen]:
    """The sensors, from one seed."""
    chance = np.random.default_rng(seed)
    return [seen(case, chance) for case in chosen]


def _line(name: str, found: list[Seen]) -> str:
    warned = [each for each in found if each.warned]
    wrong = sum(each.flagged < 0.25 for each in warned)
    missed = sum(each.flagged > 0.6 for each in found if not each.warned)
    least = f"{min(each.flagged for each in warned):.0%}" if warned else ""
    return f"| {name} | {len(found)} | {len(warned)} | {wrong} | {least} | {missed} |"


def main() -> None:
    """Prints the table of docs/guard.md."""
    lines = ["| models | there are | warned of | of these flag < 25 % | least | not warned, flag > 60 % |"]
    lines.append("|---|---|---|---|---|---|")
    for rows in (60, 280, 720):
        for name, gammas in (("gamma scale and 0.1", USUAL), ("gamma 10 and 100", NARROW)):
            lines.append(_line(f"{rows} rows, {name}", all_seen(cases(gammas, (rows,)))))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

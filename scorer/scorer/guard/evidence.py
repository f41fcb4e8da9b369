"""What one window says for or against each thing that may be wrong with a sensor or its model.

Evidence is counted in windows: a window that leaves no doubt counts 1 for a thing, one that speaks clearly
against it takes half of one away, and one with few rows lies in between, so that sparse sensors need more
windows. That is a cumulative sum of log-likelihood ratios (Page, 1954, Biometrika 41), `NATS` of them to a
window, clipped as in a robust one: no single window, however odd, carries a warning (`scorer.guard.tracks`).

**How often a model should flag.** The share of training rows that it flags is too low an estimate: the border
was fitted to those very rows. For a support vector machine the share of support vectors bounds it from above
(leave-one-out: Vapnik, 1998; Schölkopf and others, 2001, Neural Computation 13, proposition 4), and with an
RBF kernel on simulated readings it is the rate on new ones almost exactly. So the larger of both counts is
the number of training rows that counted as odd, and the rate has a gamma distribution with that shape. *Far*
means ten times the odds. It is tested against the upper end of what the rate may be, so that the chance in
training is no warning; with few odd rows in training, or dependent ones, that end lies high.

**Dependent rows.** Flags of consecutive readings come in clusters. A series of independent flags has runs of
1 / (1 - share) rows; with runs c times as long the count varies as if each c² rows were one (measured on
AR(1) series of r = 0.5 to 0.997 and shares of 0.1 % to 20 %: variance over mean is 1.0 to 1.3 times c²).
Where nothing is flagged there are no runs to measure, and the dependence of the values stands for it.
"""

from __future__ import annotations

import math

from scorer.guard.facts import Facts, Training

CONSTANT, OUTSIDE, ALL, HIGH, LOW, MISSING = "c", "o", "a", "h", "l", "m"
"""What may be wrong. HIGH and LOW are the two directions of a rate that is far from the training's."""

FULL, NOT_AT_ALL = 100, -50
"""Evidence is in hundredths of a window: whole numbers add up to the same in any order."""
HIGHEST = 700
"""A track's sum ends here, so that what has been odd for a week is not odd for another one."""
NATS = 3.0
FAR = 10.0
"""Times the odds."""
ORDINARY = 2.5
"""Times the odds: hours of a day differ by as much, and what is far differs by as much from what is usual."""
EVER = 0.2
"""A share that chance in training never explains, however few rows were odd or dependent on each other."""
Z = 3.3
"""Standard deviations that chance in training is allowed: one sensor in 2,000 is beyond."""
CLUSTERED = 1.2
"""Times c²: see above."""
BATCHED = 3.0
"""Dependence of values over that of their excursions, at least (measured likewise: 3 to 6)."""
ENOUGH_ROWS = 10
"""For a window to count fully where all of its rows must be alike."""
OUTSIDE_SHARE, OUTSIDE_TIMES = 0.25, 10.0
"""A quarter of the rows, and ten times as many as a range of so many training rows leaves outside."""
FEW = 0.4
"""Of the expected rows. Between this and all of them the border lies at 0.65."""
BURSTS = 2.0
"""Variance over mean of rows in a window: devices send in bursts."""


def evidence(facts: Facts) -> dict[str, int]:
    """Hundredths by what may be wrong; left out is what the facts cannot tell."""
    if not facts.rows:
        return {}
    found = {ALL: _alike(facts) if facts.flagged == facts.rows else NOT_AT_ALL, CONSTANT: -HIGHEST}
    if facts.constant:
        found[CONSTANT] = min(FULL, FULL * facts.rows // ENOUGH_ROWS)
    if facts.training:
        found[HIGH] = _hundredths(_high(facts, facts.training))
        found[LOW] = _hundredths(_low(facts, facts.training), least=-HIGHEST)
    if facts.outside is not None:
        trained = facts.training.rows / facts.dependence if facts.training else math.inf
        usual = 2 * facts.features / (trained + 1)
        most = min(0.9, max(OUTSIDE_SHARE, OUTSIDE_TIMES * usual))
        found[OUTSIDE] = _alike(facts) if facts.outside >= most * facts.rows else NOT_AT_ALL
    if facts.expected is not None:
        received = facts.rows + facts.rejected
        nats = (1 - FEW) * facts.expected + received * math.log(FEW)
        found[MISSING] = _hundredths(nats / BURSTS)
    return found


def rate(training: Training) -> float:
    """The share of usual readings that the model is expected to flag."""
    return (_odd(training) + 0.5) / (training.rows + 1)


def _odd(training: Training) -> int:
    return max(training.flagged, training.vectors)


def _high(facts: Facts, training: Training) -> float:
    """Nats for a rate of ten times the odds, against the highest that training allows."""
    share = facts.flagged / facts.rows
    together = clusters(facts.flagged, facts.runs, share)
    odds = _odds(rate(training))
    highest = odds * max(ORDINARY, gamma_ratio((_odd(training) + 0.5) / together, Z))
    usual = min(highest, max(_odds(EVER), ORDINARY * odds))
    far = max(FAR * odds, ORDINARY * usual)
    nats = _log_ratio(facts.flagged, facts.rows, _share(usual), _share(far)) / together
    return _weighed(nats, facts)


def _low(facts: Facts, training: Training) -> float:
    """Nats for a tenth of the lowest rate that training allows, against that."""
    together = max(1.0, facts.dependence / BATCHED)
    lowest = rate(training) * gamma_ratio((_odd(training) + 0.5) / together, -Z)
    if lowest < 1e-9:
        return 0.0
    silent = _log_ratio(0, facts.rows - facts.flagged, lowest, lowest / FAR) / together
    return _weighed(silent, facts) - facts.flagged * math.log(FAR)


def _weighed(nats: float, facts: Facts) -> float:
    """Nats that count at most as much as a window with so many independent rows."""
    return min(nats, NATS) * min(1.0, facts.rows / facts.dependence / ENOUGH_ROWS)


def clusters(flagged: int, runs: int, share: float) -> float:
    """How many flagged rows tell as much as one independent one; at most all of them."""
    if not flagged:
        return 1.0
    longer = flagged / runs * (1 - share)
    return min(float(flagged), max(1.0, CLUSTERED * longer * longer))


def gamma_ratio(shape: float, z: float) -> float:
    """A quantile of a gamma distribution over its mean, `z` standard deviations from the middle.

    Wilson and Hilferty's approximation (1931, PNAS 17), which is none for shapes below 0.05; 0 where it
    would be below.
    """
    shape = max(shape, 0.05)
    return max(0.0, 1 - 1 / (9 * shape) + z / (3 * math.sqrt(shape))) ** 3


def _log_ratio(flagged: int, rows: int, usual: float, far: float) -> float:
    return flagged * math.log(far / usual) + (rows - flagged) * math.log((1 - far) / (1 - usual))


def _alike(facts: Facts) -> int:
    """Evidence of a window whose rows are alike: half as much where they would be anyway."""
    independent = facts.rows / facts.dependence
    return min(FULL if independent >= ENOUGH_ROWS else FULL // 2, FULL * facts.rows // ENOUGH_ROWS)


def _hundredths(nats: float, least: int = NOT_AT_ALL) -> int:
    return round(min(FULL, max(least, FULL * nats / NATS)))


def _odds(share: float) -> float:
    return share / (1 - share)


def _share(odds: float) -> float:
    return odds / (1 + odds)

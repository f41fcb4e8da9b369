"""Random numbers, each purpose with a stream of its own: no option changes what another draws."""

from __future__ import annotations

import numpy as np

PHASES, VALUES, WAVES, MISSING, OUTAGES, SKEWS, FAULTS, NOISE, JITTER, LATE, COPIES = range(11)
"""Purposes. Their numbers are part of what a seed means: new ones go to the end."""


def draws(seed: int, purpose: int, *numbers: int) -> np.random.Generator:
    """The stream of a purpose, and of a block or fault by number."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, purpose, *numbers])))

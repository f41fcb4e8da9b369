"""How to train and what to register: what processes are told. Imports nothing dear."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from scorer import templates
from scorer.contract.work import ReadingsSource
from scorer.fit.estimators import Estimator
from scorer.window import Window


class Settings(NamedTuple):
    """How to train, on what, and where models go."""

    estimator: Estimator = Estimator()
    features: tuple[str, ...] = ("value",)
    readings: ReadingsSource = ReadingsSource(templates.READINGS)
    models: str = templates.MODELS
    refuse_degenerate: bool = False
    """Whether a model that cannot tell normal from not is an error rather than a warning."""


class Incoming(NamedTuple):
    """A file to register. Without a sensor, it is the one that the file says."""

    path: Path
    sensor: str = ""
    sha256: str | None = None
    """That the file must have."""


class Accepted(NamedTuple):
    """What is accepted beside compiled models."""

    pickles: bool = False
    """Whether pickles are loaded, those whose digest is given."""
    window: Window | None = None
    """Whose readings prove a pickle."""
    features: tuple[str, ...] | None = None
    """A pickle's, where it does not know them itself."""

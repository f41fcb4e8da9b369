"""A model file before and after it is registered, and what one should know of it. Needs no scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from scorer.errors import InputError
from scorer.fit.facts import Finding
from scorer.fit.register import Registered


class FitError(InputError):
    """A model that cannot be made of these readings, or should not, in one sentence."""


class Built(NamedTuple):
    """A model file that is not registered yet."""

    data: bytes
    training: Mapping[str, Any]
    findings: tuple[Finding, ...]
    """Why it cannot tell normal from not."""
    notes: tuple[Finding, ...] = ()
    """What else should be known."""


class Trained(NamedTuple):
    """A registered model."""

    registered: Registered
    rows: int
    flagged: float
    """Share of the training readings that the model calls anomalies."""
    findings: tuple[Finding, ...]
    vectors: int | None = None


def trained(registered: Registered, built: Built) -> Trained:
    """What a user should know of a model that is registered now. Of a file of any origin: some may lack."""
    rows, flagged, vectors = (built.training.get(key) for key in ("rows", "flagged", "supportVectors"))
    return Trained(
        registered,
        rows if isinstance(rows, int) else 0,
        flagged if isinstance(flagged, float) else 0.0,
        built.findings + built.notes,
        vectors if isinstance(vectors, int) else None,
    )


def refuse(sensor: str, found: tuple[Finding, ...], strictly: bool) -> None:
    """Raises FitError for a model that cannot tell normal from not, where that is not just to be told."""
    if found and strictly:
        said = "; ".join(f"{each.name}: {each.message}" for each in found)
        raise FitError(f"sensor {sensor}: refused: {said}")

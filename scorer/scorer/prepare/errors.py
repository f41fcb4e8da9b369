"""What keeps a run from being prepared."""

from __future__ import annotations

from scorer.errors import InputError


class SensorsError(InputError):
    """The run's sensors cannot be told: the text names where, what was found and what was wanted."""


class NotReadyError(InputError):
    """The readings that were waited for did not come."""

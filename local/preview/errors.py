"""What a preview says when it cannot go on."""

from __future__ import annotations

from local.errors import LocalError


class PreviewError(LocalError):
    """A dashboard or its Prometheus cannot be used; says which and why."""


class UnsupportedError(PreviewError):
    """The dashboard uses something of Grafana's that the preview does not draw."""

"""Links from panels."""

from __future__ import annotations

from charts.dashboards.panels import Link


def runbook(alert: str) -> Link:
    """To what to do about an alert; where runbooks are is the dashboard's variable `runbooks`."""
    return Link(f"Runbook {alert}", f"${{runbooks}}/{alert}.md")

"""Prometheus metrics of runs and of the operator itself; `catalogue` lists them all."""

from __future__ import annotations

from scoring_operator.metrics.bounds import Bounds
from scoring_operator.metrics.counted import Metrics
from scoring_operator.metrics.gauges import Sources, ViewCollector

__all__ = ["Bounds", "Metrics", "Sources", "ViewCollector"]

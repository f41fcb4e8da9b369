"""Two panels whose expressions have to hold where there are several operators."""

from __future__ import annotations

from charts.dashboards.cost import BUDGET
from charts.dashboards.health import ACTS


def test_the_zero_of_nobody_acts_is_there_only_without_any_operator() -> None:
    assert ACTS.startswith("sum by (cluster, namespace) (")
    assert "or (vector(0) unless on () sensorscore_operator_active" in ACTS


def test_the_days_budget_is_that_of_the_alert() -> None:
    assert BUDGET.startswith("sum by (currency) (max by (cluster, namespace, job, currency) (")

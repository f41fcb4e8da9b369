"""Cost and nodes: what runs use, what that costs, and how much of it is work."""

from __future__ import annotations

from charts.dashboards.board import Board, Section
from charts.dashboards.expressions import DAY, JOB_SECONDS, RANGE, STEP, each_step, share, total
from charts.dashboards.expressions import chosen as of
from charts.dashboards.links import runbook
from charts.dashboards.panels import GREEN, GREY, ORANGE, RED, Query, Spec

COST, NODES = of("sensorscore_cost_total"), of("sensorscore_nodes_cost_estimate_total")
# As SensorscoreCostOverBudget has it: budgets are added, and one that is scraped twice counts once.
EACH_BUDGET = of("sensorscore_cost_budget_per_day", namespaced=False)
BUDGET = f"sum by (currency) (max by (cluster, namespace, job, currency) ({EACH_BUDGET}))"
PODS, NODE_SECONDS = of("sensorscore_pod_seconds_total"), of("sensorscore_nodes_seconds_estimate_total")
SCORED = of("sensorscore_sensors_total", 'result="Scored"')
ON_NODES = of(f"{JOB_SECONDS}_sum", 'stage=~"start|import|read|score|write"')
NO_PRICES = "No prices are set: currency and cpuHourPrice in the operator's settings."
NO_BUDGET = "No budget is set: budgetPerDay in the operator's settings."
NO_NODES = "No estimate: no runtime has node settings."
NO_POD = "No pod of a run was on a node in this time."
OVER_BUDGET = runbook("SensorscoreCostOverBudget")


def _money(by: str, over: str) -> str:
    """Pods' and nodes' cost by a label beside the currency; nodes' where there is an estimate."""
    labels = [*([by] if by else []), "currency"]
    pods, nodes = (
        each_step(series, labels) if over == STEP else total(series, over, labels) for series in (COST, NODES)
    )
    return f"({pods} + {nodes}) or ({pods})"


MONEY = Section(
    "Money",
    (
        Spec(
            "stat",
            "Cost in the chosen time",
            "Requested CPU by the runtimes' prices, and the estimate of what nodes cost beside it while they"
            " boot and stand idle.",
            "none",
            (Query(_money("", RANGE), "{{currency}}"),),
            NO_PRICES,
            6,
            4,
            named=True,
            decimals=2,
        ),
        Spec(
            "stat",
            "Cost of the last 24 hours",
            "As before, of the 24 hours before the end of the chosen time.",
            "none",
            (Query(_money("", DAY), "{{currency}}"),),
            NO_PRICES,
            6,
            4,
            named=True,
            decimals=2,
        ),
        Spec(
            "stat",
            "Used of the day's budget",
            "The cost of the last 24 hours, of the budget for a day.",
            "percentunit",
            (Query(f"(({_money('', DAY)})) / on (currency) {BUDGET}", "{{currency}}"),),
            NO_BUDGET,
            6,
            4,
            ((None, GREEN), (0.8, ORANGE), (1.0, RED)),
            links=(OVER_BUDGET,),
        ),
        Spec(
            "stat",
            "Cost of 1,000 sensors",
            "The cost of the chosen time over the sensors that were scored in it, times 1,000.",
            "none",
            (
                Query(
                    f"1000 * ({_money('', RANGE)}) / on () group_left () ({total(SCORED, RANGE)} > 0)",
                    "{{currency}}",
                ),
            ),
            NO_PRICES,
            6,
            4,
            named=True,
            decimals=4,
        ),
        Spec(
            "lines",
            "Cost of the day before, and the budget",
            "At each point the cost of the 24 hours before it, and what a day may cost.",
            "none",
            (
                Query(_money("", DAY), "cost, {{currency}}"),
                Query(BUDGET, "budget, {{currency}}"),
            ),
            NO_PRICES,
            12,
            limits=("B",),
            decimals=2,
            links=(OVER_BUDGET,),
        ),
        Spec(
            "bars",
            "Cost, by namespace",
            "What runs cost, when the ends of their pods were recorded.",
            "none",
            (Query(_money("namespace", STEP), "{{namespace}}, {{currency}}"),),
            NO_PRICES,
            12,
            decimals=2,
        ),
    ),
)

USE = Section(
    "What runs use",
    (
        Spec(
            "stat",
            "Pod-hours",
            "Time that pods of runs were on nodes, in the chosen time, in hours.",
            "short",
            (Query(f"{total(PODS, RANGE)} / 3600"),),
            NO_POD,
            6,
            4,
        ),
        Spec(
            "stat",
            "CPU-hours requested",
            "CPU that pods of runs requested, times the time they had it, in the chosen time, in hours.",
            "short",
            (Query(f"{total(of('sensorscore_cpu_requested_seconds_total'), RANGE)} / 3600"),),
            NO_POD,
            6,
            4,
        ),
        Spec(
            "stat",
            "Pod-seconds a sensor",
            "Time on nodes for each sensor that was decided, in the chosen time. Packing (sensorsPerJob)"
            " makes it smaller: a pod's start is shared.",
            "s",
            (Query(share(total(PODS, RANGE), total(of("sensorscore_sensors_total"), RANGE))),),
            NO_POD,
            6,
            4,
        ),
        Spec(
            "stat",
            "Nodes idle or booting",
            "Estimate of the share of nodes' time in which they booted or stood idle, in the chosen time:"
            " their boot and idle time by the runtimes' node settings, over that and the pods' time.",
            "percentunit",
            (
                Query(
                    f"{total(NODE_SECONDS, RANGE)}"
                    f" / ({total(NODE_SECONDS, RANGE)} + {total(PODS, RANGE)} > 0)"
                ),
            ),
            NO_NODES,
            6,
            4,
        ),
        Spec(
            "bars",
            "Pods' time, by namespace",
            "Time that pods of runs were on nodes, when their ends were recorded.",
            "s",
            (Query(each_step(PODS, ["namespace"]), "{{namespace}}"),),
            NO_POD,
            8,
        ),
        Spec(
            "bars",
            "CPU-seconds requested, by namespace",
            "CPU that pods of runs requested, times the time they had it, when their ends were recorded.",
            "s",
            (
                Query(
                    each_step(of("sensorscore_cpu_requested_seconds_total"), ["namespace"]), "{{namespace}}"
                ),
            ),
            NO_POD,
            8,
        ),
        Spec(
            "bars",
            "Pods' time and nodes' time beside it",
            "Pods' time on nodes, when their ends were recorded, and the estimate of what nodes take beside"
            " that while they boot and stand idle. Measured node time is the cloud's bill.",
            "s",
            (
                Query(each_step(PODS), "pods"),
                Query(each_step(NODE_SECONDS), "booting and idle (estimate)"),
            ),
            NO_POD,
            8,
            colours={"pods": GREEN, "booting and idle (estimate)": GREY},
        ),
        Spec(
            "bars",
            "What pods do with their time",
            "Of the pods whose ends were recorded: time to start and import, time at work,"
            " and the rest of the pods' time. Work that overlaps counts twice, so that the rest may be 0.",
            "s",
            (
                Query(each_step(of(f"{JOB_SECONDS}_sum", 'stage=~"start|import"')), "start and import"),
                Query(each_step(of(f"{JOB_SECONDS}_sum", 'stage=~"read|score|write"')), "work"),
                Query(f"clamp_min({each_step(PODS)} - {each_step(ON_NODES)}, 0)", "rest"),
            ),
            NO_POD,
            12,
            colours={"start and import": "purple", "work": GREEN, "rest": GREY},
        ),
        Spec(
            "bars",
            "Sensors decided, by namespace",
            "What the cost is for: sensors that were decided, when their Job's outcome was recorded.",
            "short",
            (Query(each_step(of("sensorscore_sensors_total"), ["namespace"]), "{{namespace}}"),),
            "No sensor was decided in this time.",
            12,
        ),
    ),
)

BOARD = Board(
    "cost",
    "Sensorscore / Cost and nodes",
    "What do runs use, what does it cost, and how much of it is work?",
    ("cluster", "namespace"),
    (MONEY, USE),
    runbooks=True,
)

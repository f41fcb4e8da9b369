"""Sections of the dashboard of runs: how things stand now, and whether every window is scored."""

from __future__ import annotations

from charts.dashboards.board import Section
from charts.dashboards.expressions import HOUR, RANGE, each_step, quantile, scheduled, share, some, total
from charts.dashboards.expressions import chosen as of
from charts.dashboards.links import runbook
from charts.dashboards.panels import BLUE, GREEN, NONE_IS_BEST, NONE_IS_GOOD, ORANGE, RED, Column, Query, Spec

PER_SCHEDULE = "by (cluster, namespace, schedule)"
NO_SCHEDULE = "The operator's settings name no schedule: runs are made by hand."
NO_SENSOR = "No sensor was decided in this time."
LAG = f"max {PER_SCHEDULE} ({scheduled('sensorscore_schedule_window_lag_seconds')})"
SETTLE = f"max {PER_SCHEDULE} ({scheduled('sensorscore_schedule_settle_seconds')})"
WINDOW = f"max {PER_SCHEDULE} ({scheduled('sensorscore_schedule_window_seconds')})"
SUSPENDED = f"max {PER_SCHEDULE} ({scheduled('sensorscore_schedule_suspended')})"
BEHIND = f"({LAG} - {SETTLE}) / {WINDOW}"
BEHIND_STEPS = ((None, GREEN), (1.5, ORANGE), (2.25, RED))
SENSORS = of("sensorscore_sensors_total")
ENDED = scheduled("sensorscore_runs_ended_total")


NOW = Section(
    "Now",
    (
        Spec(
            "stat",
            "Schedules behind",
            "Schedules, suspended ones aside, whose newest complete window ended more than one and a half"
            " windows (and the time that late data is waited for) ago: the window after it failed, was missed"
            " or takes too long.",
            "none",
            (Query(some(f"count(({BEHIND} >= 1.5) unless ({SUSPENDED} == 1))")),),
            "No data",
            4,
            4,
            NONE_IS_GOOD,
            links=(runbook("SensorscoreWindowLag"), runbook("SensorscoreRunMissed")),
        ),
        Spec(
            "stat",
            "Age of predictions",
            "How old the newest predictions are, of the schedule that is furthest behind: since the end of"
            " its newest window whose run is Complete. Up to one window and a run's time are normal.",
            "s",
            (Query(f"max({LAG} unless ({SUSPENDED} == 1))"),),
            NO_SCHEDULE,
            4,
            4,
        ),
        Spec(
            "stat",
            "Sensors scored",
            "Share of the decided sensors that were scored, in the chosen time. The others were skipped"
            " (nothing to score) or failed.",
            "percentunit",
            (
                Query(
                    share(
                        total(of("sensorscore_sensors_total", 'result="Scored"'), RANGE),
                        total(SENSORS, RANGE),
                    )
                ),
            ),
            NO_SENSOR,
            4,
            4,
            ((None, RED), (0.95, ORANGE), (0.99, GREEN)),
        ),
        Spec(
            "stat",
            "Sensors failed",
            "Sensors that should have been scored and were not, in the chosen time. A sensor that fails in"
            " each of 24 runs counts 24 times.",
            "locale",
            (Query(total(of("sensorscore_sensors_total", 'result="Failed"'), RANGE)),),
            "No run has ended yet.",
            4,
            4,
            NONE_IS_BEST,
            decimals=0,
            links=(runbook("SensorscoreSensorsFailing"),),
        ),
        Spec(
            "stat",
            "Runs failed",
            "Runs that ended Failed in the chosen time; why is told below.",
            "locale",
            (Query(total(scheduled("sensorscore_runs_ended_total", 'result="Failed"'), RANGE)),),
            "No run has ended yet.",
            4,
            4,
            NONE_IS_GOOD,
            decimals=0,
            links=(runbook("SensorscoreRunFailed"),),
        ),
        Spec(
            "stat",
            "Runs in progress",
            "Runs that are neither over nor suspended: waiting for their turn, for readings or nodes, or"
            " scoring.",
            "none",
            (Query("sum(" + scheduled("sensorscore_runs", 'phase=~"Pending|Waiting|Running"') + ")"),),
            "No run exists, or the operator is not scraped.",
            4,
            4,
        ),
    ),
)

DATE = {"unit": "dateTimeAsIso"}
WINDOWS = Section(
    "Is every window scored?",
    (
        Spec(
            "states",
            "Windows behind, by schedule",
            "Age of each schedule's newest complete window, in windows. Below 1.5 the newest window that can"
            " be scored is scored or in work; from 1.5 on it failed, is missing or late; from 2.25 on the"
            " next one, too.",
            "none",
            (Query(BEHIND, "{{namespace}}/{{schedule}}"),),
            NO_SCHEDULE,
            24,
            5,
            BEHIND_STEPS,
            decimals=1,
            links=(runbook("SensorscoreWindowLag"), runbook("SensorscoreRunMissed")),
        ),
        Spec(
            "table",
            "Schedules",
            "Where each schedule stands: the newest window for which a run was made, when a run was last"
            " Complete, how old the newest predictions are, and how its runs ended in the chosen time.",
            "none",
            (
                Query(BEHIND),
                Query(LAG),
                Query(
                    f"max {PER_SCHEDULE}"
                    f" ({scheduled('sensorscore_schedule_newest_window_end_timestamp_seconds')}) * 1000"
                ),
                Query(
                    f"max {PER_SCHEDULE}"
                    f" ({scheduled('sensorscore_schedule_last_success_timestamp_seconds')}) * 1000"
                ),
                *(
                    Query(
                        total(
                            scheduled("sensorscore_runs_ended_total", 'schedule!=""', f'result="{result}"'),
                            RANGE,
                            ("cluster", "namespace", "schedule"),
                        )
                    )
                    for result in ("Complete", "Failed")
                ),
                Query(SUSPENDED),
            ),
            NO_SCHEDULE,
            24,
            5,
            columns=(
                Column("cluster", "Cluster"),
                Column("namespace", "Namespace"),
                Column(
                    "schedule",
                    "Schedule",
                    {
                        "links": [
                            {
                                "title": "Only this schedule",
                                "url": "/d/sensorscore-runs?${__url_time_range}&${datasource:queryparam}"
                                "&var-namespace=${__data.fields.Namespace}&var-schedule=${__value.raw}",
                            },
                            {
                                "title": "Latency of its namespace's Jobs",
                                "url": "/d/sensorscore-latency?${__url_time_range}&${datasource:queryparam}"
                                "&var-namespace=${__data.fields.Namespace}",
                            },
                        ]
                    },
                ),
                Column(
                    "A",
                    "Windows behind",
                    {
                        "decimals": 1,
                        "custom.cellOptions": {"type": "color-background", "mode": "basic"},
                        "thresholds": {
                            "mode": "absolute",
                            "steps": [{"value": value, "color": colour} for value, colour in BEHIND_STEPS],
                        },
                    },
                ),
                Column("B", "Newest predictions are old", {"unit": "s"}),
                Column("C", "Newest window's end", DATE),
                Column("D", "Last Complete", DATE),
                Column("E", "Runs Complete", {"decimals": 0}),
                Column(
                    "F",
                    "Runs Failed",
                    {
                        "decimals": 0,
                        "custom.cellOptions": {"type": "color-text"},
                        "thresholds": {
                            "mode": "absolute",
                            "steps": [{"value": None, "color": "text"}, {"value": 0.5, "color": RED}],
                        },
                    },
                ),
                Column("G", "Suspended", {"unit": "bool_yes_no"}),
            ),
            sorted_by="Windows behind",
        ),
        Spec(
            "bars",
            "Runs ended, by result",
            "Runs that ended, at the time they did. Complete is also a run in which fewer sensors failed"
            " than its failurePolicy allows.",
            "none",
            (Query(each_step(ENDED, ["result"]), "{{result}}"),),
            "No run has ended yet.",
            8,
            colours={"Complete": GREEN, "Failed": RED},
            links=(runbook("SensorscoreRunFailed"),),
        ),
        Spec(
            "ranking",
            "Why runs failed",
            "Runs that ended Failed in the chosen time, by the reason of their condition.",
            "none",
            (
                Query(
                    "sort_desc("
                    + total(scheduled("sensorscore_runs_ended_total", 'result="Failed"'), RANGE, ["reason"])
                    + " > 0.5)",
                    "{{reason}}",
                ),
            ),
            "No run failed in this time.",
            8,
            steps=((None, RED),),
            decimals=0,
            links=(runbook("SensorscoreRunFailed"),),
        ),
        Spec(
            "lines",
            "How long runs take",
            "From a run's creation to its end, of the runs that ended in the hour before each point: its"
            " median and 95th percentile. Of namespaces, not of schedules. An estimate within a bucket's"
            " bounds.",
            "s",
            (
                Query(quantile(0.5, of("sensorscore_run_duration_seconds"), HOUR), "p50"),
                Query(quantile(0.95, of("sensorscore_run_duration_seconds"), HOUR), "p95"),
            ),
            "No run ended in this time.",
            8,
            colours={"p50": BLUE, "p95": ORANGE},
        ),
    ),
)

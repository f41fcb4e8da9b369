"""Runs: is every window of every schedule scored, and if not, what failed and why?"""

from __future__ import annotations

from charts.dashboards.board import Board, Section
from charts.dashboards.expressions import HOUR, RANGE, each_step, scheduled, share, total
from charts.dashboards.expressions import chosen as of
from charts.dashboards.links import runbook
from charts.dashboards.panels import BLUE, GREEN, GREY, ORANGE, RED, Column, Query, Spec
from charts.dashboards.windows import NO_SENSOR, NOW, SENSORS, WINDOWS

RESULTS = {"Scored": GREEN, "Skipped": ORANGE, "Failed": RED}
PHASES = {
    **{"Pending": GREY, "Waiting": "purple", "Running": BLUE},
    **{"Suspended": "yellow", "Succeeded": GREEN, "Failed": RED},
}
ROWS = of("sensorscore_rows_total")
LAST_HOUR = "in the hour before each point"
SENSOR_PANELS = Section(
    "Sensors",
    (
        Spec(
            "bars",
            "Sensors decided, by result",
            "Sensors that were scored, skipped or failed, when their Job's outcome was recorded. An hourly"
            " schedule that works draws a comb; a missed run is a missing tooth.",
            "short",
            (Query(each_step(SENSORS, ["result"]), "{{result}}"),),
            NO_SENSOR,
            12,
            colours=RESULTS,
            links=(runbook("SensorscoreSensorsFailing"), runbook("SensorscoreSensorsSkipped")),
        ),
        Spec(
            "lines",
            "Share of sensors failed and skipped",
            f"Of the sensors decided {LAST_HOUR}. The line is the share of failed sensors with which the"
            " chart's schedules end their run Failed.",
            "percentunit",
            tuple(
                Query(
                    share(
                        total(of("sensorscore_sensors_total", f'result="{result}"'), HOUR),
                        total(SENSORS, HOUR),
                    ),
                    result,
                )
                for result in ("Failed", "Skipped")
            ),
            NO_SENSOR,
            12,
            steps=((None, GREEN), (0.05, RED)),
            limit=True,
            colours=RESULTS,
            links=(runbook("SensorscoreSensorsFailing"), runbook("SensorscoreSensorsSkipped")),
        ),
        Spec(
            "ranking",
            "Why sensors failed",
            "Failed sensors in the chosen time, by reason; the ten most frequent.",
            "locale",
            (
                Query(
                    "sort_desc(topk(10, "
                    + total(of("sensorscore_sensors_total", 'result="Failed"'), RANGE, ["reason"])
                    + " > 0.5))",
                    "{{reason}}",
                ),
            ),
            "No sensor failed in this time.",
            8,
            steps=((None, RED),),
            decimals=0,
            links=(runbook("SensorscoreSensorsFailing"),),
        ),
        Spec(
            "ranking",
            "Why sensors were skipped",
            "Skipped sensors in the chosen time, by reason. NoReadings of many at once says that no data"
            " arrives.",
            "locale",
            (
                Query(
                    "sort_desc("
                    + total(of("sensorscore_sensors_total", 'result="Skipped"'), RANGE, ["reason"])
                    + " > 0.5)",
                    "{{reason}}",
                ),
            ),
            "No sensor was skipped in this time.",
            8,
            steps=((None, ORANGE),),
            decimals=0,
            links=(runbook("SensorscoreSensorsSkipped"),),
        ),
        Spec(
            "area",
            "Runs that exist, by phase",
            "Objects in the cluster, those that ended included until their time to live is over.",
            "none",
            (Query(f"sum by (phase) ({scheduled('sensorscore_runs')})", "{{phase}}"),),
            "No run exists.",
            8,
            colours=PHASES,
        ),
    ),
)

CONTENT = Section(
    "Rows and what models say",
    (
        Spec(
            "bars",
            "Rows of readings",
            "Rows that were scored, rejected (with a reason beside the predictions) or duplicate, when their"
            " Job's outcome was recorded.",
            "short",
            (Query(each_step(ROWS, ["result"]), "{{result}}"),),
            "No rows were read in this time.",
            8,
            colours={"scored": GREEN, "rejected": RED, "duplicate": GREY},
        ),
        Spec(
            "lines",
            "Share of rows predicted as anomalies",
            f"Of the rows scored {LAST_HOUR}. A level that moves is news of the devices, or of models that no"
            " longer fit.",
            "percentunit",
            (
                Query(
                    share(
                        total(of("sensorscore_anomalies_total"), HOUR, ["namespace"]),
                        total(of("sensorscore_rows_total", 'result="scored"'), HOUR, ["namespace"]),
                    ),
                    "{{namespace}}",
                ),
            ),
            "No rows were scored in this time.",
            8,
        ),
        Spec(
            "bars",
            "Model guard's warnings",
            "Sensors that the guard began to warn of, by reason: what a model says of its readings is not"
            " plausible.",
            "short",
            (Query(each_step(of("sensorscore_guard_warnings_total"), ["reason"]), "{{reason}}"),),
            "No run has been published yet.",
            8,
            links=(runbook("SensorscoreModelGuard"),),
        ),
        Spec(
            "bars",
            "Anomalies sent",
            "Sensors with anomalies, by sink and what became of their events. What is dead-lettered lies in"
            " the store's deadletter/sinks and has reached nobody.",
            "short",
            (
                Query(
                    each_step(of("sensorscore_sink_events_total"), ["sink", "result"]), "{{sink}} {{result}}"
                ),
            ),
            "No sinks are set, or no run has been published yet.",
            24,
            endings={"delivered": GREEN, "deadlettered": RED, "suppressed": GREY, "skipped": BLUE},
            links=(runbook("SensorscoreSinkFailing"),),
        ),
    ),
)

ALERTS = Section(
    "Alerts",
    (
        Spec(
            "table",
            "Alerts that fire",
            "This project's alerts that fire now, by the rules in Prometheus. A link at each leads to its"
            " runbook.",
            "none",
            (
                Query(
                    "max by (alertname, severity, namespace, schedule) ("
                    'ALERTS{cluster=~"$cluster", alertname=~"Sensorscore.*", alertstate="firing"})'
                ),
            ),
            "No alert fires, or this Prometheus has none of the chart's rules.",
            24,
            5,
            columns=(
                Column(
                    "alertname",
                    "Alert",
                    {"links": [{"title": "Runbook", "url": "${runbooks}/${__value.raw}.md"}]},
                ),
                Column("severity", "Severity"),
                Column("namespace", "Namespace"),
                Column("schedule", "Schedule"),
            ),
        ),
    ),
)

BOARD = Board(
    "runs",
    "Sensorscore / Runs",
    "Is every window of every schedule scored? What failed, and why?",
    ("cluster", "namespace", "schedule"),
    (NOW, WINDOWS, SENSOR_PANELS, CONTENT, ALERTS),
    runbooks=True,
)

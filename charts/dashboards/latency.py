"""Per-job latency: where a Job's time goes, how it is spread, and what fails."""

from __future__ import annotations

from charts.dashboards.board import Board, Section
from charts.dashboards.expressions import (
    HOUR,
    JOB_SECONDS,
    NEVER_IN_A_POD,
    RANGE,
    STEP,
    each_step,
    quantile,
    share,
    some,
)
from charts.dashboards.expressions import chosen as of
from charts.dashboards.expressions import total as added
from charts.dashboards.links import runbook
from charts.dashboards.panels import BLUE, GREEN, GREY, NONE_IS_BEST, ORANGE, RED, Link, Query, Spec
from charts.dashboards.panels import Column as Col

STAGES = {
    **{"pending": GREY, "start": "purple", "import": "yellow"},
    **{"read": BLUE, "score": GREEN, "write": ORANGE, "total": "text"},
}
TOTAL = of(JOB_SECONDS, 'stage="total"')
COUNT = of(f"{JOB_SECONDS}_count", 'stage="total"')
FAILED_COUNT = of(f"{JOB_SECONDS}_count", 'stage="total"', 'result="Failed"')
NO_JOB = "No Job ended in this time."
LAST_HOUR = "Of the Jobs that ended in the hour before each point."
BUCKETS = "An estimate within a bucket's bounds."
ACCURACY = "pending, start and total are by Kubernetes' clocks, to a second."


def _percentile(part: float, name: str) -> Spec:
    return Spec(
        "stat",
        f"Job, {name}",
        f"A Job from its making to its process' end: {part:.0%} of the Jobs that ended in the chosen time"
        f" took no longer. {BUCKETS}",
        "s",
        (Query(quantile(part, TOTAL, RANGE)),),
        NO_JOB,
        4,
        4,
    )


def _by_stage(part: float, name: str) -> Spec:
    return Spec(
        "lines",
        f"Stages, {name}",
        f"{LAST_HOUR} {part:.0%} of them took no longer in that stage. {ACCURACY} {BUCKETS}",
        "s",
        (Query(quantile(part, of(JOB_SECONDS, 'stage!~"prepare|publish"'), HOUR, ["stage"]), "{{stage}}"),),
        NO_JOB,
        12,
        9,
        colours=STAGES,
        logarithmic=True,
        beside=("mean", "max"),
    )


WHOLE = Section(
    "In the chosen time",
    (
        _percentile(0.5, "p50"),
        _percentile(0.95, "p95"),
        _percentile(0.99, "p99"),
        Spec(
            "stat",
            "Jobs ended",
            "Jobs whose outcome was recorded in the chosen time.",
            "locale",
            (Query(added(COUNT, RANGE)),),
            NO_JOB,
            4,
            4,
            decimals=0,
        ),
        Spec(
            "stat",
            "Jobs with a failed sensor",
            "Share of the Jobs that ended in the chosen time in which at least one sensor failed.",
            "percentunit",
            (
                Query(
                    share(
                        f"({some(added(FAILED_COUNT, RANGE))})",
                        added(COUNT, RANGE),
                    )
                ),
            ),
            NO_JOB,
            4,
            4,
            ((None, GREEN), (0.01, ORANGE), (0.05, RED)),
        ),
        Spec(
            "stat",
            "Time before work",
            "Share of the Jobs' stages that went by before their pods did anything: waiting for a node,"
            " pulling the image, starting, importing. Packing more sensors into a Job (sensorsPerJob) makes"
            " it smaller.",
            "percentunit",
            (
                Query(
                    share(
                        added(of(f"{JOB_SECONDS}_sum", 'stage=~"pending|start|import"'), RANGE),
                        added(of(f"{JOB_SECONDS}_sum", NEVER_IN_A_POD), RANGE),
                    )
                ),
            ),
            NO_JOB,
            4,
            4,
        ),
    ),
)

BY_STAGE = Section(
    "Where the time goes",
    (
        Spec(
            "area",
            "A Job's mean time, by stage",
            f"{LAST_HOUR} One upon the other they are about the whole; a pod of many sensors reads some"
            " while it scores others.",
            "s",
            (
                Query(
                    f"{added(of(f'{JOB_SECONDS}_sum', NEVER_IN_A_POD), HOUR, ['stage'])}"
                    f" / on () group_left () ({added(COUNT, HOUR)} > 0)",
                    "{{stage}}",
                ),
            ),
            NO_JOB,
            12,
            9,
            colours=STAGES,
        ),
        _by_stage(0.5, "p50"),
        _by_stage(0.95, "p95"),
        _by_stage(0.99, "p99"),
        Spec(
            "table",
            "Stages in the chosen time",
            f"The percentiles of each stage, its mean, and all its time. prepare and publish are once a run."
            f" {ACCURACY}",
            "s",
            (
                *(Query(quantile(part, of(JOB_SECONDS), RANGE, ["stage"])) for part in (0.5, 0.95, 0.99)),
                Query(
                    share(
                        added(of(f"{JOB_SECONDS}_sum"), RANGE, ["stage"]),
                        added(of(f"{JOB_SECONDS}_count"), RANGE, ["stage"]),
                    )
                ),
                Query(f"{added(of(f'{JOB_SECONDS}_sum'), RANGE, ['stage'])} > 0"),
                Query(f"{added(of(f'{JOB_SECONDS}_count'), RANGE, ['stage'])} > 0.5"),
            ),
            NO_JOB,
            24,
            9,
            columns=(
                Col("stage", "Stage"),
                Col("A", "p50"),
                Col("B", "p95"),
                Col("C", "p99"),
                Col("D", "Mean"),
                Col("E", "All together"),
                Col("F", "Jobs", {"unit": "locale", "decimals": 0}),
            ),
            sorted_by="All together",
        ),
    ),
)

SPREAD = Section(
    "How it is spread",
    (
        Spec(
            "heatmap",
            "How long Jobs took",
            "Jobs by their whole time, at the time they ended: the darker, the more. A dark band that climbs"
            " is waiting; one far above the others are stragglers.",
            "s",
            (Query(added(of(f"{JOB_SECONDS}_bucket", 'stage="total"'), STEP, ["le"]), "{{le}}"),),
            NO_JOB,
            12,
            9,
        ),
        Spec(
            "bars",
            "Waiting and work",
            "Time of all Jobs at the time they ended: before their pods did anything (pending, start,"
            " import), and at work (read, score, write).",
            "s",
            (
                Query(
                    each_step(of(f"{JOB_SECONDS}_sum", 'stage=~"pending|start|import"')),
                    "waiting and starting",
                ),
                Query(
                    each_step(of(f"{JOB_SECONDS}_sum", 'stage=~"read|score|write"')),
                    "work",
                ),
            ),
            NO_JOB,
            12,
            9,
            colours={"waiting and starting": GREY, "work": GREEN},
        ),
    ),
)

FAILURES = Section(
    "What fails, and what waits",
    (
        Spec(
            "bars",
            "Jobs ended, by result",
            "Jobs at the time their outcome was recorded. Failed: a sensor of the Job failed.",
            "short",
            (Query(each_step(COUNT, ["result"]), "{{result}}"),),
            NO_JOB,
            8,
            colours={"Succeeded": GREEN, "Failed": RED},
        ),
        Spec(
            "bars",
            "Failed Jobs, by class of reason",
            "Input: readings or model are at fault. Storage: refused or out of reach. Pod: crashed, out of"
            " memory or time. Cluster: never started, evicted. Sensors' own reasons are in the dashboard of"
            " runs.",
            "short",
            (
                Query(
                    each_step(FAILED_COUNT, ["reason"]),
                    "{{reason}}",
                ),
            ),
            "No Job has failed yet.",
            8,
            colours={"Input": "yellow", "Storage": BLUE, "Pod": RED, "Cluster": "purple", "Other": GREY},
            links=(
                Link(
                    "Runs: why sensors failed",
                    "/d/sensorscore-runs?${__url_time_range}&${namespace:queryparam}",
                ),
            ),
        ),
        Spec(
            "lines",
            "A whole Job, p95 by result",
            f"{LAST_HOUR} {BUCKETS} Failures that are slower than successes are time-outs or lost nodes.",
            "s",
            (Query(quantile(0.95, TOTAL, HOUR, ["result"]), "{{result}}"),),
            NO_JOB,
            8,
            colours={"Succeeded": GREEN, "Failed": RED},
        ),
        Spec(
            "lines",
            "Longest wait for a first pod",
            "How long a run's Jobs have been waiting while none of its pods runs: the pool does not grow, a"
            " quota is used up, an image cannot be pulled. 0: nobody waits.",
            "s",
            (Query(f"max by (namespace) ({of('sensorscore_run_pending_seconds')})", "{{namespace}}"),),
            "The operator has not been scraped in this time.",
            8,
            steps=((None, GREEN), (900.0, RED)),
            limit=True,
            links=(runbook("SensorscorePendingTooLong"),),
        ),
        Spec(
            "bars",
            "Jobs that needed another attempt",
            "Jobs with more than one pod: retried after a failure that may pass, or after a disruption.",
            "short",
            (Query(each_step(of("sensorscore_jobs_retried_total"), ["namespace"]), "{{namespace}}"),),
            NO_JOB,
            8,
            steps=NONE_IS_BEST,
        ),
        Spec(
            "lines",
            "Stages of whole runs, p95",
            "prepare: finding a run's sensors and waiting for its readings. publish: manifest, anomalies and"
            " table. Of the hour before each point. Runs without these stages do not count.",
            "s",
            (
                Query(
                    quantile(0.95, of(JOB_SECONDS, 'stage=~"prepare|publish"'), HOUR, ["stage"]), "{{stage}}"
                ),
            ),
            "No run with a stage of its own ended in this time.",
            8,
            colours={"prepare": "purple", "publish": BLUE},
        ),
    ),
)

BOARD = Board(
    "latency",
    "Sensorscore / Per-job latency",
    "How long does a sensor's Job take, in which stage, and which Jobs fail?",
    ("cluster", "namespace"),
    (WHOLE, BY_STAGE, SPREAD, FAILURES),
    runbooks=True,
)

"""Operator health: does it act, does it see, does it keep up, and what does it take?"""

from __future__ import annotations

from charts.dashboards.board import Board, Section
from charts.dashboards.expressions import HOUR, RANGE, STEP, each_step, quantile, total
from charts.dashboards.expressions import chosen as of_namespace
from charts.dashboards.links import runbook
from charts.dashboards.panels import BLUE, GREEN, NONE_IS_BEST, ORANGE, PLAIN, RED, Query, Spec

NOT_SCRAPED = "The operator has not been scraped in this time."
STALE = ((None, GREEN), (60.0, ORANGE), (300.0, RED))
PERCENTILES = {"p50": GREEN, "p95": ORANGE, "p99": RED}


def of(metric: str, *matchers: str) -> str:
    """A series of the operator's own, of the chosen clusters."""
    return of_namespace(metric, *matchers, namespaced=False)


def of_process(expr: str) -> str:
    """Figures of the operator's process: those of the target that also serves the operator's version."""
    return f"{expr} and on (cluster, job, instance) {of('sensorscore_operator_build_info')}"


def _percentiles(metric: str) -> tuple[Query, ...]:
    return tuple(
        Query(quantile(part, of(metric), HOUR), name)
        for part, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
    )


SEEN = f"and on (cluster, job, instance) present_over_time({of('sensorscore_operator_build_info')}[{RANGE}])"
BEGAN = f"process_start_time_seconds[{RANGE}]"
# Of a pod that was there before: its containers' starts; of one that came in that time: its first, too.
STARTS = (
    f"sum(changes({BEGAN}) {SEEN})"
    f" + (count((min_over_time({BEGAN}) > time() - $__range_s) {SEEN}) or vector(0))"
)

# Nothing at all is 0, which is not shown beside those that there are.
ACTIVE = of("sensorscore_operator_active")
ACTS = f"sum by (cluster, namespace) ({ACTIVE}) or (vector(0) unless on () {ACTIVE})"

NOW = Section(
    "Now",
    (
        Spec(
            "stat",
            "Acts",
            "Operators that hold the Lease and so act: one of each installation. A second one"
            " that waits is not counted.",
            "none",
            (Query(ACTS, "{{cluster}} {{namespace}}"),),
            NOT_SCRAPED,
            4,
            4,
            ((None, RED), (1.0, GREEN), (2.0, RED)),
            words={"0": ("Nobody", RED), "1": ("Yes", GREEN)},
            links=(runbook("SensorscoreOperatorDown"), runbook("SensorscoreOperatorBlind")),
        ),
        Spec(
            "stat",
            "Oldest stream",
            "Seconds since the last event, bookmark or list of the watch that has been silent longest. From"
            " 300 on the operator is restarted.",
            "s",
            (Query(f"max({of('sensorscore_operator_stream_age_seconds')})"),),
            NOT_SCRAPED,
            4,
            4,
            STALE,
            links=(runbook("SensorscoreOperatorBlind"),),
        ),
        Spec(
            "stat",
            "Status lag, p95",
            "From the end of a Job's last pod to its outcome in the run's status, in the chosen time.",
            "s",
            (Query(quantile(0.95, of("sensorscore_operator_status_lag_seconds"), RANGE)),),
            "No Job ended in this time.",
            4,
            4,
            ((None, GREEN), (30.0, ORANGE), (60.0, RED)),
        ),
        Spec(
            "stat",
            "Reconciles that failed",
            "Reconciles that ended in an error in the chosen time. Each comes again; a few of the reason api"
            " are normal while the API server restarts.",
            "locale",
            (Query(total(of("sensorscore_operator_reconcile_errors_total"), RANGE)),),
            NOT_SCRAPED,
            4,
            4,
            NONE_IS_BEST,
            decimals=0,
            links=(runbook("SensorscoreReconcileErrors"),),
        ),
        Spec(
            "stat",
            "Starts",
            "How often the operator's process began in the chosen time: once for an installation or an"
            " update, more often if it dies.",
            "none",
            (Query(STARTS),),
            NOT_SCRAPED,
            4,
            4,
            ((None, GREEN), (2.5, ORANGE)),
            decimals=0,
        ),
        Spec(
            "stat",
            "Jobs unfinished",
            "Jobs that are not over, in all namespaces.",
            "short",
            (Query(f"sum({of('sensorscore_jobs_unfinished')})"),),
            "No run exists, or the operator is not scraped.",
            4,
            4,
            PLAIN,
        ),
    ),
)

SEES = Section(
    "Does it see what happens?",
    (
        Spec(
            "lines",
            "Age of streams",
            "Since each watch's last event, bookmark or list. lease: since the Lease was renewed; loop: how"
            " late the event loop is; scoringruns: how long a status that was written has not been seen"
            " again.",
            "s",
            (Query(f"max by (resource) ({of('sensorscore_operator_stream_age_seconds')})", "{{resource}}"),),
            NOT_SCRAPED,
            12,
            steps=STALE,
            beside=("mean", "max"),
            links=(runbook("SensorscoreOperatorBlind"),),
        ),
        Spec(
            "lines",
            "Status lag",
            "From the end of a Job's last pod, in whole seconds, to its outcome in the run's status, of the"
            " Jobs that ended in the hour before each point. An"
            " estimate within a bucket's bounds.",
            "s",
            _percentiles("sensorscore_operator_status_lag_seconds"),
            "No Job ended in this time.",
            12,
            colours=PERCENTILES,
        ),
    ),
)

KEEPS_UP = Section(
    "Does it keep up?",
    (
        Spec(
            "lines",
            "Queue",
            "Runs that are due for a reconcile or in one. It is empty again within seconds.",
            "none",
            (Query(f"max({of('sensorscore_operator_queue_depth')})", "runs"),),
            NOT_SCRAPED,
            8,
            colours={"runs": BLUE},
        ),
        Spec(
            "lines",
            "Time of a reconcile",
            "One reconcile with its calls to the API, of the hour before each point. An estimate within a"
            " bucket's bounds.",
            "s",
            _percentiles("sensorscore_operator_reconcile_duration_seconds"),
            "There was nothing to reconcile in this time.",
            8,
            colours=PERCENTILES,
            logarithmic=True,
        ),
        Spec(
            "bars",
            "Reconcile errors",
            "api: the API server refused or did not answer. defect: the operator is wrong, and its log has a"
            " traceback.",
            "none",
            (Query(each_step(of("sensorscore_operator_reconcile_errors_total"), ["reason"]), "{{reason}}"),),
            NOT_SCRAPED,
            8,
            colours={"api": ORANGE, "defect": RED},
            links=(runbook("SensorscoreReconcileErrors"),),
        ),
        Spec(
            "bars",
            "Calls to the API, by verb",
            "Calls to the Kubernetes API. kopf's own are not counted.",
            "short",
            (Query(each_step(of("sensorscore_operator_api_requests_total"), ["verb"]), "{{verb}}"),),
            NOT_SCRAPED,
            8,
        ),
        Spec(
            "bars",
            "Calls to the API, by resource",
            "Calls to the Kubernetes API, by what they are about.",
            "short",
            (Query(each_step(of("sensorscore_operator_api_requests_total"), ["resource"]), "{{resource}}"),),
            NOT_SCRAPED,
            8,
        ),
        Spec(
            "bars",
            "Calls to the API that were refused, by code",
            "Answers other than 2xx; 0: no answer. 409 is somebody else's write in between, 404 an object"
            " that is gone, 403 a missing right or a quota, 429 the API server's own limit.",
            "short",
            (
                Query(
                    each_step(of("sensorscore_operator_api_requests_total", 'code!~"2.."'), ["verb", "code"]),
                    "{{code}} {{verb}}",
                ),
            ),
            "Every call was answered with success.",
            8,
        ),
    ),
)

PROCESS = Section(
    "What it takes",
    (
        Spec(
            "lines",
            "CPU",
            "CPUs that the operator's process uses.",
            "none",
            (Query(of_process(f"rate(process_cpu_seconds_total[{STEP}])"), "{{instance}}"),),
            NOT_SCRAPED,
            8,
            decimals=2,
        ),
        Spec(
            "lines",
            "Memory",
            "Memory that the operator's process has in use (resident set).",
            "bytes",
            (Query(of_process("process_resident_memory_bytes"), "{{instance}}"),),
            NOT_SCRAPED,
            8,
        ),
        Spec(
            "lines",
            "Open files and connections",
            "Open file descriptors of the operator's process.",
            "short",
            (Query(of_process("process_open_fds"), "{{instance}}"),),
            NOT_SCRAPED,
            8,
        ),
    ),
)

BOARD = Board(
    "operator",
    "Sensorscore / Operator health",
    "Does the operator act, see what happens, and keep up? What does it take?",
    ("cluster",),
    (NOW, SEES, KEEPS_UP, PROCESS),
    runbooks=True,
)

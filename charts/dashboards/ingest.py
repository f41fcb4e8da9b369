"""Ingest: do device events become readings, how soon, and what becomes of those that do not?"""

from __future__ import annotations

from charts.dashboards.board import Board, Section
from charts.dashboards.expressions import RANGE, STEP, chosen, each_step, share, total
from charts.dashboards.links import runbook
from charts.dashboards.panels import BLUE, GREEN, GREY, NONE_IS_BEST, NONE_IS_GOOD, ORANGE, RED, Query, Spec

NOT_SCRAPED = "No ingest was scraped in this time; where none is installed, this dashboard stays empty."
NOTHING = "No event was read in this time."
DELAYS = ((None, GREEN), (300.0, ORANGE), (600.0, RED))
FATES = {
    "windowed": GREEN,
    "corrected": BLUE,
    "late": ORANGE,
    "early": "yellow",
    "out_of_order": "purple",
    "bad": RED,
    "conversion": "dark-red",
    "duplicate": GREY,
}
DELAYED = runbook("SensorscoreIngestWatermarkDelay")
STALLED = runbook("SensorscoreIngestStalled")
BAD = runbook("SensorscoreIngestBadEvents")


def of(name: str, *matchers: str) -> str:
    """A series of ingest, of the chosen clusters and namespaces."""
    return chosen(f"sensorscore_ingest_{name}", *matchers)


def of_process(expr: str) -> str:
    """Figures of the processes: those of the targets that also serve ingest's partitions."""
    return f"{expr} and on (cluster, namespace, job, instance) {of('partitions')}"


READ = total(of("events_total"), RANGE)
DROPPED = of("events_total", 'fate=~"late|early|out_of_order"')
UNUSABLE = of("events_total", 'fate=~"bad|conversion"')
LOST = (of("missed_messages_total"), of("stray_windows_total"))

NOW = Section(
    "Now",
    (
        Spec(
            "stat",
            "Watermark delay",
            "How far the partition that is furthest behind is behind. The late tolerance (lateArrival) is in"
            " it where partitions are silent: so far it stays behind with nothing wrong.",
            "s",
            (Query(f"max({of('watermark_delay_seconds')})"),),
            NOT_SCRAPED,
            4,
            4,
            links=(DELAYED,),
        ),
        Spec(
            "stat",
            "Behind the late tolerance",
            "The watermark delay less the late tolerance. More than 10 minutes for 5 minutes is alerted on.",
            "s",
            (Query(f"clamp_min(max({of('watermark_delay_seconds')} - {of('late_arrival_seconds')}), 0)"),),
            NOT_SCRAPED,
            4,
            4,
            DELAYS,
            links=(DELAYED,),
        ),
        Spec(
            "stat",
            "Backlog",
            "Events that wait in the hub. It stands still while the hub does not answer.",
            "short",
            (Query(f"sum({of('backlog_events')})"),),
            NOT_SCRAPED,
            4,
            4,
            links=(STALLED,),
        ),
        Spec(
            "stat",
            "Partitions that nobody has",
            "Partitions of the hubs, less those that a replica has. For a minute, while replicas come and go,"
            " some may be nobody's.",
            "none",
            (
                Query(
                    f"sum(max by (cluster, namespace, job) ({of('hub_partitions')})"
                    f" - sum by (cluster, namespace, job) ({of('partitions')}))"
                ),
            ),
            NOT_SCRAPED,
            4,
            4,
            NONE_IS_BEST,
            decimals=0,
            links=(STALLED,),
        ),
        Spec(
            "stat",
            "Newest hour landed",
            "Since the end of the newest hour that has landed, of the ingest where that is longest ago. It"
            " rises to an hour, the late tolerance and a little more before the next one lands. Where none"
            " has landed yet: since the process began.",
            "s",
            (
                Query(
                    f"max(time() - max by (cluster, namespace, job) ({of('landed_until_timestamp_seconds')}))"
                ),
            ),
            NOT_SCRAPED,
            4,
            4,
            links=(STALLED,),
        ),
        Spec(
            "stat",
            "Lost",
            "Messages that the hub had no more when they were asked for, and windows that closed after their"
            " hour had landed, in the chosen time: what they held is in no reading.",
            "locale",
            (Query(" + ".join(total(series, RANGE) for series in LOST)),),
            NOT_SCRAPED,
            4,
            4,
            NONE_IS_GOOD,
            decimals=0,
        ),
    ),
)

FATE = Section(
    "What becomes of events",
    (
        Spec(
            "bars",
            "Events, by what became of them",
            "Events read, when they were committed; each has one fate. Late, early and out_of_order are those"
            " that were dropped; adjusted ones are windowed. Bad: its body cannot be read; conversion: its"
            " fields cannot be used.",
            "short",
            (Query(each_step(of("events_total"), ["fate"]), "{{fate}}"),),
            NOT_SCRAPED,
            16,
            colours=FATES,
            beside=("sum",),
            links=(BAD,),
        ),
        Spec(
            "stat",
            "Events read",
            "In the chosen time.",
            "short",
            (Query(READ),),
            NOT_SCRAPED,
            4,
            8,
        ),
        Spec(
            "stat",
            "Events in windows",
            "Share of the events that were read in the chosen time which are in a window of readings.",
            "percentunit",
            (Query(share(total(of("events_total", 'fate="windowed"'), RANGE), READ)),),
            NOTHING,
            4,
            8,
        ),
        Spec(
            "lines",
            "Share of events that are in no window",
            "Of the events of each step: dropped for their time (late, early or out of order), and unusable"
            " (bad body or fields). More than 1% unusable is alerted on.",
            "percentunit",
            (
                Query(
                    share(f"sum(rate({DROPPED}[{STEP}]))", f"sum(rate({of('events_total')}[{STEP}]))"),
                    "dropped",
                ),
                Query(
                    share(f"sum(rate({UNUSABLE}[{STEP}]))", f"sum(rate({of('events_total')}[{STEP}]))"),
                    "unusable",
                ),
            ),
            NOTHING,
            12,
            colours={"dropped": ORANGE, "unusable": RED},
            links=(BAD,),
        ),
        Spec(
            "bars",
            "Events beyond a tolerance",
            "Late and out-of-order events, dropped or adjusted, and early ones, when they were committed."
            " Many of them: clocks of devices are off, or lateArrival and outOfOrder are too small.",
            "short",
            (
                Query(each_step(of("late_events_total")), "late"),
                Query(each_step(of("early_events_total")), "early"),
                Query(each_step(of("out_of_order_events_total")), "out of order"),
            ),
            NOT_SCRAPED,
            12,
            colours={"late": ORANGE, "early": "yellow", "out of order": "purple"},
        ),
    ),
)

SOON = Section(
    "How soon?",
    (
        Spec(
            "lines",
            "Watermark delay, by replica",
            "How far the partition that is furthest behind is behind, of each replica; dashed: the late"
            " tolerance, which explains as much.",
            "s",
            (
                Query(of("watermark_delay_seconds"), "{{instance}}"),
                Query(f"max({of('late_arrival_seconds')})", "late tolerance"),
            ),
            NOT_SCRAPED,
            12,
            limits=("B",),
            links=(DELAYED,),
        ),
        Spec(
            "lines",
            "Backlog, by replica",
            "Events that wait in the hub, in the partitions of each replica. It stands still while the hub"
            " does not answer.",
            "short",
            (Query(of("backlog_events"), "{{instance}}"),),
            NOT_SCRAPED,
            12,
            links=(STALLED,),
        ),
        Spec(
            "lines",
            "Events in and windows out, in a second",
            "Events read from the hub and windows of sensors that closed, each second, as they were"
            " committed.",
            "short",
            (
                Query(f"sum(rate({of('input_events_total')}[{STEP}]))", "events in"),
                Query(f"sum(rate({of('output_events_total')}[{STEP}]))", "windows out"),
            ),
            NOT_SCRAPED,
            12,
            colours={"events in": BLUE, "windows out": GREEN},
        ),
        Spec(
            "lines",
            "Age of the newest hour landed",
            "Since the end of the newest hour that has landed: a saw that rises to an hour, the late"
            " tolerance and a little more. Where none has landed yet: since the process began.",
            "s",
            (
                Query(
                    f"time() - max by (cluster, namespace, job) ({of('landed_until_timestamp_seconds')})",
                    "{{namespace}}/{{job}}",
                ),
            ),
            NOT_SCRAPED,
            12,
            links=(STALLED,),
        ),
    ),
)

LANDED = Section(
    "What lands",
    (
        Spec(
            "bars",
            "Hours landed",
            "Hours whose readings are whole, with their _SUCCESS: one an hour, more while it catches up.",
            "none",
            (Query(each_step(of("landings_total"), ["namespace", "job"]), "{{namespace}}/{{job}}"),),
            NOT_SCRAPED,
            8,
        ),
        Spec(
            "bars",
            "Rows landed",
            "Readings in the hours that landed.",
            "short",
            (Query(each_step(of("landed_rows_total"), ["namespace", "job"]), "{{namespace}}/{{job}}"),),
            NOT_SCRAPED,
            8,
        ),
        Spec(
            "bars",
            "Duplicates, missed messages, stray windows",
            "Events that came again (dropped, and harmless); messages that the hub had no more; windows that"
            " closed after their hour had landed. What the last two held is in no reading.",
            "short",
            (
                Query(each_step(of("duplicate_events_total")), "duplicate events"),
                Query(each_step(of("missed_messages_total")), "missed messages"),
                Query(each_step(of("stray_windows_total")), "stray windows"),
            ),
            NOT_SCRAPED,
            8,
            colours={"duplicate events": GREY, "missed messages": RED, "stray windows": ORANGE},
        ),
    ),
)

REPLICAS = Section(
    "Replicas",
    (
        Spec(
            "area",
            "Partitions, by replica",
            "Partitions that each replica has; together they are those of the hub.",
            "none",
            (Query(of("partitions"), "{{instance}}"),),
            NOT_SCRAPED,
            12,
        ),
        Spec(
            "bars",
            "Errors that were tried again, by replica",
            "Errors of the hub's client, of the store, of landing, and states that cannot be gone on from."
            " Each is in the log, and /readyz says what keeps a replica from its work.",
            "short",
            (Query(each_step(of("errors_total"), ["instance", "kind"]), "{{instance}} {{kind}}"),),
            NOT_SCRAPED,
            12,
            links=(STALLED,),
        ),
        Spec(
            "lines",
            "CPU, by replica",
            "CPUs that each process uses.",
            "none",
            (Query(of_process(f"rate(process_cpu_seconds_total[{STEP}])"), "{{instance}}"),),
            NOT_SCRAPED,
            8,
            decimals=2,
        ),
        Spec(
            "lines",
            "Memory, by replica",
            "Memory that each process has in use (resident set). An hour that is merged is in it.",
            "bytes",
            (Query(of_process("process_resident_memory_bytes"), "{{instance}}"),),
            NOT_SCRAPED,
            8,
        ),
        Spec(
            "stat",
            "Age of the processes",
            "Since each replica began: one that keeps beginning anew fails its liveness probe, or dies.",
            "s",
            (Query(f"time() - ({of_process('process_start_time_seconds')})", "{{instance}}"),),
            NOT_SCRAPED,
            8,
            8,
            named=True,
        ),
    ),
)

BOARD = Board(
    "ingest",
    "Sensorscore / Ingest",
    "Do device events become readings, how soon, and what becomes of those that do not?",
    ("cluster", "namespace"),
    (NOW, FATE, SOON, LANDED, REPLICAS),
    runbooks=True,
    scope="sensorscore_ingest_partitions",
)

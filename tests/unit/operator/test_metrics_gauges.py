from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from scoring_operator.metrics import Bounds, Metrics, Sources, ViewCollector
from scoring_operator.resource import Run, parse_run
from scoring_operator.settings import ScheduleSettings
from scoring_operator.spec import SensorSource, Spec
from scoring_operator.status import Condition, Status
from scoring_operator.view import View
from unit.operator.given import (
    NOW,
    Json,
    a_finished_job,
    a_job,
    a_pod,
    after,
    pinned,
    run_body,
    sensors,
    settings,
)

HOURLY = ScheduleSettings("hourly", "scoring", window_seconds=3600, settle_seconds=300)
ENDED = Status(
    phase="Succeeded", completion=after(90), conditions={"Complete": Condition(True, "", "", NOW, 1)}
)


MOVED = (
    *("window_lag_seconds", "last_success_timestamp_seconds", "newest_window_end_timestamp_seconds"),
    *("window_seconds", "suspended"),
)


class Scraped:
    """A view whose gauges are looked at."""

    def __init__(self, *schedules: ScheduleSettings, budget: str = "0") -> None:
        self.view = View(lambda _: None)
        self.now = NOW
        self.active = self.ready = True
        self.metrics = Metrics("1", Bounds(schedules=schedules))
        sources = Sources(
            lambda: 7, lambda: {"jobs": 3.5}, lambda: self.active, lambda: self.ready, lambda: self.now
        )
        chosen = replace(settings(), currency="EUR", budget_per_day=Decimal(budget))
        collector = ViewCollector(self.view, self.metrics.bounds, chosen, sources, self.metrics.marks)
        self.metrics.registry.register(collector)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"sensorscore_{name}", labels)

    def of_schedule(self, name: str, schedule: str = "hourly") -> float | None:
        return self.value(f"schedule_{name}", namespace="scoring", schedule=schedule)

    def pending(self) -> float | None:
        self.metrics.text()  # one scrape before the one that is looked at
        return self.value("run_pending_seconds", namespace="scoring")


def a_run(
    number: int = 0, status: Status | None = None, schedule: str = "hourly", end: str = "2026-01-01T13:00:00Z"
) -> Run:
    body = run_body(window={"start": "2026-01-01T00:00:00Z", "end": end})
    labels = {"labels": {"sensorscore.dev/schedule": schedule}} if schedule else {}
    own = {"name": f"run-{number}", "uid": f"uid-{number}", "resourceVersion": str(100 + number)}
    body["metadata"] |= own | labels
    return replace(parse_run(body), status=status or Status(phase="Running"))


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_runs_are_counted_by_schedule_and_phase() -> None:
    at = Scraped(HOURLY)
    at.view.put_run(a_run(1))
    at.view.put_run(a_run(2, Status()))
    at.view.put_run(a_run(3, schedule=""))
    at.view.put_run(a_run(4, schedule="unheard-of"))
    runs = {"namespace": "scoring", "schedule": "hourly"}
    assert at.value("runs", **runs, phase="Running") == 1
    assert at.value("runs", **runs, phase="Pending") == 1
    assert at.value("runs", **runs, phase="Failed") == 0
    assert at.value("runs", namespace="scoring", schedule="", phase="Running") == 2
    assert at.value("runs", namespace="scoring", schedule="unheard-of", phase="Running") is None


def test_a_schedule_that_never_made_a_run_has_series_all_the_same() -> None:
    at = Scraped(replace(HOURLY, suspended=True))
    at.now = after(4000)
    assert at.of_schedule("window_lag_seconds") == 4000, "since the operator began"
    assert at.of_schedule("window_seconds") == 3600
    assert at.of_schedule("settle_seconds") == 300
    assert at.of_schedule("suspended") == 1
    assert at.of_schedule("newest_window_end_timestamp_seconds") is None
    assert at.of_schedule("last_success_timestamp_seconds") is None
    assert at.value("runs", namespace="scoring", schedule="hourly", phase="Running") == 0
    assert at.pending() == 0


def test_the_lag_is_that_of_the_newest_window_that_is_complete() -> None:
    at = Scraped(HOURLY)
    at.view.put_run(a_run(1, ENDED, end="2026-01-01T12:00:00Z"))
    at.view.put_run(a_run(2, ENDED, end="2026-01-01T11:00:00Z"))
    at.view.put_run(a_run(3, Status(phase="Failed"), end="2026-01-01T13:00:00Z"))
    assert at.of_schedule("window_lag_seconds") == 3630
    assert at.of_schedule("last_success_timestamp_seconds") == after(90).timestamp()
    newest = at.of_schedule("newest_window_end_timestamp_seconds")
    assert newest == seconds("2026-01-01T13:00:00+00:00")


def test_the_run_of_a_window_s_corrected_sensors_says_nothing_of_the_window_s_own() -> None:
    at = Scraped(HOURLY)
    at.view.put_run(a_run(1, ENDED, end="2026-01-01T11:00:00Z"))
    at.view.put_run(a_run(2, Status(phase="Failed"), end="2026-01-01T12:00:00Z"))
    before = {name: at.of_schedule(name) for name in MOVED}
    corrected = a_run(3, ENDED, end="2026-01-01T12:00:00Z")
    assert isinstance(corrected.spec, Spec)
    some = SensorSource(table="fleet.csv", only="readings/2026/01/01/11/_corrected.csv")
    corrected = replace(corrected, spec=replace(corrected.spec, sensors=some))
    at.view.put_run(corrected)
    at.metrics.ended(corrected, ENDED)
    assert {name: at.of_schedule(name) for name in MOVED} == before


def test_a_run_whose_time_to_live_is_over_counts_as_made_and_complete_all_the_same() -> None:
    at = Scraped(HOURLY)
    run = a_run(1, ENDED)
    at.view.put_run(run)
    assert at.of_schedule("window_lag_seconds") == 30
    at.view.drop_run(run.key, run.uid)
    at.now = after(60)
    assert at.of_schedule("window_lag_seconds") == 90
    assert at.of_schedule("newest_window_end_timestamp_seconds") == seconds("2026-01-01T13:00:00+00:00")


def test_a_run_that_ended_and_was_deleted_between_two_scrapes_counts_all_the_same() -> None:
    at = Scraped(HOURLY)
    at.metrics.ended(a_run(1), ENDED)
    at.metrics.ended(a_run(2, schedule="unheard-of", end="2026-01-01T13:00:15Z"), ENDED)
    at.now = after(60)
    assert at.of_schedule("window_lag_seconds") == 90
    assert at.of_schedule("last_success_timestamp_seconds") == after(90).timestamp()
    assert at.of_schedule("newest_window_end_timestamp_seconds") == seconds("2026-01-01T13:00:00+00:00")


def test_a_schedule_that_is_to_start_later_is_not_behind() -> None:
    at = Scraped(replace(HOURLY, start_from=after(5000)))
    at.now = after(4000)
    assert at.of_schedule("window_lag_seconds") == 0
    at.now = after(5060)
    assert at.of_schedule("window_lag_seconds") == 60


def test_a_schedule_that_has_started_is_behind_since_the_operator_began_at_most() -> None:
    at = Scraped(replace(HOURLY, start_from=after(-5000)))
    at.now = after(40)
    assert at.of_schedule("window_lag_seconds") == 40


@pytest.mark.parametrize(
    "spec", [{"window": {"start": "2026-01-01T00:00:00Z", "end": "2199-01-01T00:00:00Z"}}, {"sensors": 1}]
)
def test_a_window_that_has_not_ended_or_a_spec_that_is_not_understood_moves_no_schedule(spec: Json) -> None:
    at = Scraped(HOURLY)
    body = run_body(**spec)
    body["metadata"]["labels"] = {"sensorscore.dev/schedule": "hourly"}
    at.view.put_run(replace(parse_run(body), status=ENDED))
    assert at.of_schedule("newest_window_end_timestamp_seconds") is None
    assert at.value("runs", namespace="scoring", schedule="hourly", phase="Succeeded") == 1


def test_a_run_by_hand_or_of_an_unknown_schedule_moves_no_schedule() -> None:
    at = Scraped(HOURLY)
    at.view.put_run(a_run(1, ENDED, schedule=""))
    at.view.put_run(a_run(2, ENDED, schedule="unheard-of"))
    assert at.of_schedule("newest_window_end_timestamp_seconds") is None
    assert at.of_schedule("suspended", "unheard-of") is None


def test_jobs_that_wait_are_pending_since_the_oldest_was_made() -> None:
    at = Scraped()
    at.view.put_run(a_pending_run())
    at.view.put_job(waits(0, since=-500))
    at.view.put_job(waits(1, since=-20))
    assert at.pending() == 500
    at.now = after(100)
    assert at.pending() == 600


def test_a_pod_that_runs_ends_the_waiting() -> None:
    at = Scraped()
    at.view.put_run(a_pending_run())
    at.view.put_job(waits(0, since=-500))
    at.view.put_job(replace(waits(1, since=-20), runs=True))
    assert at.pending() == 0
    at.view.put_job(replace(waits(1, since=-20), version=300))
    at.now = after(40)
    assert at.value("run_pending_seconds", namespace="scoring") == 40, "since it was last seen to run"


def test_a_job_that_ended_meanwhile_was_movement() -> None:
    at = Scraped()
    at.view.put_run(a_pending_run())
    at.view.put_job(waits(0, since=-500))
    assert at.pending() == 500
    at.view.put_run(replace(a_pending_run(scored=1), resource_version="200"))
    assert at.pending() == 0


def test_a_pod_that_has_failed_did_start() -> None:
    at = Scraped()
    at.view.put_run(a_pending_run())
    job = waits(0, since=-500)
    at.view.put_job(job)
    at.view.put_pod(a_pod(job, ended=after(-60)))
    assert at.pending() == 60


def test_the_run_says_itself_since_when_it_waits_if_it_has_a_limit_for_that() -> None:
    at = Scraped()
    at.view.put_run(a_pending_run(pending_since=after(-1200)))
    at.view.put_job(waits(0, since=-20))
    assert at.pending() == 1200


@pytest.mark.parametrize("runs", [False, True])
def test_a_run_whose_one_pod_waits_for_readings_is_pending_until_that_pod_runs(runs: bool) -> None:
    at = Scraped()
    at.view.put_run(a_pending_run(phase="Waiting", stage="Prepare"))
    at.view.put_job(replace(waits(0, since=-500), runs=runs))
    assert at.pending() == (0 if runs else 500)


@pytest.mark.parametrize("phase", ["Suspended", "Succeeded", "Failed"])
def test_a_run_that_is_suspended_or_over_does_not_wait_for_pods(phase: str) -> None:
    at = Scraped()
    at.view.put_run(a_pending_run(phase=phase))
    at.view.put_job(waits(0, since=-500))
    assert at.pending() == 0


def test_jobs_that_are_not_over_are_counted() -> None:
    at = Scraped()
    at.view.put_job(a_job(0))
    at.view.put_job(a_finished_job(1))
    assert at.value("jobs_unfinished", namespace="scoring") == 1
    at.view.drop_job(("scoring", a_job(0).name))
    assert at.value("jobs_unfinished", namespace="scoring") is None, "nobody has named the namespace"


def test_what_the_operator_tells_of_itself() -> None:
    at = Scraped()
    assert at.value("operator_queue_depth") == 7
    assert at.value("operator_stream_age_seconds", resource="jobs") == 3.5
    assert at.value("operator_active") == 1
    at.active = False
    assert at.value("operator_active") == 0


def test_an_operator_that_stands_by_tells_nothing_of_runs() -> None:
    at = Scraped(HOURLY)
    at.ready = False
    assert at.of_schedule("window_lag_seconds") is None
    assert at.value("runs", namespace="scoring", schedule="hourly", phase="Running") is None
    assert at.value("operator_queue_depth") == 7


def test_a_budget_is_told_where_there_is_one() -> None:
    assert Scraped(budget="25.50").value("cost_budget_per_day", currency="EUR") == 25.5
    assert Scraped().value("cost_budget_per_day", currency="EUR") is None


def a_pending_run(**status: object) -> Run:
    return replace(parse_run(run_body()), status=replace(pinned(sensors()), **status))


def waits(chunk: int, since: float):  # type: ignore[no-untyped-def]
    return a_job(chunk, created=after(since))

from dataclasses import replace
from typing import Any

import pytest

from scoring_operator.ranges import RangeSet
from scoring_operator.records import JobRecord, PodRecord
from scoring_operator.resource import Key, Run
from scoring_operator.view import View
from unit.operator.given import (
    NOW,
    a_finished_job,
    a_job,
    a_pod,
    a_publish_job,
    a_run,
    pinned,
    publishing,
    sensors,
)

KEY = ("scoring", "hourly")


class Changes(list[Key]):
    """What the view said has changed."""

    def taken(self) -> list[Key]:
        taken = list(self)
        self.clear()
        return taken


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
def view(changes: Changes) -> View:
    return View(changes.append)


def later(run: Run, version: int) -> Run:
    return replace(run, resource_version=str(version))


def test_an_older_state_of_a_run_does_not_replace_a_newer_one(view: View, changes: Changes) -> None:
    view.put_run(later(a_run(), 100))
    view.put_run(later(a_run(parallelism=5), 99))
    assert view.run(KEY) == later(a_run(), 100)
    assert changes.taken() == [KEY]
    view.put_run(later(a_run(), 100))
    assert changes.taken() == []


def test_a_run_made_anew_under_its_name_is_another_run(view: View) -> None:
    view.put_run(later(a_run(), 100))
    view.put_run(replace(a_run(), uid="another", resource_version="101"))
    view.put_run(later(a_run(), 100))  # the past, again
    run = view.run(KEY)
    assert run is not None
    assert run.uid == "another"
    view.drop_run(KEY, a_run().uid)  # the late news of the first one's end
    assert view.run(KEY) is not None


def test_a_full_list_takes_away_what_is_not_in_it(view: View) -> None:
    view.put_run(later(a_run(), 100))
    view.put_run(replace(a_run(), name="younger", uid="y", resource_version="300"))
    view.put_run(replace(a_run(), namespace="other", uid="z"))
    view.replace_runs("scoring", [], 200)
    assert sorted(run.name for run in view.runs()) == ["hourly", "younger"]
    assert view.run(KEY) is None


def test_jobs_deleted_in_a_gap_are_seen_by_the_next_list(view: View, changes: Changes) -> None:
    view.put_run(a_run())
    view.put_job(a_job(0, version=10))
    view.put_job(a_job(1, version=11))
    view.put_job(a_job(2, version=500))  # ours, made after the list was
    changes.clear()
    view.replace_jobs(None, [a_job(1, version=11)], 400)
    assert sorted(view.jobs_of(a_run())) == [(1, 0), (2, 0)]
    assert changes.taken() == [KEY]


def test_only_what_means_something_wakes_a_run(view: View, changes: Changes) -> None:
    view.put_run(a_run())
    changes.clear()
    view.put_job(a_job(0, version=10))
    assert changes.taken() == [KEY]
    view.put_job(a_job(0, version=11))  # ready, active, uncounted pods: the Job controller's own business
    assert changes.taken() == []
    view.put_job(a_finished_job(0, version=12))
    assert changes.taken() == [KEY]
    view.put_job(a_job(0, version=11))
    assert view.jobs_of(a_run())[0, 0].job.state == "Complete"


def test_pods_belong_to_jobs_by_uid(view: View, changes: Changes) -> None:
    view.put_run(a_run())
    job, other = a_finished_job(0), a_finished_job(1)
    view.put_pod(a_pod(job))
    assert changes.taken() == [KEY, KEY]
    view.put_pod(a_pod(job))
    assert changes.taken() == []
    view.put_job(job)
    view.put_job(other)
    assert view.jobs_of(a_run())[0, 0].pods == (a_pod(job),)
    assert view.jobs_of(a_run())[1, 0].pods == ()


def test_what_is_recorded_is_not_kept(view: View) -> None:
    view.put_run(a_run())
    job = a_finished_job(0)
    view.put_job(job)
    view.put_pod(a_pod(job))
    recorded = replace(a_run(pinned(sensors(), done=RangeSet.of([0]))), resource_version="101")
    view.put_run(recorded)
    assert view.jobs_of(recorded) == {}
    view.put_job(replace(job, version=900))
    view.put_pod(a_pod(job))
    assert view.jobs_of(recorded) == {}
    assert (view._jobs, view._jobs_of, view._pods, view._pods_of, view._job_places) == ({}, {}, {}, {}, {})


def test_unfinished_jobs_are_counted_over_all_runs(view: View) -> None:
    view.put_job(a_job(0))
    view.put_job(a_job(1))
    view.put_job(a_finished_job(2))
    assert view.unfinished_count == 2
    view.put_job(a_finished_job(1, version=900))
    assert [job.chunk for job in view.unfinished()] == [0]
    view.drop_job(("scoring", a_job(0).name))
    assert view.unfinished_count == 0


def test_a_message_outlives_its_pod_while_it_is_waited_for(view: View) -> None:
    view.put_run(a_run())
    job = a_finished_job(0)
    view.put_job(job)
    view.put_pod(a_pod(job, "said"))
    view.drop_pod(("scoring", a_pod(job).name))
    view.replace_pods(None, [], 9999)
    assert view.jobs_of(a_run())[0, 0].pods[0].text == "said"


def nothing_is_kept(view: View) -> bool:
    return not (
        view._jobs or view._jobs_of or view._job_places or view._pods or view._pods_of or view._deleted
    )


def test_an_outcome_outlives_its_job_until_it_is_recorded(view: View, changes: Changes) -> None:
    """A Job's time to live may be over before the run's status is written."""
    view.put_run(a_run())
    job = a_finished_job(0)
    view.put_job(job)
    view.put_pod(a_pod(job, "said"))
    changes.clear()
    view.bury_job(("scoring", job.name), job.uid)
    view.drop_pod(("scoring", a_pod(job).name), a_pod(job, "said"))
    view.replace_jobs(None, [], 9999)
    assert view.jobs_of(a_run())[0, 0].pods == (a_pod(job, "said"),)
    assert changes.taken() == []
    view.put_run(later(a_run(pinned(sensors(), done=RangeSet.of([0]))), 101))
    assert nothing_is_kept(view)


def test_outcomes_of_deleted_jobs_go_with_their_run(view: View) -> None:
    view.put_run(a_run())
    job = a_finished_job(0)
    view.put_job(job)
    view.put_pod(a_pod(job, "said"))
    view.drop_job(("scoring", job.name))
    view.drop_run(KEY, a_run().uid)
    assert nothing_is_kept(view)


@pytest.mark.parametrize(
    ("job", "pods"),
    [
        (a_job(0), (a_pod(a_job(0), "said"),)),
        (a_finished_job(0), ()),
        (a_finished_job(0), (a_pod(a_job(0), ""),)),
        (a_finished_job(0, "Failed"), ()),
    ],
    ids=["is not finished", "has no pod", "has no message", "failed without a pod"],
)
def test_a_deleted_job_is_forgotten_that(view: View, job: JobRecord, pods: tuple[PodRecord, ...]) -> None:
    view.put_run(a_run())
    view.put_job(job)
    for pod in pods:
        view.put_pod(pod)
    view.drop_job(("scoring", job.name))
    assert nothing_is_kept(view)


def test_a_deleted_job_of_a_run_that_is_not_known_is_forgotten(view: View) -> None:
    job = a_finished_job(0)
    view.put_job(job)
    view.put_pod(a_pod(job, "said"))
    view.drop_job(("scoring", job.name))
    assert nothing_is_kept(view)


def test_a_job_made_anew_takes_the_place_of_one_that_was_deleted(view: View) -> None:
    view.put_run(a_run())
    job = a_finished_job(0)
    view.put_job(job)
    view.put_pod(a_pod(job, "said"))
    view.drop_job(("scoring", job.name))
    view.put_job(a_job(0, uid="another", version=900))
    assert view.jobs_of(a_run())[0, 0].pods == ()
    view.drop_job(("scoring", job.name))
    assert nothing_is_kept(view)


def test_a_pod_may_be_seen_for_the_first_time_when_it_is_deleted(view: View) -> None:
    view.put_run(a_run())
    job = a_finished_job(0)
    view.put_job(job)
    view.drop_pod(("scoring", "x"), a_pod(job, "said"))
    assert view.jobs_of(a_run())[0, 0].pods[0].text == "said"


def test_pods_of_jobs_that_are_gone_do_not_pile_up(view: View) -> None:
    view.put_run(a_run())
    pod = a_pod(a_job(0))
    view.put_pod(pod)
    view.drop_pod((pod.namespace, pod.name), pod)
    assert (view._pods, view._pods_of) == ({}, {})


def test_a_job_made_anew_under_its_name_forgets_the_old_ones_pods(view: View) -> None:
    view.put_run(a_run())
    view.put_job(a_finished_job(0))
    view.put_pod(a_pod(a_finished_job(0)))
    view.mark_pods_read(a_finished_job(0))
    view.put_job(a_job(0, uid="another", version=900))
    seen = view.jobs_of(a_run())[0, 0]
    assert (seen.job.uid, seen.pods, seen.pods_read) == ("another", (), False)


def test_an_answer_that_is_late_does_not_raise_the_dead(view: View) -> None:
    """A Job's deletion may be seen before the answer to our own request that made or deleted it."""
    view.put_run(a_run())
    view.put_job(a_job(0))
    view.drop_job(("scoring", a_job(0).name))
    view.put_job(a_job(0, terminating=True))
    view.bury_job(("scoring", a_job(1).name), a_job(1).uid)
    view.put_job(a_job(1))
    assert view.jobs_of(a_run()) == {}
    assert view.unfinished_count == 0
    view.put_job(a_job(0, uid="another"))
    assert sorted(view.jobs_of(a_run())) == [(0, 0)]


# Groups


def member(name: str, version: int = 100, group: str = "hourly", **more: Any) -> Run:
    run = a_run(concurrencyGroup=group, concurrencyPolicy="Queue", suspend=more.pop("suspend", False))
    own = {"name": name, "uid": f"uid-{name}", "resource_version": str(version)}
    return replace(run, **own | more)


def test_a_run_has_the_others_of_its_group_beside_it(view: View) -> None:
    runs = [member("a"), member("b"), member("c", group="daily"), replace(member("d"), namespace="other")]
    for run in [*runs, replace(a_run(), name="alone", uid="x")]:
        view.put_run(run)
    assert [run.name for run in view.group_of(runs[0])] == ["b"]
    assert view.group_of(runs[2]) == []
    assert view.group_of(a_run()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"status": pinned(sensors()).having("Complete", True, "AllSucceeded", "", NOW, 1)},
        {"deleting": True},
        {"suspend": True},
        {"uid": "made-anew"},
    ],
    ids=["ends", "is being deleted", "stands aside", "is another one"],
)
def test_the_first_in_line_is_told_when_one(view: View, changes: Changes, change: dict[str, Any]) -> None:
    view.put_run(member("a"))
    view.put_run(member("b"))
    changes.taken()
    view.put_run(member("a", 101, **change))
    assert set(changes.taken()) == {("scoring", "a"), ("scoring", "b")}


def test_what_concerns_a_run_alone_is_not_told_to_others(view: View, changes: Changes) -> None:
    view.put_run(member("a", status=pinned(sensors())))
    view.put_run(member("b"))
    changes.taken()
    view.put_run(member("a", 101, status=pinned(sensors(), scored=1)))
    assert changes.taken() == [("scoring", "a")]


def test_a_run_that_is_gone_or_has_ended_is_in_no_group(view: View, changes: Changes) -> None:
    first, second, third = member("a"), member("b"), member("c")
    for run in (first, second, third):
        view.put_run(run)
    over = pinned(sensors()).having("Complete", True, "AllSucceeded", "", NOW, 1)
    view.put_run(member("b", 101, status=over))
    changes.taken()
    view.drop_run(first.key, first.uid)
    assert ("scoring", "c") in changes.taken()
    assert view.group_of(third) == []


# Publishing


def test_a_publishing_job_that_has_ended_is_kept_until_the_run_has(view: View) -> None:
    run = a_run(publishing(sensors()))
    view.put_run(later(run, 100))
    job = a_publish_job(state="Complete")
    view.put_job(job)
    view.put_pod(a_pod(job, "said"))
    assert (job.chunk, 0) in view.jobs_of(run)
    view.put_run(later(replace(run, status=run.status.having("Complete", True, "X", "", NOW, 1)), 101))
    assert view.jobs_of(run) == {}


# Whose they are said to be


def test_a_job_of_another_namespace_is_not_the_runs_whatever_it_says(view: View) -> None:
    """Who may make Jobs there can give one the run's name, UID and labels, and end it as it pleases."""
    view.put_run(a_run(pinned(sensors())))
    forged = a_finished_job(0, namespace="theirs", uid="forged")
    view.put_job(forged)
    view.put_pod(a_pod(forged, "{}"))
    assert view.jobs_of(a_run()) == {}
    view.put_job(a_job(0))
    assert [seen.job.namespace for seen in view.jobs_of(a_run()).values()] == ["scoring"]


def test_a_pod_of_another_namespace_tells_nothing_of_a_job(view: View) -> None:
    view.put_run(a_run(pinned(sensors())))
    job = a_finished_job(0)
    view.put_job(job)
    view.put_pod(a_pod(job, "{}", namespace="theirs"))
    assert view.jobs_of(a_run())[0, 0].pods == ()
    view.put_pod(a_pod(job, "{}"))
    assert len(view.jobs_of(a_run())[0, 0].pods) == 1

"""The view under events that are late, repeated, missed or out of order: the next list sets it right.

A history is what an API server went through: Jobs of few names, made, changed, deleted and made anew, each
step at a resourceVersion of its own. What is told of it is any selection, in any order.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from scoring_operator.records import JobRecord
from scoring_operator.view import View
from unit.operator.given import NOW, a_job, a_run, pinned, sensors

Step = tuple[str, JobRecord]  # kind of event, the Job as it then is
CHUNKS = 3


def history(moves: list[tuple[int, str]]) -> list[Step]:
    """What happens: a move that makes no sense where it stands is left out."""
    there: dict[int, JobRecord] = {}
    steps: list[Step] = []
    for number, (chunk, move) in enumerate(moves):
        version = 500 + number
        job = there.get(chunk)
        if move == "make" and job is None:
            there[chunk] = a_job(chunk, uid=f"uid-{version}", version=version)
            steps.append(("ADDED", there[chunk]))
        elif move == "end" and job is not None and job.unfinished:
            there[chunk] = replace(job, state="Complete", finished=NOW, attempts=1, version=version)
            steps.append(("MODIFIED", there[chunk]))
        elif move == "leave" and job is not None and not job.terminating:
            there[chunk] = replace(job, terminating=True, version=version)
            steps.append(("MODIFIED", there[chunk]))
        elif move == "delete" and job is not None:
            steps.append(("DELETED", replace(there.pop(chunk), version=version)))
    return steps


def truth(steps: list[Step]) -> dict[str, JobRecord]:
    """The Jobs that are there after all of it, by name."""
    there: dict[str, JobRecord] = {}
    for kind, job in steps:
        if kind == "DELETED":
            there.pop(job.name, None)
        else:
            there[job.name] = job
    return there


def tell(view: View, step: Step) -> None:
    kind, job = step
    if kind == "DELETED":
        view.bury_job((job.namespace, job.name), job.uid)
    else:
        view.put_job(job)


MOVES = st.lists(
    st.tuples(st.integers(0, CHUNKS - 1), st.sampled_from(["make", "end", "leave", "delete"])), max_size=40
)


def a_view() -> View:
    view = View(lambda _: None)
    names = [f"s{number}" for number in range(CHUNKS)]
    view.put_run(a_run(pinned(sensors(*names))))
    return view


def seen(view: View) -> dict[str, JobRecord]:
    return {each.job.name: each.job for each in view.jobs_of(a_run()).values()}


@given(moves=MOVES, data=st.data())
def test_whatever_was_told_before_a_list_sets_it_right(
    moves: list[tuple[int, str]], data: st.DataObject
) -> None:
    steps, view = history(moves), a_view()
    told = data.draw(st.lists(st.sampled_from(steps), max_size=60)) if steps else []
    for step in told:
        tell(view, step)
    view.replace_jobs(None, truth(steps).values(), 1000)
    assert seen(view) == truth(steps)
    assert view.unfinished_count == sum(job.unfinished for job in truth(steps).values())


@given(moves=MOVES, data=st.data())
def test_the_past_told_again_changes_nothing(moves: list[tuple[int, str]], data: st.DataObject) -> None:
    """As by a watch from an older version, or answers that were long on their way."""
    steps, view = history(moves), a_view()
    for step in steps:
        tell(view, step)
    again = data.draw(st.lists(st.sampled_from(steps), max_size=60)) if steps else []
    for step in again:
        tell(view, step)
    assert seen(view) == truth(steps)

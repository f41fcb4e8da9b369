"""Whatever happens, in whatever order: each window has at most one run, none within the bound is missed."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_operator.cluster import RUNS
from scoring_operator.schedule.plan import Mark, newest
from scoring_operator.schedule.settings import Schedule
from unit.schedule.given import Memory, interleave, schedule

MINUTES = st.integers(-300, 2000)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("time goes by"), st.integers(0, 90)),
        st.tuples(st.just("a clock jumps"), MINUTES),
        st.tuples(st.just("works"), st.integers(1, 3)),
        st.tuples(st.just("works and is killed"), st.integers(1, 3)),
        st.tuples(st.just("settled runs are deleted"), st.integers(0, 0)),
    ),
    min_size=1,
    max_size=25,
)
SCHEDULES = st.fixed_dictionaries(
    {
        "windowSeconds": st.sampled_from([3600, 3600, 900, 7200]),
        "offsetSeconds": st.sampled_from([0, 1800, -60]),
        "settleSeconds": st.sampled_from([0, 600, 5000]),
        "catchUp": st.fixed_dictionaries(
            {"maxWindows": st.integers(0, 12), "maxAgeSeconds": st.sampled_from([0, 0, 7000, 90000])}
        ),
    }
)


def settled(mark: Mark, end: datetime) -> bool:
    return end <= mark.last or end in mark.ahead


class Watched(Memory):
    """Looks at each mark that is written."""

    def __init__(self, told: Schedule) -> None:
        super().__init__()
        self.told = told
        self.skipped: set[datetime] = set()

    def _store(self, kind: Any, name: str, body: Any) -> Any:
        before = self.marks[-1] if self.marks else None
        stored = super()._store(kind, name, body)
        if kind.plural == "configmaps" and before is not None:
            self._look(before, self.marks[-1])
        return stored

    def _look(self, before: Mark, mark: Mark) -> None:
        """It goes forward; what it passes over has a run, or is counted as skipped and beyond the bound."""
        assert mark.last >= before.last
        assert all(settled(mark, end) for end in before.ahead)
        grid, live = self.told.grid, newest(self.told, self.now)
        passed = [*grid.ends(grid.after(before.last), mark.last), *mark.ahead]
        news = [end for end in dict.fromkeys(passed) if not settled(before, end)]
        with_run = {end for first, last in mark.runs for end in grid.ends(first, last)}
        assert with_run <= set(self.ends())
        if mark.skipped == before.skipped:
            assert set(news) <= with_run
            return
        assert len(news) == mark.skipped - before.skipped
        catch_up = self.told.catch_up
        for end in news:
            too_many = end < live - catch_up.max_windows * grid.length
            too_old = catch_up.max_age is not None and end < self.now - catch_up.max_age
            assert too_many or too_old
        self.skipped.update(news)

    def ends(self) -> list[datetime]:
        return [datetime.fromisoformat(run["spec"]["window"]["end"]) for run in self.made]

    def delete_settled(self) -> None:
        for plural, name in list(self.objects):
            if plural == "scoringruns":
                end = datetime.fromisoformat(self.objects[plural, name]["spec"]["window"]["end"])
                if settled(self.mark, end):
                    self.drop(RUNS, name)

    def nothing_is_missing(self, first: Mark) -> None:
        grid = self.told.grid
        ended = grid.ends(grid.after(first.last), newest(self.told, self.now))
        assert all(end in self.ends() or end in self.skipped for end in ended)


@settings(max_examples=300)
@given(SCHEDULES, STEPS, st.integers(0, 2**32))
def test_each_window_has_one_run_or_is_named_as_skipped(told: Any, steps: list[Any], seed: int) -> None:
    memory, random = Watched(schedule(**told)), Random(seed)  # noqa: S311 - an order, no secret
    unmarked = 0  # runs that may have been made by what was killed, or overtaken, before it wrote the mark
    for what, number in [*steps, ("works", 1)]:
        if what in ("time goes by", "a clock jumps"):
            memory.now += timedelta(minutes=number)
        elif what == "settled runs are deleted" and memory.marks:
            memory.delete_settled()
        elif what.startswith("works"):
            works = [memory.work(memory.told) for _ in range(number)]
            killed = 0.1 if what.endswith("killed") else 0.0
            unmarked += number if killed or number > 1 else 0
            if interleave(works, random, killed):
                memory.nothing_is_missing(memory.marks[0])
    assert len(memory.names()) == len(set(memory.names()))
    caught_up = [run["spec"]["window"]["end"] for run in memory.made if run["spec"]["priority"] < 0]
    assert caught_up == sorted(caught_up)
    assert len(set(memory.ends()) & memory.skipped) <= unmarked  # told as skipped all the same

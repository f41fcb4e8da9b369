import asyncio

import pytest

from scoring_operator.queue import WorkQueue
from unit.operator.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue[str]:
    return WorkQueue(clock, pause=0.2)


async def due(queue: WorkQueue[str]) -> list[str]:
    """All keys that are due now."""
    taken = []
    while True:
        try:
            async with asyncio.timeout(0.01):
                taken.append(await queue.take())
        except TimeoutError:
            return taken


async def test_the_first_request_is_answered_at_once_and_many_more_together(
    queue: WorkQueue[str], clock: Clock
) -> None:
    queue.add("run")
    assert await due(queue) == ["run"]
    queue.done("run")
    for _ in range(1000):
        queue.add("run")
    assert await due(queue) == []
    clock.now += 0.2
    assert await due(queue) == ["run"]
    queue.done("run")
    clock.now += 60
    assert await due(queue) == []
    queue.add("run")
    assert await due(queue) == ["run"]


async def test_what_was_given_out_long_ago_is_not_remembered(queue: WorkQueue[int], clock: Clock) -> None:
    for key in range(100):
        clock.now += 0.1
        queue.add(key)
        queue.done(await queue.take())
    assert len(queue._taken) <= 4


async def test_the_earlier_time_wins(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("run", 60)
    queue.add("run", 0.2)
    queue.add("run", 30)
    clock.now += 0.2
    assert await due(queue) == ["run"]
    queue.done("run")
    clock.now += 100
    assert await due(queue) == []


async def test_a_key_in_work_comes_again_only_when_it_is_done(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("run", 0)
    assert await due(queue) == ["run"]
    queue.add("run", 0)
    queue.add("other", 0)
    assert await due(queue) == ["other"]
    queue.done("run")
    assert await due(queue) == ["run"]


async def test_first_come_first_served(queue: WorkQueue[str], clock: Clock) -> None:
    for key in "cab":
        queue.add(key, 0)
    assert await due(queue) == ["c", "a", "b"]


async def test_errors_back_off_and_events_do_not_wear_that_down(queue: WorkQueue[str], clock: Clock) -> None:
    waits = []
    for _ in range(9):
        queue.add("run", 0)
        clock.now += 60
        assert await due(queue) == ["run"]
        waits.append(queue.failed("run"))
        queue.add("run", 0)
        assert await due(queue) == []
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    clock.now += 60
    assert await due(queue) == ["run"]
    queue.done("run")
    queue.add("run", 0)
    assert await due(queue) == ["run"]


async def test_the_api_servers_own_pause_is_kept(queue: WorkQueue[str]) -> None:
    queue.add("run", 0)
    await queue.take()
    assert queue.failed("run", at_least=17) == 17


async def test_waiting_work_is_taken_when_it_is_due() -> None:
    loop = asyncio.get_running_loop()
    queue: WorkQueue[str] = WorkQueue(loop.time, pause=0.02)
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0.01)
    queue.add("run")
    async with asyncio.timeout(1):
        assert await taking == "run"


async def test_its_depth_is_what_is_due_or_in_work(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("a", 0)
    queue.add("b", 100)
    assert len(queue) == 1
    await queue.take()
    assert len(queue) == 1
    queue.done("a")
    assert len(queue) == 0

from scoring_operator.ratelimit import TokenBucket
from unit.operator.clock import Clock


async def test_a_seconds_worth_at_once_then_the_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(10, clock, clock.sleep)
    started = clock.now
    for _ in range(10):
        await bucket.take()
    assert clock.now == started
    for _ in range(50):
        await bucket.take()
    assert 4.9 <= clock.now - started <= 5.1


async def test_urgent_writes_never_wait_but_others_do_for_them() -> None:
    clock = Clock()
    bucket = TokenBucket(10, clock, clock.sleep)
    started = clock.now
    for _ in range(30):
        bucket.urgent()
    assert clock.now == started
    await bucket.take()
    assert clock.now - started > 2


async def test_nothing_is_saved_up_for_more_than_a_second() -> None:
    clock = Clock()
    bucket = TokenBucket(10, clock, clock.sleep)
    clock.now += 3600
    started = clock.now
    for _ in range(20):
        await bucket.take()
    assert clock.now - started > 0.9


async def test_who_would_wait_for_too_long_is_told_at_once_and_takes_nothing() -> None:
    clock = Clock()
    bucket = TokenBucket(10, clock, clock.sleep)
    started = clock.now
    taken = [await bucket.take(within=0.0) for _ in range(50)]
    assert (taken.count(True), clock.now) == (10, started)
    clock.now += 0.35
    assert [await bucket.take(within=0.0) for _ in range(5)].count(True) == 3
    assert await bucket.take(within=0.5)
    assert clock.now - started < 1

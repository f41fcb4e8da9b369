from scoring_operator.ratelimit import TokenBucket
from unit.operator.clock import Clock


def taken(bucket: TokenBucket, times: int = 100) -> int:
    return [bucket.take() for _ in range(times)].count(True)


def test_a_seconds_worth_at_once_then_the_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(10, clock)
    assert taken(bucket) == 10
    at_rate = 0
    for _ in range(20):
        clock.now += 0.25
        at_rate += taken(bucket)
    assert at_rate == 50


def test_urgent_writes_never_wait_but_others_do_for_them() -> None:
    clock = Clock()
    bucket = TokenBucket(10, clock)
    for _ in range(30):
        bucket.urgent()
    clock.now += 2
    assert taken(bucket) == 0
    clock.now += 0.5
    assert taken(bucket) == 5


def test_nothing_is_saved_up_for_more_than_a_second() -> None:
    clock = Clock()
    bucket = TokenBucket(10, clock)
    clock.now += 3600
    assert taken(bucket) == 10

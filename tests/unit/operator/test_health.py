import aiohttp

from scoring_operator import http
from scoring_operator.health import Echo, Health
from scoring_operator.metrics import Metrics
from unit.operator.clock import Clock

KEY = ("scoring", "hourly")


def test_what_we_wrote_must_come_back() -> None:
    clock = Clock()
    echo = Echo(clock)
    assert echo.age() == 0
    echo.wrote(KEY, 10)
    clock.now += 5
    echo.wrote(KEY, 11)
    assert echo.age() == 5  # since the first: a stream that is dead does not grow young by our writing on
    echo.heard(KEY, 10)
    assert echo.age() == 0
    clock.now += 5
    assert echo.age() == 5
    echo.heard(KEY, 12)
    assert echo.age() == 0
    echo.wrote(KEY, 13)
    echo.gone(KEY)
    assert echo.age() == 0


def test_an_echo_before_the_answer_to_the_write_counts() -> None:
    clock = Clock()
    echo = Echo(clock)
    echo.heard(KEY, 7)
    echo.wrote(KEY, 7)
    clock.now += 400
    assert echo.age() == 0


def test_nothing_is_expected_of_runs_that_a_full_list_does_not_show() -> None:
    clock = Clock()
    echo = Echo(clock)
    echo.wrote(KEY, 7)
    echo.keep({("scoring", "another")})
    clock.now += 400
    assert echo.age() == 0


def test_a_source_that_is_silent_for_too_long_is_named() -> None:
    clock = Clock()
    health = Health(clock, 300)
    health.watch("jobs", lambda: 301.0)
    health.watch("pods", lambda: 12.0)
    assert health.sick() == "no sign of life for more than 300 s from jobs: 301 s"
    health.watch("jobs", lambda: 300.0)
    assert health.sick() == ""


def test_a_loop_that_stands_still_is_sick() -> None:
    clock = Clock()
    health = Health(clock, 300)
    clock.now += 400
    assert "loop" in health.sick()


async def test_probes_and_metrics_are_served() -> None:
    clock = Clock()
    metrics, health = Metrics("1.2.3"), Health(clock, 300)
    server, port = await http.serve(0, metrics, health)
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:

            async def get(path: str) -> tuple[int, str]:
                async with client.get(path) as answer:
                    return answer.status, await answer.text()

            assert await get("/healthz") == (200, "ok\n")
            assert (await get("/readyz"))[0] == 503
            health.ready = True
            assert await get("/readyz") == (200, "ok\n")
            clock.now += 1000
            assert (await get("/healthz"))[0] == 503
            assert 'sensorscore_operator_build_info{version="1.2.3"} 1.0' in (await get("/metrics"))[1]
            assert (await get("/"))[0] == 404
    finally:
        await server.cleanup()

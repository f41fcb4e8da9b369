import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import pytest

from scoring_operator import streams
from scoring_operator.cluster import JOBS, Cluster
from scoring_operator.streams import Stream
from scoring_operator.view import Place
from unit.operator.api_double import ApiDouble, Json, serving, status

JOBS_PATH = "/apis/batch/v1/namespaces/scoring/jobs"


class Names:
    """A sink that keeps names."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.lists = 0

    def put(self, record: str) -> None:
        self.names.add(record)

    def drop(self, place: Place, _last: str | None) -> None:
        self.names.discard(place[1])

    def replace(self, records: Iterable[str], _version: int) -> None:
        self.names = set(records)
        self.lists += 1


def name_of(body: Json) -> str | None:
    if body["metadata"]["name"] == "broken":
        raise KeyError("metadata.uid")
    return None if body.get("foreign") else str(body["metadata"]["name"])


def put(api: ApiDouble, name: str, **more: object) -> None:
    api.put(f"{JOBS_PATH}/{name}", {"metadata": {"name": name, "namespace": "scoring"}, **more})


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not happened():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def streaming(cluster: Cluster, sink: Names) -> AsyncIterator[Stream[str]]:
    stream = Stream(cluster, JOBS, "scoring", {"labelSelector": "x"}, name_of, sink, time.monotonic)
    task = asyncio.create_task(stream.run())
    try:
        yield stream
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BACKOFF_FIRST", 0.01)


async def test_it_lists_and_then_follows() -> None:
    api, sink = ApiDouble(), Names()
    put(api, "old")
    async with serving(api) as cluster, streaming(cluster, sink) as stream:
        await stream.synced.wait()
        await until(lambda: bool(api.watchers))
        put(api, "new")
        put(api, "foreign", foreign=True)
        put(api, "broken")
        api.drop(f"{JOBS_PATH}/old")
        await until(lambda: sink.names == {"new"})
        put(api, "new", foreign=True)  # it had our label and has it no more
        await until(lambda: sink.names == set())
    assert sink.lists == 1


async def test_after_a_broken_watch_it_goes_on_where_it_was() -> None:
    api, sink = ApiDouble(), Names()
    async with serving(api) as cluster, streaming(cluster, sink):
        await until(lambda: bool(api.watchers))
        api.tell(JOBS_PATH, {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "4321"}}})
        api.tell(JOBS_PATH, None)
        await until(lambda: len(api.calls) >= 3 and bool(api.watchers))
        put(api, "new")
        await until(lambda: sink.names == {"new"})
    assert sink.lists == 1


@pytest.mark.parametrize("as_event", [True, False])
async def test_what_was_deleted_in_a_gap_is_gone_after_it(as_event: bool) -> None:
    api, sink = ApiDouble(), Names()
    put(api, "kept")
    put(api, "deleted in the gap")
    async with serving(api) as cluster, streaming(cluster, sink):
        await until(lambda: bool(api.watchers))
        del api.objects[f"{JOBS_PATH}/deleted in the gap"]
        gone = {"code": 410, "reason": "Expired", "message": "too old resource version"}
        if as_event:
            api.tell(JOBS_PATH, {"type": "ERROR", "object": gone})
        else:
            api.fault = lambda request: status(410, "Expired") if request.query.get("watch") else None
            api.tell(JOBS_PATH, None)
        await until(lambda: sink.names == {"kept"})
    assert sink.lists >= 2


async def test_errors_cost_a_pause_and_never_the_stream() -> None:
    api, sink = ApiDouble(), Names()
    put(api, "there")
    refusals = iter([status(500, "InternalError"), status(403, "Forbidden"), status(429, "TooManyRequests")])
    api.fault = lambda _: next(refusals, None)
    async with serving(api) as cluster, streaming(cluster, sink):
        await until(lambda: sink.names == {"there"})


@pytest.mark.parametrize(("works", "last"), [(True, 0.01), (False, 0.08)])
async def test_pauses_grow_until_a_watch_has_told_something_however_it_ends(
    works: bool, last: float, caplog: pytest.LogCaptureFixture
) -> None:
    api, sink = ApiDouble(), Names()
    refusals = iter([status(500, "InternalError") for _ in range(3)])
    api.fault = lambda _: next(refusals, None)

    def pauses() -> list[float]:
        told = (record.args for record in caplog.records if record.name == streams.log.name)
        return [float(str(args[-1])) for args in told if isinstance(args, tuple)]

    async with serving(api) as cluster, streaming(cluster, sink):
        await until(lambda: bool(api.watchers))
        if works:
            api.tell(JOBS_PATH, {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "4321"}}})
        api.tell(JOBS_PATH, {"type": "ERROR", "object": {"code": 500, "reason": "InternalError"}})
        await until(lambda: len(pauses()) >= 4)
    assert pauses()[:4] == [0.01, 0.02, 0.04, last]


async def test_a_server_that_is_away_for_a_while_costs_pauses_only() -> None:
    api, sink = ApiDouble(), Names()
    async with serving(api) as cluster, streaming(cluster, sink):
        await until(lambda: bool(api.watchers))
        configuration = cluster._client.configuration
        there = configuration.host
        configuration.host = "http://127.0.0.1:1"
        api.tell(JOBS_PATH, None)
        await asyncio.sleep(0.1)
        configuration.host = there
        await until(lambda: bool(api.watchers))
        put(api, "new")
        await until(lambda: sink.names == {"new"})


async def test_each_event_and_bookmark_is_a_sign_of_life() -> None:
    api, sink = ApiDouble(), Names()
    async with serving(api) as cluster, streaming(cluster, sink) as stream:
        await until(lambda: bool(api.watchers))
        heard = stream.heard
        api.tell(JOBS_PATH, {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "4321"}}})
        await until(lambda: stream.heard > heard)


async def test_now_and_then_it_lists_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "RELIST_SECONDS", 0.0)
    api, sink = ApiDouble(), Names()
    async with serving(api) as cluster, streaming(cluster, sink):
        await until(lambda: bool(api.watchers))
        sink.names.add("ghost")
        api.tell(JOBS_PATH, None)
        await until(lambda: sink.lists == 2)
    assert sink.names == set()

import asyncio
import json
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from scoring_operator.cluster import CONFIG_MAPS, JOBS, LEASES, PODS, RUNS, ApiError, Cluster
from unit.operator.api_double import ApiDouble, Json, serving, status

JOB = "/apis/batch/v1/namespaces/scoring/jobs/one"


@pytest.fixture
def api() -> ApiDouble:
    return ApiDouble()


@pytest.fixture
async def cluster(api: ApiDouble) -> AsyncIterator[Cluster]:
    async with serving(api) as connected:
        yield connected


def job(name: str) -> Json:
    return {"metadata": {"name": name, "namespace": "scoring"}}


def test_paths() -> None:
    assert PODS.path(None) == "/api/v1/pods"
    assert JOBS.path("a", "b") == "/apis/batch/v1/namespaces/a/jobs/b"
    assert RUNS.path("a", "b", "status") == "/apis/sensorscore.dev/v1alpha1/namespaces/a/scoringruns/b/status"


async def test_objects_are_made_read_and_deleted(api: ApiDouble, cluster: Cluster) -> None:
    made = await cluster.create(JOBS, "scoring", job("one"))
    assert await cluster.get(JOBS, "scoring", "one") == made
    await cluster.delete(JOBS, "scoring", "one", made["metadata"]["uid"])
    assert await cluster.get(JOBS, "scoring", "one") is None
    await cluster.delete(JOBS, "scoring", "one", "uid")  # gone is what was wanted


async def test_what_the_server_does_not_know_is_refused_only_where_that_is_asked(
    api: ApiDouble, cluster: Cluster
) -> None:
    asked: list[str] = []
    api.fault = lambda request: asked.append(request.query_string)
    await cluster.create(JOBS, "scoring", job("one"))
    await cluster.create(JOBS, "scoring", job("two"), strict=True)
    assert asked == ["", "fieldValidation=Strict"]


async def test_the_servers_clock_is_told_with_each_answer(api: ApiDouble, cluster: Cluster) -> None:
    assert cluster.date == ""
    await cluster.get(JOBS, "scoring", "one")
    assert parsedate_to_datetime(cluster.date).tzinfo is not None


async def test_a_status_is_written_at_its_version_or_not_at_all(api: ApiDouble, cluster: Cluster) -> None:
    path = RUNS.path("scoring", "hourly")
    version = api.put(path, {"metadata": {"name": "hourly"}})["metadata"]["resourceVersion"]
    key = ("scoring", "hourly")
    written = await cluster.write_status(key, version, {"phase": "Running"})
    assert written["status"] == {"phase": "Running"}
    with pytest.raises(ApiError) as refused:
        await cluster.write_status(key, version, {"phase": "Failed"})
    assert refused.value.code == 409


async def test_all_pages_are_read(api: ApiDouble, cluster: Cluster) -> None:
    api.page_size = 2
    for name in "abcde":
        await cluster.create(JOBS, "scoring", job(name))
    pages = [items async for items, _ in cluster.pages(JOBS, "scoring", {"labelSelector": "x"})]
    assert [len(items) for items in pages] == [2, 2, 1]


@pytest.mark.parametrize(
    ("answer", "permanent", "pause"),
    [
        (status(422, "Invalid", "spec.x: Invalid value"), True, 0),
        (status(400, "BadRequest", "unknown field"), True, 0),
        (status(403, "Forbidden", "exceeded quota: few"), False, 0),
        (status(429, "TooManyRequests", "later", Retry_After="7"), False, 7),
        (status(500, "InternalError", "etcdserver: leader changed"), False, 0),
        (web.Response(status=502, text="<html>bad gateway"), False, 0),
    ],
    ids=lambda value: str(value.status) if isinstance(value, web.Response) else str(value),
)
async def test_refusals_say_whether_to_try_again(answer: web.Response, permanent: bool, pause: float) -> None:
    api = ApiDouble()
    api.fault = lambda _: answer
    async with serving(api) as cluster:
        with pytest.raises(ApiError) as refused:
            await cluster.create(JOBS, "scoring", job("one"))
    assert (refused.value.code, refused.value.permanent) == (answer.status, permanent)
    assert refused.value.retry_after == pause


async def test_no_answer_is_an_error_of_its_own() -> None:
    async with serving(ApiDouble()) as cluster:
        cluster._client.configuration.host = "http://127.0.0.1:1"
        with pytest.raises(ApiError, match="get configmaps: no answer: ClientConnector") as refused:
            await cluster.get(CONFIG_MAPS, "scoring", "x")
    assert (refused.value.code, refused.value.permanent) == (0, False)


async def test_calls_are_counted_by_the_verbs_of_rbac(api: ApiDouble, cluster: Cluster) -> None:
    seen: list[tuple[str, str, int]] = []
    cluster._seen = lambda *call: seen.append(call)
    lease = "/apis/coordination.k8s.io/v1/namespaces/system/leases/operator"
    held = api.put(lease, {"metadata": {"name": "operator", "namespace": "system"}})
    run = api.put(RUNS.path("scoring", "hourly"), {"metadata": {"name": "hourly"}})
    made = await cluster.create(JOBS, "scoring", job("one"))
    await cluster.get(JOBS, "scoring", "one")
    await cluster.replace(LEASES, "system", "operator", held)
    await cluster.write_status(("scoring", "hourly"), run["metadata"]["resourceVersion"], {})
    await cluster.delete(JOBS, "scoring", "one", made["metadata"]["uid"])
    _ = [page async for page in cluster.pages(PODS, "scoring", {})]
    with pytest.raises(ApiError, match="Timeout"):
        await anext(cluster.watch(PODS, "scoring", {}, 7, 300, 0.05))
    assert seen == [
        ("create", "jobs", 201),
        ("get", "jobs", 200),
        ("update", "leases", 200),
        ("patch", "scoringruns", 200),
        ("delete", "jobs", 200),
        ("list", "pods", 200),
        ("watch", "pods", 200),
    ]


async def test_what_is_no_json_is_an_error_of_its_own(api: ApiDouble, cluster: Cluster) -> None:
    api.fault = lambda _: web.Response(text="<html>")
    with pytest.raises(ApiError, match="not JSON"):
        await cluster.get(JOBS, "scoring", "one")


async def test_a_renewed_token_is_read_when_the_old_one_is_refused(
    api: ApiDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ServiceAccount's token lives an hour; an operator lives longer."""

    def write_kubeconfig(server: str, token: str) -> None:
        named = {"name": "x"}
        config = {
            "clusters": [named | {"cluster": {"server": server}}],
            "users": [named | {"user": {"token": token}}],
            "contexts": [named | {"context": {"cluster": "x", "user": "x"}}],
            "current-context": "x",
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))

    def only_new(request: web.Request) -> web.Response | None:
        return None if request.headers.get("Authorization") == "Bearer new" else status(401, "Unauthorized")

    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    calls: list[int] = []
    async with serving(api) as there:
        host = there._client.configuration.host
        write_kubeconfig(host, "old")
        cluster = await Cluster.connect(lambda *call: calls.append(call[2]))
        api.fault = only_new
        with pytest.raises(ApiError) as refused:
            await cluster.create(JOBS, "scoring", job("one"))
        assert refused.value.code == 401
        write_kubeconfig(host, "new")
        cluster._login_at -= 60
        await cluster.create(JOBS, "scoring", job("one"))
        await cluster.close()
    assert calls == [401, 401, 401, 201]


async def test_a_watch_gives_events_until_the_server_ends_it(api: ApiDouble, cluster: Cluster) -> None:
    def end(_: web.Request) -> None:
        collection = JOB.rpartition("/")[0]
        asyncio.get_running_loop().call_later(0.05, api.put, JOB, job("one"))
        asyncio.get_running_loop().call_later(0.06, api.tell, collection, None)

    api.fault = end
    events = [event async for event in cluster.watch(JOBS, "scoring", {}, 7, 300, 5.0)]
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [("MODIFIED", "one")]


async def test_a_silent_watch_is_cut(api: ApiDouble, cluster: Cluster) -> None:
    with pytest.raises(ApiError, match="Timeout"):
        await anext(cluster.watch(JOBS, "scoring", {}, 7, 300, 0.05))


async def test_a_watch_that_is_refused_says_why(api: ApiDouble, cluster: Cluster) -> None:
    api.fault = lambda _: status(410, "Expired", "too old resource version")
    with pytest.raises(ApiError) as refused:
        await anext(cluster.watch(JOBS, "scoring", {}, 7, 300, 5.0))
    assert refused.value.code == 410


async def test_events_come_whole_and_in_order_however_the_stream_is_cut() -> None:
    sent = [{"type": "MODIFIED", "object": {"metadata": {"name": f"{n}" * 3000}}} for n in range(9)]
    text = b"\n\n".join(json.dumps(event).encode() for event in sent)  # a blank line between, none at the end

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for place in range(0, len(text), 1999):
            await response.write(text[place : place + 1999])
            await asyncio.sleep(0.001)
        return response

    double = ApiDouble()
    double._watch = answer  # type: ignore[method-assign]
    async with serving(double) as cluster:
        seen = [event async for event in cluster.watch(JOBS, "scoring", {}, 1000, 60, 5.0)]
    assert seen == sent


async def test_no_password_is_looked_for_in_the_users_files(
    api: ApiDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    asked: list[str | None] = []

    def look(request: web.Request) -> None:
        asked.append(request.headers.get("Authorization"))

    api.fault = look
    async with serving(api) as cluster:
        await cluster.get(JOBS, "scoring", "one")
    assert asked == [None]


@pytest.mark.parametrize("name", ["../../other/configmaps/theirs", "a/status", "a?watch=true", "%2e%2e"])
def test_a_name_is_one_segment_of_a_path(name: str) -> None:
    path = CONFIG_MAPS.path("scoring", name)
    assert path.startswith("/api/v1/namespaces/scoring/configmaps/")
    assert path.count("/") == 6
    assert "?" not in path

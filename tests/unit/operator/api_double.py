"""A double of the API server, for what a real one does not do on request: refuse, stall, lose answers.

It keeps objects by path, counts resourceVersions, refuses what is there already and writes at an old version,
and shows watches what changed. It validates nothing: that is tested on the real one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration

from scoring_operator.cluster import Cluster, Kind

Json = dict[str, Any]
Fault = Callable[[web.Request], web.Response | None]


def status(code: int, reason: str, message: str = "", **headers: str) -> web.Response:
    """A refusal, as the API server words it."""
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return web.json_response(body, status=code, headers={k.replace("_", "-"): v for k, v in headers.items()})


class ApiDouble:
    """Objects by their path; `calls` are (method, path) of all requests; `fault` may answer in its place."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.calls: list[tuple[str, str]] = []
        self.fault: Fault = lambda _: None
        self.late_fault: Fault = lambda _: None  # after the write was done
        self.version = 1000
        self.watchers: list[tuple[str, asyncio.Queue[Json | None]]] = []
        self.page_size = 500

    def count(self, method: str, ending: str = "") -> int:
        """How many requests there were."""
        return sum(call[0] == method and call[1].endswith(ending) for call in self.calls)

    def objects_of(self, kind: Kind, namespace: str = "scoring") -> list[Json]:
        """All of a kind."""
        return [
            self.objects[path] for path in sorted(self.objects) if path.startswith(f"{kind.path(namespace)}/")
        ]

    def put(self, path: str, body: Json, event: str = "MODIFIED") -> Json:
        """Store an object and tell who watches."""
        self.version += 1
        body = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        self.objects[path] = body
        self.tell(path.rpartition("/")[0], {"type": event, "object": body})
        return body

    def drop(self, path: str) -> None:
        """Take an object away and tell who watches."""
        body = self.objects.pop(path)
        self.version += 1
        self.tell(path.rpartition("/")[0], {"type": "DELETED", "object": body})

    def tell(self, collection: str, event: Json | None) -> None:
        """Send an event to the watches of a collection; None ends them."""
        for watched, queue in self.watchers:
            if watched == collection:
                queue.put_nowait(event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """All requests."""
        self.calls.append((request.method, request.path))
        if (refusal := self.fault(request)) is not None:
            return refusal
        if request.query.get("watch"):
            return await self._watch(request)
        answer = await self._answer(request)
        return self.late_fault(request) or answer

    async def _answer(self, request: web.Request) -> web.Response:
        path, body = request.path, await request.text()
        found = self.objects.get(path.removesuffix("/status"))
        match request.method:
            case "POST":
                made = json.loads(body)
                target = f"{path}/{made['metadata']['name']}"
                if target in self.objects:
                    return status(409, "AlreadyExists", "already exists")
                meta = {"uid": f"uid-{self.version}", "creationTimestamp": "2026-01-01T13:00:10Z"}
                made["metadata"] = meta | made["metadata"]
                return web.json_response(self.put(target, made, "ADDED"), status=201)
            case "GET" if path.rpartition("/")[2] in PLURALS:
                return self._list(request)
            case "GET" if found is not None:
                return web.json_response(found)
        if found is None:
            return status(404, "NotFound")
        if request.method == "DELETE":
            self.drop(path)
            return web.json_response({})
        if request.method == "PUT":
            whole = json.loads(body)
            if whole["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
                return status(409, "Conflict", "the object has been modified")
            return web.json_response(self.put(path, whole))
        version, replacement = json.loads(body)
        if version["value"] != found["metadata"]["resourceVersion"]:
            return status(409, "Conflict", "the object has been modified")
        changed = found | {"status": replacement["value"]}
        return web.json_response(self.put(path.removesuffix("/status"), changed))

    def _list(self, request: web.Request) -> web.Response:
        prefix = f"{request.path}/"
        items = [body for path, body in sorted(self.objects.items()) if path.startswith(prefix)]
        first = int(request.query.get("continue", 0))
        page = items[first : first + self.page_size]
        left = first + self.page_size < len(items)
        meta = {"resourceVersion": str(self.version)} | (
            {"continue": str(first + self.page_size)} if left else {}
        )
        return web.json_response({"metadata": meta, "items": page})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[Json | None] = asyncio.Queue()
        self.watchers.append((request.path, queue))
        while (event := await queue.get()) is not None:
            await response.write(json.dumps(event).encode() + b"\n")
        self.watchers.remove((request.path, queue))
        return response


PLURALS = ("scoringruns", "jobs", "pods", "configmaps", "events", "leases")


@asynccontextmanager
async def serving(double: ApiDouble) -> AsyncIterator[Cluster]:
    """The double on loopback, and the operator's client to it."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", double.answer)
    server = TestServer(app)
    await server.start_server()
    configuration = Configuration(host=str(server.make_url("")).rstrip("/"))
    cluster = Cluster(configuration, lambda *_: None)
    try:
        yield cluster
    finally:
        for _, queue in list(double.watchers):
            queue.put_nowait(None)
        await cluster.close()
        await server.close()

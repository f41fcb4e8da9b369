"""A proxy on loopback between the operator and a real API server, which fails as it is told to.

What comes through is passed on unchanged, watches line by line. A fault is chosen for each call by a function
of the call, so that a test says which calls fail and how, and when the API server is whole again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from aiohttp import web

from local.ports import free_ports

WRITES = ("POST", "PUT", "PATCH", "DELETE")
_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "host")


@dataclass(frozen=True)
class Call:
    """One call of the operator's.

    `number` counts its writes from 0, and is -1 for a read, and for its Lease, which is written by the clock.
    """

    method: str
    path: str
    query: str
    token: str
    number: int
    at: float

    @property
    def watch(self) -> bool:
        """Whether it is a stream of changes."""
        return "watch=true" in self.query.lower() or "watch=1" in self.query

    @property
    def resource(self) -> str:
        """The resource's plural, `jobs` say, with its part: `scoringruns/status`."""
        words = [word for word in self.path.split("/") if word]
        start = words.index("namespaces") + 2 if "namespaces" in words[:-2] else len(words) - 1
        rest = words[start:]
        return "/".join([rest[0], *rest[2:3]]) if rest else ""


@dataclass(frozen=True)
class Fault:
    """What befalls a call. Without any field it passes unharmed."""

    status: int = 0
    """This answer in place of the API server's."""
    reason: str = ""
    message: str = ""
    retry_after: int = 0
    accepted: bool = False
    """The API server carries the call out before: a write whose answer is lost."""
    reset: bool = False
    """The connection is closed without an answer."""
    lines: int = -1
    """A watch ends after so many lines."""
    gone: bool = False
    """It ends with an ERROR event of code 410."""
    stalled: bool = False
    """A watch stays open and says nothing more."""
    delay: float = 0.0
    """Seconds: a watch's lines come so much later, in their order; other calls are passed on so late."""
    rewound: bytes | None = None
    """An older answer in place of the API server's, as a server gives that lags behind."""
    heard: Callable[[bytes], None] | None = None
    """Is told the body of the API server's answer, if that is a success."""
    before: Callable[[], None] | None = None
    """Is called before anything else: kills the operator, say."""
    after: Callable[[], None] | None = None
    """Is called when the API server has carried the call out, before its answer is passed on."""


PASS = Fault()
Chooser = Callable[[Call], Fault]


@dataclass
class ApiProxy:
    """While entered, serves the API server of a kubeconfig at a port of its own, without TLS."""

    kubeconfig: Path
    fault: Chooser = field(default=lambda _: PASS)
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = yaml.safe_load(self.kubeconfig.read_text())
        self._server = config["clusters"][0]["cluster"]["server"]
        self._port = free_ports(1)[0]
        self._writes = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="api-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(20):
            raise RuntimeError("the proxy did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(20)

    def write_kubeconfig(self, path: Path, token: str = "first") -> Path:  # noqa: S107 - a double's
        """A kubeconfig that leads here."""
        cluster = {"server": f"http://127.0.0.1:{self._port}"}
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "proxy", "cluster": cluster}],
                    "users": [{"name": "user", "user": {"token": token}}],
                    "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "user"}}],
                    "current-context": "proxy",
                }
            )
        )
        return path

    def writes(self) -> list[Call]:
        """The writes so far, in order."""
        return [call for call in self.calls if call.number >= 0]

    def rate(self, since: float) -> float:
        """Calls a minute since then, a time of `time.monotonic`."""
        seconds = max(1.0, time.monotonic() - since)
        return 60 * sum(1 for call in self.calls if call.at >= since) / seconds

    # In the thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        left = asyncio.all_tasks(self._loop)  # streams that nobody reads any more
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _serve(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None)
        connector = aiohttp.TCPConnector(ssl=_client_tls(self.kubeconfig), limit=0)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False
        ) as upstream:
            self._upstream = upstream
            server = web.Server(self._handle)
            runner = web.ServerRunner(server, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
            self._ready.set()
            await self._ending.wait()
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        number = -1
        if request.method in WRITES and "/leases" not in request.path:
            number, self._writes = self._writes, self._writes + 1
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        call = Call(request.method, request.path, request.query_string, token, number, time.monotonic())
        self.calls.append(call)
        fault = self.fault(call)
        body = await request.read()
        if fault.before:
            fault.before()
        if fault.reset and not fault.accepted:
            return _cut(request)
        if fault.status and not fault.accepted:
            return _refusal(fault)
        if fault.rewound is not None:
            return web.Response(body=fault.rewound, content_type="application/json")
        if fault.delay and not call.watch:
            await asyncio.sleep(fault.delay)
        return await self._pass_on(request, body, call, fault)

    async def _pass_on(
        self, request: web.BaseRequest, body: bytes, call: Call, fault: Fault
    ) -> web.StreamResponse:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in (*_HOP, "authorization", "accept-encoding")
        }
        headers["Accept-Encoding"] = "identity"  # bodies are passed on as they come
        url = f"{self._server}{request.raw_path}"
        async with self._upstream.request(request.method, url, data=body or None, headers=headers) as answer:
            if call.watch and answer.status == 200:
                return await _stream(request, answer, fault)
            data = await answer.read()
        if fault.heard and answer.status == 200:
            fault.heard(data)
        if fault.after:
            fault.after()
        if fault.reset:
            return _cut(request)
        if fault.status:
            return _refusal(fault)
        return web.Response(status=answer.status, body=data, headers=_kept(answer))


async def _stream(
    request: web.BaseRequest, answer: aiohttp.ClientResponse, fault: Fault
) -> web.StreamResponse:
    response = web.StreamResponse(headers=_kept(answer))
    await response.prepare(request)
    if fault.stalled:
        await asyncio.sleep(3600)  # ended with the proxy, or by the operator's patience
    left = fault.lines
    with contextlib.suppress(ConnectionResetError):  # the operator was killed, or has enough
        async for line in _lines(answer, fault.delay):
            await response.write(line)
            left -= 1
            if left == 0:
                break
        if fault.gone:
            await response.write(_GONE)
    return response


async def _lines(answer: aiohttp.ClientResponse, delay: float) -> AsyncIterator[bytes]:
    """A watch's lines, each so many seconds after the API server gave it."""
    due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def read() -> None:
        try:
            while line := await answer.content.readline():
                due.put_nowait((time.monotonic() + delay, line))
        finally:
            due.put_nowait((0.0, b""))

    reading = asyncio.create_task(read())
    try:
        while (pair := await due.get())[1]:
            await asyncio.sleep(max(0.0, pair[0] - time.monotonic()))
            yield pair[1]
    finally:
        reading.cancel()


_GONE = (
    json.dumps(
        {
            "type": "ERROR",
            "object": {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "code": 410,
                "reason": "Expired",
                "message": "too old resource version",
            },
        }
    ).encode()
    + b"\n"
)


def _kept(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}


def _cut(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _refusal(fault: Fault) -> web.Response:
    status: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": fault.status,
        "reason": fault.reason,
        "message": fault.message or f"the proxy answers {fault.status}",
    }
    headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after else {}
    return web.json_response(status, status=fault.status, headers=headers)


def _client_tls(kubeconfig: Path) -> ssl.SSLContext:
    from local.api import Api

    return Api(kubeconfig).tls

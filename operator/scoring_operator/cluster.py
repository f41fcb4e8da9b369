"""The operator's only way to Kubernetes: few calls, raw JSON in, small records out.

The client is `kubernetes.aio`, for its login, TLS and connection pool; objects are not made into its typed
models, which would cost ten times the memory and time of the few fields that are wanted here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import ApiClient, Configuration

from scoring_operator.contract import Json, clean
from scoring_operator.resource import GROUP, PLURAL, VERSION, Key

log = logging.getLogger(__name__)

REQUEST_SECONDS = 30.0  # the client's own five minutes would let one stuck call hold a run up
PAGE = 500  # objects a page: flattens the peak of memory when 10,000 are listed
CONNECTIONS = 100  # at once; over that requests wait
READ_BUFFER = 2**21  # bytes: the longest line of a watch, an object of 1.5 MiB
GATHER_SECONDS = 0.1  # of a watch's events; half of what the queue waits before it looks at a run
LOGIN_PAUSE_SECONDS = 5.0  # a refused login is not tried again sooner, whoever asks
TOKEN_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
VERBS = {"POST": "create", "PUT": "update"}
"""As RBAC calls them, in metrics and messages; the other methods have the same name there."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource's place in the API."""

    api: str
    plural: str

    def path(self, namespace: str | None, name: str = "", part: str = "") -> str:
        """Path of all objects, of a namespace's, of one, or of a part of one such as status."""
        middle = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        ending = "".join(f"/{quote(piece, safe='')}" for piece in (name, part) if piece)
        return f"/{self.api}{middle}/{self.plural}{ending}"


RUNS = Kind(f"apis/{GROUP}/{VERSION}", PLURAL)
JOBS = Kind("apis/batch/v1", "jobs")
PODS = Kind("api/v1", "pods")
CONFIG_MAPS = Kind("api/v1", "configmaps")
EVENTS = Kind("api/v1", "events")
LEASES = Kind("apis/coordination.k8s.io/v1", "leases")


class ApiError(Exception):
    """The API server said no, or nothing (code 0)."""

    def __init__(self, code: int, reason: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{code} {reason}: {message}" if code else message)
        self.code = code
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    @property
    def permanent(self) -> bool:
        """Whether the same request can never succeed: its content is refused."""
        return self.code in (400, 413, 422)


CallSeen = Callable[[str, str, int], None]  # verb, resource, status code (0: no answer)


class Cluster:
    """A connection that stays logged in. `seen` is told of each call, for the metrics."""

    def __init__(self, configuration: Configuration, seen: CallSeen) -> None:
        self._client = ApiClient(configuration)
        self._client.user_agent = "sensorscore-operator"
        # Not the client's own: it looks for a .netrc, in a thread, before each request (`trust_env`).
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._client.rest_client.ssl_context, limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=READ_BUFFER,
        )
        self._seen = seen
        self.date = ""  # of the last answer, by the API server's clock, as HTTP writes it
        self._login_at = -LOGIN_PAUSE_SECONDS
        self._login_lock = asyncio.Lock()

    @classmethod
    async def connect(cls, seen: CallSeen) -> Cluster:
        """Log in: by KUBECONFIG if it is set, else as the pod's ServiceAccount."""
        configuration = Configuration()
        await _log_in(configuration)
        return cls(configuration, seen)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._session.close()
        await self._client.close()  # type: ignore[no-untyped-call]

    # Calls

    async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """One object; None if it is not there."""
        try:
            return await self._request("GET", kind, namespace, name)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def create(self, kind: Kind, namespace: str, body: Json, *, strict: bool = False) -> Json:
        """Make an object; raises `ApiError` 409 if there is one of its name.

        `strict`: fields that the API server does not know are refused, and not dropped in silence.
        """
        query = {"fieldValidation": "Strict"} if strict else None
        return await self._request("POST", kind, namespace, query=query, body=body)

    async def replace(self, kind: Kind, namespace: str, name: str, body: Json) -> Json:
        """Replace an object; raises `ApiError` 409 if it is at another resourceVersion than `body`."""
        return await self._request("PUT", kind, namespace, name, body=body)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete just this object, and what it owns in the background; it is no error that it is gone."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",  # without: the Job's pods would go on, ownerless
            "preconditions": {"uid": uid},
        }
        try:
            await self._request("DELETE", kind, namespace, name, body=body)
        except ApiError as error:
            if error.code not in (404, 409):  # 409: another object has the name by now
                raise

    async def write_status(self, key: Key, resource_version: str, status: Json) -> Json:
        """Replace a run's whole status, if the run is still at `resource_version`; else `ApiError` 409."""
        patch = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version},
            {"op": "add", "path": "/status", "value": status},
        ]
        return await self._request("PATCH", RUNS, *key, part="status", body=patch)

    async def pages(
        self, kind: Kind, namespace: str | None, query: Mapping[str, str]
    ) -> AsyncIterator[tuple[list[Json], int]]:
        """All objects, page by page, each with the list's resourceVersion."""
        token = ""
        while True:
            asked = {**query, "limit": str(PAGE)} | ({"continue": token} if token else {})
            page = await self._request("GET", kind, namespace, query=asked, verb="list")
            meta = page.get("metadata") or {}
            yield page.get("items") or [], int(meta.get("resourceVersion") or 0)
            token = meta.get("continue") or ""
            if not token:
                return

    async def watch(
        self,
        kind: Kind,
        namespace: str | None,
        query: Mapping[str, str],
        since: int,
        seconds: int,
        idle: float,
    ) -> AsyncIterator[Json]:
        """Events after `since` for about `seconds`, bookmarks too; one silent for `idle` seconds is cut."""
        asked = {
            **query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(since),
            "timeoutSeconds": str(seconds),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_SECONDS, sock_read=idle)
        response = None
        try:
            response = await self._send("GET", kind.path(namespace), asked, None, timeout)
            self._seen("watch", kind.plural, response.status)
            if response.status >= 400:
                if response.status == 401:
                    await self._log_in_again()
                raise _error(response.status, response.headers, await response.read())
            async for line in _lines(response):
                yield orjson.loads(line)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApiError(0, "StreamBroken", clean(f"{type(error).__name__}: {error}")) from None
        finally:
            if response is not None:
                response.close()

    # The wire

    async def _request(
        self,
        method: str,
        kind: Kind,
        namespace: str | None,
        name: str = "",
        *,
        part: str = "",
        query: Mapping[str, str] | None = None,
        body: Any = None,
        verb: str = "",
    ) -> Json:
        verb = verb or VERBS.get(method, method.lower())
        for attempt in range(2):
            timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
            try:
                response = await self._send(method, kind.path(namespace, name, part), query, body, timeout)
                code, headers, content = response.status, response.headers, await response.read()
            except (aiohttp.ClientError, TimeoutError) as error:
                self._seen(verb, kind.plural, 0)
                what = clean(f"{verb} {kind.plural}: no answer: {type(error).__name__}: {error}")
                raise ApiError(0, "NoAnswer", what) from None
            self._seen(verb, kind.plural, code)
            self.date = headers.get("Date") or ""
            if code == 401 and attempt == 0 and await self._log_in_again():
                continue
            if code >= 400:
                raise _error(code, headers, content)
            return _decoded(content)
        raise AssertionError("unreachable: the second attempt returns or raises")

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Any,
        timeout: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "User-Agent": self._client.user_agent}
        if body is not None:
            headers["Content-Type"] = f"application/{'json-patch+json' if method == 'PATCH' else 'json'}"
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        configuration = self._client.configuration
        return await self._session.request(
            method,
            f"{configuration.host}{path}" + (f"?{urlencode(query)}" if query else ""),
            headers=headers,
            data=None if body is None else json.dumps(body, separators=(",", ":")).encode(),
            timeout=timeout,
            server_hostname=configuration.tls_server_name,
            proxy=configuration.proxy,
            proxy_headers=configuration.proxy_headers,
        )

    async def _log_in_again(self) -> bool:
        """Re-read the credentials after a 401 (a token lives an hour); whether that was done."""
        async with self._login_lock:
            if time.monotonic() - self._login_at < LOGIN_PAUSE_SECONDS:
                return True  # somebody else just did
            self._login_at = time.monotonic()
            log.info("the API server refused the credentials (401): reading them again")
            try:
                await _log_in(self._client.configuration)
            except (kubernetes_config.ConfigException, OSError) as error:
                log.warning("credentials cannot be read: %s", error)
                return False
            return True


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """A stream's lines that are not blank, gathered for a moment: to be woken costs more than to read."""
    begun = b""
    while data := await response.content.readany():
        *lines, begun = (begun + data).split(b"\n")
        for line in filter(bytes.strip, lines):
            yield line
        transport = response.connection.transport if response.connection else None
        if isinstance(transport, asyncio.ReadTransport) and not transport.is_closing():
            transport.pause_reading()
            await asyncio.sleep(GATHER_SECONDS)
            transport.resume_reading()
    if begun.strip():
        yield begun


async def _log_in(configuration: Configuration) -> None:
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig and TOKEN_FILE.exists():
        kubernetes_config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        return
    await kubernetes_config.load_kube_config(  # type: ignore[no-untyped-call]
        config_file=kubeconfig or None, client_configuration=configuration
    )


def _decoded(content: bytes) -> Json:
    try:
        body = orjson.loads(content)
    except ValueError as error:
        raise ApiError(0, "BadAnswer", f"the answer is not JSON: {error}") from None
    return body if isinstance(body, dict) else {}


def _error(code: int, headers: Mapping[str, str], content: bytes) -> ApiError:
    try:
        body = orjson.loads(content)
        reason, message = str(body.get("reason") or ""), str(body.get("message") or "")
    except (ValueError, AttributeError):
        reason, message = "", content[:200].decode("utf-8", "replace")
    after = headers.get("Retry-After") or ""
    return ApiError(code, reason, clean(message, 800), float(after) if after.isdecimal() else 0.0)

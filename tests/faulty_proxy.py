"""A proxy on loopback in front of a real Azurite, which does what networks and busy storage do.

    with FaultyProxy(azurite.endpoint) as proxy:
        proxy.faults["PUT"] = [answer(503), lost()]   # the first two puts; those after them pass
        ...  # speak to proxy.endpoint

Requests' signatures name account and path, not host and port: Azurite takes what was sent to the proxy.
"""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple

from local_server import LocalServer, Silent


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


Forward = Callable[[], Reply]
Fault = Callable[["_Handler", Forward], None]
Door = Callable[[str, dict[str, str]], tuple[str, dict[str, str]] | None]
"""Path and headers of a request as storage is to get them, or None for who may not pass."""


def answer(status: int, code: str = "", **headers: str) -> Fault:
    """This answer, and storage hears nothing of it."""

    def fault(handler: _Handler, _: Forward) -> None:
        handler.reply(_error(status, code, headers))

    return fault


def answer_after(status: int, code: str = "InternalError", meanwhile: Callable[[], object] = int) -> Fault:
    """Storage does as it is asked, then `meanwhile` happens, and this is what the asker hears."""

    def fault(handler: _Handler, forward: Forward) -> None:
        forward()
        meanwhile()
        handler.reply(_error(status, code, {}))

    return fault


def reset() -> Fault:
    """The connection is cut, and storage hears nothing."""

    def fault(handler: _Handler, _: Forward) -> None:
        handler.cut()

    return fault


def lost() -> Fault:
    """Storage does as it is asked, and the connection is cut before the answer."""

    def fault(handler: _Handler, forward: Forward) -> None:
        forward()
        handler.cut()

    return fault


def truncated(size: int = 5) -> Fault:
    """The answer's length is told, and only so many bytes of it come."""

    def fault(handler: _Handler, forward: Forward) -> None:
        handler.reply(forward(), size)

    return fault


def silent() -> Fault:
    """No answer, as long as the proxy lives."""

    def fault(handler: _Handler, _: Forward) -> None:
        handler.server.closing.wait(60)
        handler.cut()

    return fault


def late(seconds: float) -> Fault:
    """The answer comes so much later."""

    def fault(handler: _Handler, forward: Forward) -> None:
        reply = forward()
        handler.server.closing.wait(seconds)
        handler.reply(reply)

    return fault


def passing() -> Fault:
    """No fault: the place of a request that passes, among those that do not."""

    def fault(handler: _Handler, forward: Forward) -> None:
        handler.reply(forward())

    return fault


class FaultyProxy(LocalServer):
    """Forwards to `endpoint`; `faults` are those of the next requests of an operation, in order.

    Operations are GET, PUT, HEAD, DELETE and LIST; `only` is a pattern of paths that faults are for.
    """

    def __init__(self, endpoint: str) -> None:
        super().__init__(_Handler)
        target = urllib.parse.urlsplit(endpoint)
        self.target = (target.hostname or "", target.port or 80)
        self.endpoint = f"http://127.0.0.1:{self.server_port}{target.path}"
        self.faults: dict[str, list[Fault]] = {}
        self.only = ""
        self.requests: list[str] = []
        """Operations as they came, faulty ones too."""
        self.max_results = 0
        """Of a listing's page, where the request's signature does not cover it (SAS)."""
        self.door: Door = lambda path, headers: (path, headers)
        self._lock = threading.Lock()

    def next_fault(self, operation: str, path: str) -> Fault | None:
        with self._lock:
            self.requests.append(operation)
            waiting = self.faults.get(operation)
            return waiting.pop(0) if waiting and re.search(self.only, path) else None


class _Handler(Silent, BaseHTTPRequestHandler):
    server: FaultyProxy
    protocol_version = "HTTP/1.1"

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        listing = "comp=list" in self.path
        # The client deletes by a batch of one.
        operation = "LIST" if listing else "DELETE" if "comp=batch" in self.path else self.command
        fault = self.server.next_fault(operation, self.path)
        more = f"&maxresults={self.server.max_results}" if listing and self.server.max_results else ""

        def forward() -> Reply:
            passed = self.server.door(self.path + more, dict(self.headers))
            if passed is None:
                return _error(401, "InvalidAuthenticationInfo", {})
            connection = http.client.HTTPConnection(*self.server.target, timeout=30)
            try:
                connection.request(self.command, passed[0], body, passed[1])
                found = connection.getresponse()
                return Reply(found.status, dict(found.getheaders()), found.read())
            finally:
                connection.close()

        if fault:
            fault(self, forward)
        else:
            self.reply(forward())

    do_GET = do_PUT = do_HEAD = do_POST = serve  # noqa: N815 (the names that the server looks for)

    def reply(self, reply: Reply, size: int | None = None) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "keep-alive"):
                self.send_header(name, value)
        length = reply.headers.get("content-length", str(len(reply.body)))
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[:size])
        if size is not None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def cut(self) -> None:
        """Ends the connection without a word, as a firewall does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


def _error(status: int, code: str, headers: Mapping[str, str]) -> Reply:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode() if code else b""
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)

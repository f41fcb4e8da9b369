"""A web server that takes what is posted to it, or answers as it is told: a double of a sink."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from local_server import LocalServer, Silent

SECRET = "what-an-answer-holds"


class Posted(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


class Webhook(LocalServer):
    """On loopback. `answers` are those to the next requests: status and headers, or what is to be done."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(_Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_port}/hook?code=1"
        self.posted: list[Posted] = []
        self.connections = 0
        self.answers: list[tuple[int, dict[str, str]] | Callable[[_Handler], None]] = []


class _Handler(Silent, BaseHTTPRequestHandler):
    server: Webhook
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posted = posted = Posted(
            self.path, {name.lower(): value for name, value in self.headers.items()}, body
        )
        answer: Any = self.server.answers.pop(0) if self.server.answers else (202, {})
        if callable(answer):
            answer(self)
            return
        status, headers = answer
        if status < 300:
            self.server.posted.append(posted)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(SECRET)))
        self.end_headers()
        self.wfile.write(SECRET.encode())

    def hang_up(self) -> None:
        """Ends the connection without a word."""
        self.close_connection = True
        self.connection.close()

    def hang(self) -> None:
        """Says nothing."""
        self.server.closing.wait(60)
        self.close_connection = True

    def pour(self) -> None:
        """Answers without an end."""
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        began = time.monotonic()
        while not self.server.closing.is_set() and time.monotonic() - began < 60:
            self.wfile.write(b"x" * 65_536)

    def babble(self) -> None:
        """Answers what is no HTTP."""
        self.wfile.write(b"\x00\xff" * 1000 + b"\r\n\r\n")
        self.close_connection = True


hang_up, hang, pour, babble = _Handler.hang_up, _Handler.hang, _Handler.pour, _Handler.babble

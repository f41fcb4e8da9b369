"""Posts to a webhook: one connection for each address, no redirects, no word of what an answer holds."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from scorer.contract.sinks import Place, Sink
from scorer.sinks.attempt import Answer, Later, Never, Taken
from scorer.sinks.event import Event
from scorer.sinks.formats import MOST, body
from scorer.sinks.rule import batches

PORTS = {"https": 443, "http": 80}
SECONDS = 10.0
"""For a connection, whichever address of the host takes it, and for an answer to come."""
WHOLE_SECONDS = 20.0
"""For a request and its answer altogether, however little by little it comes."""
READ_BYTES = 64 * 1024
"""Of an answer, which is thrown away: a connection with more of it is closed."""
AGAIN = frozenset((408, 425, 429))
"""Refusals that pass. So do all answers from 500 on."""
OF_PLACE = frozenset((401, 403, 404, 405, 410))
"""Refusals of the address or of who asks, not of what was sent."""
LONGEST_AFTER = 3600.0


class Address(NamedTuple):
    """Where to post."""

    scheme: str
    host: str
    port: int
    target: str


def address(url: str, http_hosts: Sequence[str]) -> Address | str:
    """A URL's address, or what is wrong with it, without a word of what may be secret in it."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "the URL cannot be read: wanted https://HOST/…"
    if parts.scheme not in ("https", "http") or not host or parts.username or parts.password:
        return "the URL is not of a web server: wanted https://HOST/…, without a user's name"
    if parts.scheme == "http" and host not in http_hosts:
        return f"the URL of {host} begins with http://: wanted https://, or the host in allowHttpHosts"
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    if not target.isascii() or not target.isprintable() or " " in target:
        return "the URL's path holds characters that no URL has: wanted them escaped"
    return Address(parts.scheme, host, port or PORTS[parts.scheme], target)


def _reached(where: Address, until: float) -> socket.socket:
    """A connection to one of the host's addresses. Raises OSError.

    Each has an equal share of what is left, where `socket.create_connection` gives each the whole.
    """
    until = min(until, time.monotonic() + SECONDS)
    listed = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    why: OSError = TimeoutError()
    for left, (family, kind, protocol, _, at) in zip(range(len(listed), 0, -1), listed, strict=True):
        if (seconds := (until - time.monotonic()) / left) <= 0:
            raise TimeoutError
        reached = socket.socket(family, kind, protocol)
        try:
            reached.settimeout(seconds)
            reached.connect(at)
            reached.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            reached.close()
            why = error
        else:
            return reached
    raise why


class _Watch:
    """Shuts a connection's socket down when the time for an exchange is over."""

    def __init__(self, connection: http.client.HTTPConnection, seconds: float) -> None:
        self._connection, self.over = connection, False
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def check(self) -> None:
        """Raises TimeoutError once it is over."""
        if self.over:
            raise TimeoutError

    def _shut(self) -> None:
        self.over = True
        if (shut := self._connection.sock) is not None:
            with suppress(OSError):
                # Not TLS's own: whoever reads would take what is left of the stream for plain text.
                socket.socket.shutdown(shut, socket.SHUT_RDWR)


class Webhook:
    """Sends to one sink."""

    def __init__(
        self,
        sink: Sink,
        secrets: Mapping[str, str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sink, self._secrets, self._now = sink, secrets, now
        self._open: dict[Address, http.client.HTTPConnection] = {}
        self._tls: ssl.SSLContext | None = None

    def batches(self, items: Sequence[tuple[Place, Event]]) -> list[tuple[Place, list[Event]]]:
        """By place, so many together as the sink takes."""
        return batches(items, min(self._sink.batch, MOST.get(self._sink.form, self._sink.batch)))

    def send(self, place: Place, events: Sequence[Event], seconds: float = WHOLE_SECONDS) -> Answer:
        """One POST."""
        url = place.url or self._secrets.get(place.url_from, "")
        if not url:
            return Never("the Secret with its URL is not there, or lacks the key", all=True)
        where = address(url, self._sink.http_hosts)
        if isinstance(where, str):
            return Never(where, all=True)
        headers = self._headers()
        if isinstance(headers, str):
            return Never(headers, all=True)
        told = body(self._sink.form, events, self._sink.batch > 1, self._now())
        until = time.monotonic() + min(seconds, WHOLE_SECONDS)
        return self._post(where, {**headers, "Content-Type": told.content_type}, told.data, until)

    def close(self) -> None:
        """Closes connections."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def _headers(self) -> dict[str, str] | str:
        found = {"User-Agent": "sensorscore", "Accept": "*/*"}
        for name, variable in self._sink.headers.items():
            value = self._secrets.get(variable, "").strip()
            if not value:
                return f"the Secret with the header {name} is not there, or lacks the key"
            if not value.isascii() or not value.isprintable():
                return f"the Secret's value of the header {name} is none: wanted printable ASCII in one line"
            found[name] = value
        return found

    def _post(self, where: Address, headers: Mapping[str, str], data: bytes, until: float) -> Answer:
        fresh = where not in self._open
        try:
            return self._exchange(where, headers, data, until)
        except (http.client.HTTPException, OSError, ValueError) as error:
            self._drop(where)
            if fresh or not isinstance(error, http.client.RemoteDisconnected | ConnectionError):
                return Later(_said(error))
        # The other side has closed a connection that nobody had used for a while.
        try:
            return self._exchange(where, headers, data, until)
        except (http.client.HTTPException, OSError, ValueError) as error:
            self._drop(where)
            return Later(_said(error))

    def _exchange(self, where: Address, headers: Mapping[str, str], data: bytes, until: float) -> Answer:
        connection = self._open.get(where) or self._closed(where)
        self._open[where] = connection
        left = max(0.1, until - time.monotonic())
        with _Watch(connection, left) as watch:
            if connection.sock is None:
                self._connect(where, connection, watch, until)
            connection.sock.settimeout(_most(until))
            watch.check()
            connection.request("POST", where.target, data, dict(headers))
            answer = connection.getresponse()
            watch.check()  # what was cut off looks like an answer's end
            status, after = answer.status, answer.headers.get("Retry-After", "")
            try:
                whole = len(answer.read(READ_BYTES + 1)) <= READ_BYTES and answer.isclosed()
            except (http.client.HTTPException, OSError, ValueError):
                whole = False  # what it says has come
        if not whole or watch.over:
            self._drop(where)
        return self._judged(status, after)

    def _judged(self, status: int, after: str) -> Answer:
        if 200 <= status < 300:
            return Taken()
        if status in AGAIN or status >= 500:
            return Later(f"answered {status}", retry_after(after, self._now()))
        if 300 <= status < 400:
            return Never(f"answered {status}: redirects are not followed", all=True)
        return Never(f"answered {status}", all=status in OF_PLACE)

    def _closed(self, where: Address) -> http.client.HTTPConnection:
        """A connection without a socket."""
        if where.scheme == "http":
            return http.client.HTTPConnection(where.host, where.port)
        return http.client.HTTPSConnection(where.host, where.port, context=self._context())

    def _connect(
        self, where: Address, connection: http.client.HTTPConnection, watch: _Watch, until: float
    ) -> None:
        """Gives it its socket before hands are shaken, so that it can be shut down meanwhile."""
        connection.sock = _reached(where, until)
        if where.scheme == "https":
            connection.sock = self._context().wrap_socket(
                connection.sock, server_hostname=where.host, do_handshake_on_connect=False
            )
            connection.sock.settimeout(_most(until))
            watch.check()  # else it may have come before there was a socket
            connection.sock.do_handshake()

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def _drop(self, where: Address) -> None:
        if connection := self._open.pop(where, None):
            connection.close()


def retry_after(text: str, now: datetime) -> float:
    """Seconds that an answer asks to be left alone: a number, or a time (RFC 9110); 0 if it says neither."""
    if text.strip().isdecimal():
        return min(float(text), LONGEST_AFTER)
    try:
        time = parsedate_to_datetime(text)
        seconds = (time if time.tzinfo else time.replace(tzinfo=UTC)) - now
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(0.0, seconds.total_seconds()), LONGEST_AFTER)


def _most(until: float) -> float:
    """Seconds to wait for one answer of the other side."""
    return min(SECONDS, max(0.1, until - time.monotonic()))


def _said(error: Exception) -> str:
    """An error without what it was told: no address, no header, no body."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return f"no answer within {SECONDS:.0f} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__

"""A tiny HTTP port, for loopback, through which what runs elsewhere looks at a double and breaks it.

    GET  /state
    POST /fill     {"hub": "readings", "bodies": ["a", "b"], "partition": 0}
    POST /clock    {"set": 1772366400} | {"advance": 60} | {}
    POST /cut      {"where": {"partition": "0", "role": "consumer"}}
    POST /throttle {"sends": 3, "failure": {"condition": "com.microsoft:server-busy"}}

and so on: a POST's path is a method of `EventHubs`, its body that method's arguments.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from .double import EventHubs
from .faults import Where
from .frames import Failure

VERBS = (
    *("cut", "cut_after", "close", "detach", "stall", "resume", "silence", "throttle", "lose_answers"),
    *("refuse_links", "refuse_connections", "refuse_tokens", "refuse_requests", "rewind", "expire_tokens"),
)
LARGEST_BODY = 64 << 20


class RequestError(ValueError):
    """What was asked for is not there, or not asked for in the right words."""


async def serve(double: EventHubs, port: int, host: str = "127.0.0.1") -> asyncio.Server:
    """Answers there."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            status, told = await _answer(double, reader)
            body = json.dumps(told).encode()
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # who asked has gone
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port)


async def _answer(double: EventHubs, reader: asyncio.StreamReader) -> tuple[str, Any]:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, *_ = head[0].split()
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (row.partition(":") for row in head[1:])
        }
        size = int(headers.get("content-length") or 0)
        if size > LARGEST_BODY:
            raise RequestError(f"a body of {size} bytes; {LARGEST_BODY} are taken")
        body = await reader.readexactly(size)
        return "200 OK", act(double, method, path, json.loads(body or b"{}"))
    except (ValueError, TypeError, KeyError, IndexError, asyncio.LimitOverrunError) as error:
        return "400 Bad Request", {"error": f"{type(error).__name__}: {error}"}


def act(double: EventHubs, method: str, path: str, told: dict[str, Any]) -> Any:
    """Does what one request asks for; what it answers.

    Raises:
        RequestError: There is no such request.
        TypeError, ValueError, KeyError: Its arguments are wrong.
    """
    verb = path.strip("/")
    if (method, verb) == ("GET", "state"):
        return double.state()
    if method != "POST":
        raise RequestError(f"{method} {path}")
    if verb == "clock":
        return _clock(double, **told)
    if verb == "fill":
        return _fill(double, **told)
    if verb == "forget":
        double.hub(told["hub"]).partitions[told["partition"]].forget(told["before"])
        return {}
    if verb not in VERBS:
        raise RequestError(f"{path}; there are {', '.join(VERBS)}, clock, fill, forget")
    if "where" in told:
        told["where"] = Where(**told["where"])
    if "failure" in told:
        told["failure"] = Failure(**told["failure"])
    getattr(double, verb)(**told)
    return {}


def _clock(double: EventHubs, set: float | None = None, advance: float | None = None) -> Any:
    if advance is not None:
        double.clock.advance(advance)
    else:
        double.clock.set(set)
    return {"time": double.clock()}


def _fill(
    double: EventHubs, hub: str, bodies: list[str], partition: int | None = None, key: str | None = None
) -> Any:
    filled = double.hub(hub).fill([body.encode() for body in bodies], partition, key)
    return {"partition": filled.number, "next": filled.next}

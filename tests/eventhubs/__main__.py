"""The double as a program.

    PYTHONPATH=tests python -m eventhubs --hub readings=4 --port 5672 --control-port 5673

It says on its first line of output, as JSON, where it listens and what a client is to connect with.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence

from . import control
from .double import IDLE, LARGEST, EventHubs


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="eventhubs", description="An AMQP double of Azure Event Hubs.")
    parser.add_argument(
        "--hub", action="append", required=True, metavar="NAME=PARTITIONS", type=_hub, dest="hubs"
    )
    parser.add_argument("--group", action="append", default=[], help="a consumer group besides $Default")
    parser.add_argument("--host", default="127.0.0.1", help="where AMQP is listened for")
    parser.add_argument("--name", default="", help="the host that clients are told, if it is another")
    parser.add_argument("--port", type=int, default=5672)
    parser.add_argument("--control-port", type=int, help="HTTP, on loopback only")
    parser.add_argument("--retention", type=float, metavar="SECONDS")
    parser.add_argument("--largest", type=int, default=LARGEST, metavar="BYTES", help="of a message")
    parser.add_argument("--idle", type=float, default=IDLE, metavar="SECONDS")
    parser.add_argument(
        "--clock",
        type=_clock,
        default=time.time,
        metavar="'WHEN THEN SPEED'",
        help="of enqueued times, in Unix seconds: at WHEN it is THEN, and goes SPEED times as fast",
    )
    return parser.parse_args(arguments)


def _hub(text: str) -> tuple[str, int]:
    name, _, partitions = text.partition("=")
    return name, int(partitions)


def _clock(text: str) -> Callable[[], float]:
    when, then, speed = map(float, text.split())
    return lambda: then + speed * (time.time() - when)


async def run(asked: argparse.Namespace) -> None:
    """Serves until it is told to stop."""
    double = EventHubs(
        dict(asked.hubs),
        groups=asked.group,
        retention=asked.retention,
        largest=asked.largest,
        idle=asked.idle,
        clock=asked.clock,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await double.start(asked.host, asked.port)
    told = {"port": double.port, "connection_string": double.connection_string(host=asked.name)}
    server = None
    if asked.control_port is not None:
        server = await control.serve(double, asked.control_port)
        told["control_port"] = server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    await stop.wait()
    if server:
        server.close()
    await double.stop()


if __name__ == "__main__":
    asyncio.run(run(parse()))

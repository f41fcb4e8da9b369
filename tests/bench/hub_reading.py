"""How fast the double of Event Hubs gives events, against a bare `receive_batch` loop of the real client.

    PYTHONPATH=tests .venv/bin/python tests/bench/hub_reading.py [events] [partitions] [prefetch]

Events have bodies of 60 bytes. The double runs in a process of its own. `raw` is a socket that gives credit
and only counts frames; `client` is azure-eventhub's asynchronous client, which hands batches of up to 300
events to a callback that only counts them.
Each side's CPU time is told: what the double takes of a core while the client has all of one.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from azure.eventhub.aio import EventHubConsumerClient

from eventhubs import codec, frames, messages

TESTS = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
CREDIT = 300
TRANSFER = b"\x00\x53\x14"


@contextmanager
def double(events: int, partitions: int) -> Iterator[tuple[dict[str, Any], int]]:
    """A double in a child, its partitions filled; what it says of itself, and its process."""
    hub = ("--hub", f"readings={partitions}")
    command = [sys.executable, "-m", "eventhubs", *hub, "--port", "0", "--control-port", "0"]
    child = subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        told = json.loads(child.stdout.readline())
        url = f"http://127.0.0.1:{told['control_port']}/fill"
        for partition in range(partitions):
            asked = {"hub": "readings", "partition": partition, "bodies": ["x" * 60] * (events // partitions)}
            request = urllib.request.Request(url, json.dumps(asked).encode(), method="POST")
            urllib.request.urlopen(request).close()  # noqa: S310
        yield told, child.pid
    finally:
        child.terminate()
        child.wait()


def cpu(process: int) -> float:
    """Seconds of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def raw(port: int, events: int) -> None:
    """Reads so many events, counting frames."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        stream = connection.makefile("rb", buffering=1 << 20)
        connection.sendall(_greeting())
        count, credit = 0, 0
        while count < events:
            head = stream.read(8)
            if head[:4] == b"AMQP":
                continue
            body = stream.read(int.from_bytes(head[:4], "big") - 8)
            if body[:3] == TRANSFER:
                count, credit = count + 1, credit - 1
                if credit:
                    continue
            elif not _is_consumer(body):
                continue
            credit = CREDIT
            session = (count, 1 << 30, 0, 1 << 30)
            connection.sendall(frames.frame(1, frames.flow(session, (3, count, CREDIT))))


def _is_consumer(body: bytes) -> bool:
    said = frames.read(body)
    return said is not None and said.code == frames.ATTACH and said.fields[1] == 3


def _greeting() -> bytes:
    """All that a client says until it reads, without waiting for answers."""
    init = codec.composite(frames.SASL_INIT, [codec.symbol("ANONYMOUS"), codec.NULL, codec.NULL])
    begin = [codec.NULL, codec.uint(0), codec.uint(1 << 30), codec.uint(1 << 30), *[codec.NULL] * 4]
    told = {"operation": "put-token", "type": "jwt", "name": "sb://h/readings"}
    named = codec.mapping({codec.string(key): codec.string(value) for key, value in told.items()})
    token = codec.described(messages.APPLICATION_PROPERTIES, named) + codec.described(
        messages.VALUE, codec.string("token")
    )
    parts = [
        frames.open_("raw", 65536, 10, 60),
        codec.composite(frames.BEGIN, begin),
        frames.Attached("cbs", 1, True, "me", "$cbs", 0, 0).encoded(),
        frames.Attached("answers", 2, False, "$cbs", "me", 0, 0).encoded(),
    ]
    body = [frames.frame(1 if number else 0, part) for number, part in enumerate(parts)]
    head = frames.transfer_head(1, 1, 0, len(token), settled=True, more=False)
    source = "readings/ConsumerGroups/$Default/Partitions/0"
    consumer = frames.frame(1, frames.Attached("c", 3, False, source, "me", 1, 0).encoded())
    return frames.SASL + frames.frame(0, init, 1) + frames.AMQP + b"".join(body) + head + token + consumer


async def client(string: str, events: int, prefetch: int) -> None:
    """Reads so many events with the real client."""
    count = 0
    done = asyncio.Event()

    async def take(_: Any, batch: list[Any]) -> None:
        nonlocal count
        count += len(batch)
        if count >= events:
            done.set()

    reader = EventHubConsumerClient.from_connection_string(string, "$Default", eventhub_name="readings")
    async with reader:
        how = {"starting_position": "-1", "max_batch_size": CREDIT, "prefetch": prefetch}
        work = asyncio.create_task(reader.receive_batch(take, **how))
        await done.wait()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def main() -> None:
    events, partitions, prefetch = (
        int(word) for word in (sys.argv[1:] + ["100000", "4", "300"][len(sys.argv) - 1 :])
    )
    with double(events, partitions) as (told, process):
        for name, count, read in (
            ("raw", events // partitions, lambda: raw(told["port"], events // partitions)),
            ("client", events, lambda: asyncio.run(client(told["connection_string"], events, prefetch))),
        ):
            begun, theirs, own = time.monotonic(), cpu(process), time.process_time()
            read()
            seconds, theirs, own = time.monotonic() - begun, cpu(process) - theirs, time.process_time() - own
            each = (1e6 * theirs / count, 1e6 * own / count)
            per = f"CPU µs an event: {each[0]:.1f} in the double, {each[1]:.1f} in the reader"
            sys.stdout.write(
                f"{name}: {count:,} events in {seconds:.2f} s: {count / seconds:,.0f} events/s; {per}\n"
            )


if __name__ == "__main__":
    main()

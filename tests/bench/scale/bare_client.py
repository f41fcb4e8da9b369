"""The reference: the same Jobs, made by a client that does nothing else.

Its manifests are rendered beforehand; it keeps `parallelism` of them unfinished by a watch, and ends when all
are Complete. It is a process of its own, and prints how long that took.

    python -m scale.bare_client KUBECONFIG NUMBER PARALLELISM < a ScoringRun as JSON
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import aiohttp
import yaml

from local.api import Api
from scale.operator_process import settings
from scale.plane import JOBS, Json
from scoring_operator.chunks import Chunk
from scoring_operator.jobs import Means, scoring_job
from scoring_operator.resource import parse_run
from scoring_operator.settings import parse
from scoring_operator.spec import Spec

AT_ONCE = 20


def manifests(body: Json, number: int) -> list[bytes]:
    """The Jobs that the operator would make for the run `body`, but that nobody owns them."""
    run = parse_run(body)
    run = replace(run, status=replace(run.status, models_as_of=datetime(2026, 1, 1, 13, 0, 6, tzinfo=UTC)))
    if not isinstance(run.spec, Spec):
        raise TypeError(run.spec)
    known = parse(settings())
    means = Means(known.stores["default"], known.runtimes["default"], known.stages)
    made = []
    for place in range(number):
        job = scoring_job(run, run.spec, means, Chunk(place, place, (f"sensor-{place:06d}",)), 0)
        del job["metadata"]["ownerReferences"]
        made.append(json.dumps(job, separators=(",", ":")).encode())
    return made


async def work(kubeconfig: Path, jobs: list[bytes], parallelism: int) -> tuple[float, int]:
    """Seconds until all are Complete, and how often the API server said 429."""
    server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    host = urlsplit(server)
    url = f"{host.scheme}://{host.netloc}{JOBS}"
    slots = asyncio.Semaphore(AT_ONCE)
    refused = 0
    connector = aiohttp.TCPConnector(ssl=Api(kubeconfig).tls)
    timeout = aiohttp.ClientTimeout(total=None, sock_read=90)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        asyncio.TaskGroup() as group,
    ):

        async def make(body: bytes) -> None:
            nonlocal refused
            async with slots:
                while True:
                    head = {"Content-Type": "application/json"}
                    async with session.post(url, data=body, headers=head) as answer:
                        await answer.read()
                        if answer.status == 201:
                            return
                        if answer.status != 429:
                            raise RuntimeError(f"{answer.status}: {await answer.text()}")
                        refused += 1
                    await asyncio.sleep(1)

        left = iter(jobs)
        complete: set[str] = set()
        started = time.monotonic()
        query = urlencode({"watch": "true", "timeoutSeconds": "3000"})
        async with session.get(f"{url}?{query}", read_bufsize=2**20) as stream:
            tasks = {group.create_task(make(body)) for body in islice(left, parallelism)}
            async for line in stream.content:
                job = json.loads(line)["object"]
                uid = job["metadata"]["uid"]
                conditions = job.get("status", {}).get("conditions", ())
                if uid in complete or not any(each["type"] == "Complete" for each in conditions):
                    continue
                complete.add(uid)
                if (body := next(left, None)) is not None:
                    task = group.create_task(make(body))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                if len(complete) == len(jobs):
                    break
        return time.monotonic() - started, refused


def main(kubeconfig: str, number: str, parallelism: str) -> None:
    """Does it, and prints a line of JSON."""
    jobs = manifests(json.load(sys.stdin), int(number))
    before = resource.getrusage(resource.RUSAGE_SELF)
    seconds, refused = asyncio.run(work(Path(kubeconfig), jobs, int(parallelism)))
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    sys.stdout.write(json.dumps({"seconds": seconds, "refused": refused, "cpu": cpu}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

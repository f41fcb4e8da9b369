"""The operator's process: settings, connection, streams, workers; ends when one of them does, or at SIGTERM.

All state is in the API, so the answer to whatever cannot go on is a clear line in the log and exit code 1:
the Deployment starts it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kubernetes.aio.config import ConfigException

from scoring_operator import http, logs
from scoring_operator.cluster import ApiError, Cluster
from scoring_operator.controller import WORKERS, Controller
from scoring_operator.feeds import streams
from scoring_operator.health import Echo, Health
from scoring_operator.informer import inform
from scoring_operator.lease import Lease
from scoring_operator.metrics import Bounds, Metrics, Sources, ViewCollector
from scoring_operator.settings import Settings, SettingsError, load
from scoring_operator.streams import Stream

log = logging.getLogger("scoring_operator")

DEFAULT_SETTINGS = "/etc/sensorscore/settings.yaml"
STOP_SECONDS = 6.0  # for what is in flight at SIGTERM; Kubernetes gives 30


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Run the operator until `stop`; raises what ended it otherwise."""
    bounds = Bounds.of(settings)
    metrics = Metrics(version("sensorscore-operator"), bounds, settings.currency)
    health = Health(time.monotonic, settings.timing.stream_stale_seconds)
    echo = Echo(time.monotonic)
    cluster = await Cluster.connect(metrics.api_call)
    lease = Lease(cluster, settings.lease, _identity(), _now, time.monotonic)
    controller = Controller(cluster, settings, metrics, echo, _now, time.monotonic, lease.wait)
    sources = Sources(
        lambda: len(controller.queue), health.ages, lambda: lease.held, lambda: health.ready, _now
    )
    metrics.registry.register(ViewCollector(controller.view, bounds, settings, sources, metrics.marks))
    server, port = await http.serve(settings.http.port, metrics, health)
    log.info("serving /metrics, /healthz and /readyz on port %d", port)
    try:
        await _run_parts(settings, stop, cluster, controller, health, echo, lease)
    finally:
        await lease.release()
        await server.cleanup()
        await cluster.close()


async def _run_parts(
    settings: Settings,
    stop: asyncio.Event,
    cluster: Cluster,
    controller: Controller,
    health: Health,
    echo: Echo,
    lease: Lease,
) -> None:
    tasks = [
        _task("loop canary", health.beat()),
        _task("lease", lease.keep()),
        asyncio.create_task(stop.wait(), name="stop"),
    ]
    health.waits_for = lambda: lease.why
    try:
        if not await _first(lease.wait(), tasks):
            return
        health.watch("lease", lease.age)
        # Runs first: then Jobs and pods whose outcome is recorded need not be kept at all.
        if not await _first_resync(controller, stop):
            return
        feeds = [
            stream
            for namespace in settings.namespaces or (None,)
            for stream in streams(cluster, controller.view, namespace)
        ]
        for stream in feeds:
            name = f"{stream.kind.plural}{f' in {stream.namespace}' if stream.namespace else ''}"
            health.watch(name, _age(stream))
            tasks.append(_task(f"stream of {name}", stream.run()))
        await _first(_synced(feeds), tasks)
        health.watch("scoringruns", echo.age)
        tasks.append(_task("kopf", inform(settings.namespaces, controller.run_event)))
        tasks.append(_task("resync", _resync(controller, settings.timing.resync_seconds)))
        tasks += [_task(f"worker {number}", controller.work()) for number in range(WORKERS)]
        health.ready = True
        log.info(
            "ready: %d runs, %d Jobs unfinished",
            len(list(controller.view.runs())),
            controller.view.unfinished_count,
        )
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _end(tasks)


async def _first_resync(controller: Controller, stop: asyncio.Event) -> bool:
    """List runs until that works; False if the operator was stopped before."""
    while not stop.is_set():
        try:
            await controller.resync()
            return True
        except ApiError as error:
            hint = " (is the CRD installed?)" if error.code == 404 else ""
            log.warning("runs cannot be listed%s: %s; again in 5 s", hint, error)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await stop.wait()
    return False


async def _synced(feeds: Iterable[Stream[Any]]) -> None:
    """Wait for the first full lists."""
    await asyncio.gather(*(stream.synced.wait() for stream in feeds))


async def _first(awaited: Coroutine[Any, Any, None], tasks: list[asyncio.Task[Any]]) -> bool:
    """Wait for something, or for anything to end; whether the former came about."""
    waiting = asyncio.create_task(awaited)
    await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    happened = waiting.done()
    if not happened:
        waiting.cancel()
        await asyncio.wait([waiting])
    return happened


async def _resync(controller: Controller, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await controller.resync()
        except ApiError as error:
            log.warning("resync: %s", error)


def _identity() -> str:
    """Whose the Lease is: the pod's name, so that a container started again goes on at once."""
    return os.environ.get("POD_NAME") or f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"


def _now() -> datetime:
    return datetime.now(UTC)


def _age(stream: Stream[Any]) -> Callable[[], float]:
    return lambda: time.monotonic() - stream.heard


def _task(name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.create_task(work, name=name)


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    """Stop all tasks; raise the error of the one that had ended by itself."""
    ended = [task for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=STOP_SECONDS)
    for task in ended:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise RuntimeError(f"the operator's {task.get_name()} ended: {error}") from error
        # kopf takes SIGTERM over when it starts, and ends without an error then: it is a stop like the other.
        if task.get_name() not in ("stop", "kopf") and not task.cancelled():
            raise RuntimeError(f"the operator's {task.get_name()} ended")


async def _main(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run(settings, stop)


def main() -> int:
    """The command `sensorscore-operator`: 0 after SIGTERM, 1 when it cannot go on, 2 when it cannot begin."""
    logs.set_up()
    path = Path(os.environ.get("SENSORSCORE_SETTINGS") or DEFAULT_SETTINGS)
    try:
        settings = load(path)
    except SettingsError as error:
        log.error("%s (settings file %s)", error, path)
        return 2
    try:
        asyncio.run(_main(settings))
    except (ConfigException, OSError) as error:
        log.error("cannot begin: %s", error)
        return 2
    except RuntimeError:
        log.exception("the operator cannot go on")
        return 1
    log.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""/metrics, /healthz and /readyz."""

from __future__ import annotations

from aiohttp import web

from scorer.ingest.health import Health
from scorer.ingest.measures import Measures

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


async def serve(port: int, measures: Measures, health: Health) -> tuple[web.AppRunner, int]:
    """Starts serving; the runner to clean up, and the port. Port 0: a free one on loopback, for tests."""

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=measures.text(), headers={"Content-Type": _TEXT})

    async def show_health(_: web.Request) -> web.Response:
        sick = health.sick()
        return web.Response(status=503 if sick else 200, text=f"{sick or 'ok'}\n")

    async def show_ready(_: web.Request) -> web.Response:
        unready = health.unready()
        return web.Response(status=503 if unready else 200, text=f"{unready or 'ok'}\n")

    app = web.Application()
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/healthz", show_health)
    app.router.add_get("/readyz", show_ready)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, host=None if port else "127.0.0.1", port=port)
    await site.start()
    return runner, int(runner.addresses[0][1])

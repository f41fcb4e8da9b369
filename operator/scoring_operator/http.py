"""/metrics, /healthz and /readyz."""

from __future__ import annotations

from aiohttp import web

from scoring_operator.health import Health
from scoring_operator.metrics import Metrics

TEXT = "text/plain; version=0.0.4; charset=utf-8"
SHUTDOWN_SECONDS = 1.0  # for answers that are under way when the operator ends


async def serve(port: int, metrics: Metrics, health: Health) -> tuple[web.AppRunner, int]:
    """Start serving; the runner to clean up, and the port. Port 0: a free one on loopback, for tests."""

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": TEXT})

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
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    site = web.TCPSite(runner, host=None if port else "127.0.0.1", port=port)
    await site.start()
    return runner, int(runner.addresses[0][1])

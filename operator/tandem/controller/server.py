"""The operator's own HTTP port: /metrics, and /healthz that tells an operator which has stopped."""

from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

_STUCK_S = 300.0  # a turn waits for at most some timeouts of 10 s each


async def serve(
    port: int, figures: CollectorRegistry, busy_s: Callable[[], float]
) -> web.AppRunner:
    """Start serving on every address of the pod; `cleanup()` of what is returned ends it."""

    async def metrics(_: web.Request) -> web.Response:
        body = generate_latest(figures)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        busy = busy_s()
        if busy > _STUCK_S:
            text = f"a turn of a fleet has lasted {busy:.0f} s\n"
            return web.Response(text=text, status=HTTPStatus.SERVICE_UNAVAILABLE)
        return web.Response(text="ok\n")

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    return runner

"""The HTTP surface. The two endpoints that answer prompts are bare ASGI; the rest is FastAPI."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tandem import __version__
from tandem.api.role import Role
from tandem.gateway.client import Client
from tandem.gateway.desk import Desk, open_desk
from tandem.gateway.fleet import follow
from tandem.gateway.flow import serve
from tandem.gateway.request import Endpoint
from tandem.gateway.settings import Settings


class Gateway:
    """One gateway process: its desk once the loop runs, and whether it still takes requests."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.is_draining = False
        self._desk: Desk | None = None

    @property
    def desk(self) -> Desk:
        """The parts that serve; there from start-up on."""
        assert self._desk is not None, "the gateway has not started"
        return self._desk

    @property
    def state(self) -> str:
        """`starting` until the first list of pods, then `ok`, and `draining` after SIGTERM."""
        if self.is_draining:
            return "draining"
        return "ok" if self.desk.pods.is_known else "starting"

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Open the desk and follow the fleet's pods, until the server ends."""
        self._desk = open_desk(self.settings)
        watching = asyncio.create_task(follow(self.settings, self._desk.pods))
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            await self._desk.close()


class Answering:
    """The ASGI application of one endpoint."""

    def __init__(self, gateway: Gateway, endpoint: Endpoint) -> None:
        self._gateway = gateway
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request until it is answered or its user is gone."""
        request_id = _request_id(scope)
        client = Client(scope, receive, send, request_id)
        if self._gateway.is_draining:
            message = "the gateway is shutting down"
            await client.refuse(HTTPStatus.SERVICE_UNAVAILABLE, message, retry_after_s=1)
            return
        desk = self._gateway.desk
        desk.serving.add(client)
        try:
            await serve(desk, self._endpoint, request_id, client)
        finally:
            desk.serving.discard(client)


def create_app(gateway: Gateway) -> FastAPI:
    """The application of one gateway."""
    # No schema: it would name the few paths of FastAPI's and hide the two that matter.
    app = FastAPI(version=__version__, lifespan=gateway.running, openapi_url=None)
    for endpoint in Endpoint:
        app.router.routes.append(Route(endpoint, Answering(gateway, endpoint), methods=["POST"]))

    @app.get("/v1/models")
    async def models() -> Mapping[str, Any]:
        """The model of the fleet, also while no pod runs."""
        model = {
            "id": gateway.settings.model,
            "object": "model",
            "owned_by": "tandem",
            "created": 0,
        }
        return {"object": "list", "data": [model]}

    @app.get("/livez")
    async def livez() -> Mapping[str, str]:
        """Answers while the process lives."""
        return {"status": gateway.state}

    @app.get("/health")
    @app.get("/readyz")
    async def health() -> JSONResponse:
        """200 while requests are taken: without pods they wait for the fleet to wake up."""
        pods = {role.value: gateway.desk.pods.ready(role) for role in Role}
        status = HTTPStatus.OK if gateway.state == "ok" else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(
            {"status": gateway.state, "draining": gateway.is_draining, "ready_pods": pods}, status
        )

    @app.get("/metrics")
    async def metrics() -> Response:
        """Everything the gateway counts, for Prometheus."""
        return Response(gateway.desk.metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return app


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and value:
            return str(value.decode("latin-1"))
    return uuid.uuid4().hex

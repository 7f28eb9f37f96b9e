"""vLLM's HTTP surface over an emulator."""

from http import HTTPStatus
from time import time
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse

from tandem import __version__
from tandem_engine.emulator import completions, refusal
from tandem_engine.emulator.emulator import Emulator
from tandem_engine.emulator.metrics import CONTENT_TYPE, exposition
from tandem_engine.emulator.refusal import RefusedError
from tandem_engine.emulator.schema import ChatRequest, CompletionRequest

RequestId = Annotated[str | None, Header(alias="x-request-id")]


def application(emulator: Emulator) -> FastAPI:
    """The application of one emulator."""

    async def ready() -> None:
        if not emulator.startup.is_ready:
            raise refusal.not_ready(emulator.startup.stage)

    app = FastAPI(
        title="tandem-engine emulate",
        version=__version__,
        dependencies=[Depends(ready)],
        openapi_url=None,
    )
    app.exception_handler(RefusedError)(_refused)
    app.exception_handler(RequestValidationError)(_invalid)

    @app.post("/v1/completions", response_model=None)
    async def complete(body: CompletionRequest, request_id: RequestId = None) -> Response:
        return completions.answer(emulator, body, request_id)

    @app.post("/v1/chat/completions", response_model=None)
    async def chat(body: ChatRequest, request_id: RequestId = None) -> Response:
        return completions.answer(emulator, body, request_id)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return _models(emulator)

    @app.get("/health")
    async def health() -> Response:
        return Response()

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(exposition(emulator), media_type=CONTENT_TYPE)

    @app.get("/version")
    async def version() -> dict[str, str]:
        return {"version": f"emulator-{__version__}"}

    return app


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return error.response()


async def _invalid(_: Request, error: Exception) -> Response:
    """What vLLM says to a body that it cannot read: 400, not FastAPI's own 422."""
    assert isinstance(error, RequestValidationError)
    first, *others = error.errors()
    where = ".".join(map(str, first["loc"]))
    more = f" ...and {len(others)} more" if others else ""
    message = f"{len(others) + 1} validation error(s):\n  {where}: {first['msg']}{more}"
    body = {"message": message, "type": "Bad Request", "param": where, "code": 400}
    return JSONResponse({"error": body}, status_code=HTTPStatus.BAD_REQUEST)


def _models(emulator: Emulator) -> dict[str, Any]:
    settings, now_s = emulator.settings, int(time())
    permission = {
        "id": f"modelperm-{emulator.engine_id}",
        "object": "model_permission",
        "created": now_s,
        "allow_create_engine": False,
        "allow_sampling": True,
        "allow_logprobs": True,
        "allow_search_indices": False,
        "allow_view": True,
        "allow_fine_tuning": False,
        "organization": "*",
        "group": None,
        "is_blocking": False,
    }
    model = {
        "id": settings.model,
        "object": "model",
        "created": now_s,
        "owned_by": "tandem",
        "root": settings.profile.model,
        "parent": None,
        "max_model_len": settings.context_tokens,
        "permission": [permission],
    }
    return {"object": "list", "data": [model]}

"""What vLLM says when it does not serve a request."""

from http import HTTPStatus

from fastapi.responses import JSONResponse


class RefusedError(Exception):
    """A request that is not served, with what the client is told."""

    def __init__(
        self,
        message: str,
        *,
        status: HTTPStatus = HTTPStatus.BAD_REQUEST,
        kind: str = "BadRequestError",
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.param = param

    def response(self) -> JSONResponse:
        """The error as vLLM's body."""
        error = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": int(self.status),
        }
        return JSONResponse({"error": error}, status_code=self.status)


def unknown_model(asked: str, served: str) -> RefusedError:
    """The refusal of a model that is not served here."""
    return RefusedError(
        f"The model `{asked}` does not exist. Valid aliases: {served}.",
        status=HTTPStatus.NOT_FOUND,
        kind="NotFoundError",
        param="model",
    )


def invalid(message: str, param: str, value: object) -> RefusedError:
    """The refusal of a value, in the form of vLLM's validation errors."""
    return RefusedError(f"{message} (parameter={param}, value={value})", param=param)


def prompt_too_long(tokens: int, context_tokens: int) -> RefusedError:
    """The refusal of a prompt that leaves no room for a token."""
    return invalid(
        f"This model's maximum context length is {context_tokens} tokens. However, your prompt "
        f"contains {tokens} input tokens, which exceeds this limit even without any output "
        "tokens. Please reduce the length of the input prompt.",
        "input_tokens",
        tokens,
    )


def output_too_long(tokens: int, context_tokens: int) -> RefusedError:
    """The refusal of more output than any prompt has room for."""
    return invalid(
        f"max_tokens={tokens} cannot be greater than max_model_len={context_tokens}. "
        "Please request fewer output tokens.",
        "max_tokens",
        tokens,
    )


def not_ready(stage: str) -> RefusedError:
    """The refusal of an engine that still starts."""
    return RefusedError(
        f"the engine starts: {stage}",
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        kind="ServiceUnavailable",
    )


def ended() -> RefusedError:
    """What a draining vLLM says to a text: its tokenizer's threads have gone."""
    return RefusedError(
        "cannot schedule new futures after shutdown",
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        kind="InternalServerError",
    )

"""What the API server refused, in one line with verb, kind, name and status.

ApiError
├── Conflict       409: someone else wrote first, or it is there already
├── Forbidden      403: the operator's RBAC, a quota or an admission policy
└── Unreachable    no answer at all (status 0)
"""

from collections.abc import Mapping
from typing import Any

from tandem.errors import TandemError

_MOST_MESSAGE = 500  # characters


class ApiError(TandemError):
    """A request that the API server did not grant.

    Args:
        call: verb, kind and name, such as `PUT Deployment chat/decode/scale`.
        status: HTTP status, 0 without an answer.
        reason: the server's own word, such as `Invalid`.
        message: the server's message, made one line.

    """

    def __init__(self, call: str, status: int, reason: str, message: str) -> None:
        self.call = call
        self.status = status
        self.reason = reason
        self.message = " ".join(message.split())[:_MOST_MESSAGE]
        super().__init__(f"{call}: {status or 'no answer'} {reason}: {self.message}")


class Conflict(ApiError):  # noqa: N818 - read as a word: `except Conflict`
    """Someone else wrote first, or it is there already."""


class Forbidden(ApiError):  # noqa: N818
    """The operator's RBAC, a quota or an admission policy says no."""


class Unreachable(ApiError):  # noqa: N818
    """No answer came."""


_CLASSES: Mapping[int, type[ApiError]] = {0: Unreachable, 403: Forbidden, 409: Conflict}


def api_error(call: str, status: int, body: Mapping[str, Any]) -> ApiError:
    """The error that a Status object of the API server tells."""
    reason = str(body.get("reason") or "Unknown")
    message = str(body.get("message") or "the server gave no reason")
    return _CLASSES.get(status, ApiError)(call, status, reason, message)

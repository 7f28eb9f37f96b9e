"""One request to the API server and its answer, as plain values: what a transport carries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"  # JSON is YAML


@dataclass(frozen=True, slots=True)
class Request:
    """A request; `body` is what JSON can hold."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = JSON


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of any status; `body` is {} where it was no JSON object."""

    status: int
    body: dict[str, Any]
    retry_after_s: float = 0.0


class Transport(Protocol):
    """Carries requests to an API server."""

    async def send(self, request: Request, timeout_s: float) -> Answer:
        """The answer, whatever its status.

        Raises:
            ConnectionRefusedError: the request has not left.
            OSError: no answer came, so it may have been done or not; TimeoutError is one.

        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...

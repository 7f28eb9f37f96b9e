"""What can end a try at answering a request.

Exception
├── LegFailedError       an engine failed before a token reached the user: another pair is tried
├── RefusedByEngineError an engine says that the request is wrong: the user is told its words
└── WaitedTooLongError   no pod came free in time
"""

from tandem.api.role import Role
from tandem.errors import TandemError


class LegFailedError(TandemError):
    """One leg brought nothing.

    Args:
        leg: whose leg it was.
        reason: `refused`, `reset`, `timeout`, `5xx`, `busy`, `abort`, `error`, `no_kv` or `lease`.
        pod: the pod that failed; empty where it was nobody's fault.

    """

    def __init__(self, leg: Role, reason: str, pod: str = "") -> None:
        self.leg = leg
        self.reason = reason
        self.pod = pod
        super().__init__(f"{leg} leg on {pod or 'no pod'}: {reason}")


class RefusedByEngineError(TandemError):
    """A 4xx of an engine, passed on to the user as it is."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body
        super().__init__(f"the engine answered {status}")


class WaitedTooLongError(TandemError):
    """No pod took the request within the longest wait."""

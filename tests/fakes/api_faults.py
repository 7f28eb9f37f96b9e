"""What an API server in memory does wrong, when a test wants it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tandem.cluster.kubernetes.request import Answer, Request

_AS_IT_IS = -1  # status: the true answer


@dataclass
class Fault:
    """What happens to the next requests of a method whose path holds `path`."""

    status: int
    times: int
    method: str
    path: str
    message: str = ""
    retry_after_s: float = 0.0
    done: bool = False
    act: Callable[[], object] = lambda: None

    def matches(self, request: Request) -> bool:
        method = self.method in {"", request.method}
        return self.times > 0 and method and self.path in request.path

    def answer(self) -> Answer:
        """The wrong answer; 0 is none at all."""
        if self.status == 0:
            raise TimeoutError if self.done else ConnectionRefusedError("nobody listens")
        body = {"kind": "Status", "reason": "Injected", "message": self.message}
        return Answer(self.status, body, self.retry_after_s)


@dataclass
class Faults:
    """Faults that wait for their request."""

    faults: list[Fault] = field(default_factory=list, kw_only=True)

    def fail(
        self,
        status: int,
        *,
        times: int = 1,
        method: str = "",
        path: str = "",
        message: str = "as the test wants it",
        retry_after_s: float = 0.0,
        done: bool = False,
    ) -> None:
        """Fail the next such requests; status 0 gives no answer, `done` does what was asked anyhow."""
        self.faults.append(Fault(status, times, method, path, message, retry_after_s, done))

    def before(self, method: str, path: str, act: Callable[[], object]) -> None:
        """Do something once, just before the next such request is looked at."""
        self.faults.append(Fault(_AS_IT_IS, 1, method, path, done=True, act=act))

    def next_fault(self, request: Request) -> Fault | None:
        """The fault that this request meets."""
        fault = next((each for each in self.faults if each.matches(request)), None)
        if fault is not None:
            fault.times -= 1
        return fault

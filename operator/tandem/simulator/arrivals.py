"""Requests come when the trace says, and the later turns of a closed loop when the loop lets them."""

from collections import deque
from collections.abc import Callable

from tandem.simulator.clock import Clock, Timer
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

Arrive = Callable[[int, TraceRequest], None]


class Arrivals(Timer):
    """Due when the next request of the trace comes by itself.

    Attributes:
        count: requests that came so far.

    """

    def __init__(self, clock: Clock, trace: Trace, arrive: Arrive) -> None:
        super().__init__()
        self.count = 0
        self._clock = clock
        self._requests = trace.requests
        self._arrive = arrive
        self._turns: dict[str, deque[int]] = {}  # by session: positions of its later turns
        self._openers: list[int] = []
        self._next = 0
        for position, request in enumerate(trace.requests):
            if request.session and request.session in self._turns:
                self._turns[request.session].append(position)
                continue
            self._openers.append(position)
            if request.session:
                self._turns[request.session] = deque()

    def start(self) -> None:
        """Wait for the first one."""
        self._await_next()

    def fire(self) -> None:
        """The next request of the trace comes."""
        position = self._openers[self._next]
        self._next += 1
        self._await_next()
        self._come(position)

    def after(self, request: TraceRequest) -> None:
        """A request ended: its session thinks, then calls again."""
        turns = self._turns.get(request.session) if request.session else None
        if turns:
            position = turns.popleft()
            think_s = self._requests[position].think_s
            self._clock.at(self._clock.now_s + think_s, self._come, position)

    def _await_next(self) -> None:
        if self._next < len(self._openers):
            request = self._requests[self._openers[self._next]]
            self._clock.set(request.arrival_s, self)

    def _come(self, position: int) -> None:
        self.count += 1
        self._arrive(position, self._requests[position])

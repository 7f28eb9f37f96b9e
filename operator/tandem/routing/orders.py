"""Queue orders: which waiting request is served next.

`feasible-first` is the default: those that can still meet their TTFT first, by deadline; those already
late last. First-come order turns 2 % of overload into 100 % of misses.
"""

from collections.abc import Callable, Mapping
from functools import partial
from heapq import heappop, heappush

from tandem.routing.model import RouteRequest


class Order:
    """A queue in some order. Who has left is still in it, and is skipped when its turn comes."""

    def push(self, request: RouteRequest) -> None:
        """Let a request wait."""
        raise NotImplementedError

    def peek(self, now_s: float) -> RouteRequest | None:
        """Whose turn it is; None when nobody waits."""
        raise NotImplementedError

    def pop(self, now_s: float) -> RouteRequest | None:
        """Take the request off whose turn it is."""
        raise NotImplementedError


class _Sorted(Order):
    """A heap of requests by one key; among equals, the first to come."""

    def __init__(self, key: Callable[[RouteRequest], float]) -> None:
        self._key = key
        self._heap: list[tuple[float, int, RouteRequest]] = []
        self._count = 0

    def push(self, request: RouteRequest) -> None:
        self._count += 1
        heappush(self._heap, (self._key(request), self._count, request))

    def peek(self, now_s: float) -> RouteRequest | None:  # noqa: ARG002 - an order without a clock
        return self._heap[0][2] if self._heap else None

    def pop(self, now_s: float) -> RouteRequest | None:  # noqa: ARG002
        return heappop(self._heap)[2] if self._heap else None


class ByClass(Order):
    """The class with the lowest priority number first, each class in an order of its own."""

    def __init__(self, within: Callable[[], Order]) -> None:
        self._within = within
        self._classes: dict[int, Order] = {}

    def push(self, request: RouteRequest) -> None:
        """Let a request wait in its class."""
        if request.priority not in self._classes:
            self._classes[request.priority] = self._within()
            self._classes = dict(sorted(self._classes.items()))
        self._classes[request.priority].push(request)

    def peek(self, now_s: float) -> RouteRequest | None:
        """Whose turn it is in the first class that has someone waiting."""
        for order in self._classes.values():
            request = order.peek(now_s)
            if request is not None:
                return request
        return None

    def pop(self, now_s: float) -> RouteRequest | None:
        """Take that one off."""
        for order in self._classes.values():
            if order.peek(now_s) is not None:
                return order.pop(now_s)
        return None


class FeasibleFirst(Order):
    """By deadline among those that can still meet it; the others wait behind them all."""

    def __init__(self) -> None:
        self._on_time = _Sorted(_deadline_s)
        self._late = _Sorted(_arrival_s)

    def push(self, request: RouteRequest) -> None:
        """Let a request wait."""
        self._on_time.push(request)

    def peek(self, now_s: float) -> RouteRequest | None:
        """The earliest deadline that can still be met, else the late one that came first."""
        return self._turn(now_s).peek(now_s)

    def pop(self, now_s: float) -> RouteRequest | None:
        """Take that one off."""
        return self._turn(now_s).pop(now_s)

    def _turn(self, now_s: float) -> _Sorted:
        while (request := self._on_time.peek(now_s)) is not None:
            if request.latest_start_s() >= now_s:
                return self._on_time
            self._late.push(request)
            self._on_time.pop(now_s)
        return self._late


def _deadline_s(request: RouteRequest) -> float:
    return request.deadline_s


def _arrival_s(request: RouteRequest) -> float:
    return request.arrival_s


ORDERS: Mapping[str, Callable[[], Order]] = {
    "feasible-first": FeasibleFirst,
    "fcfs": partial(_Sorted, _arrival_s),
    "edf": partial(_Sorted, _deadline_s),
    "class": partial(ByClass, FeasibleFirst),
}

"""Filter, score, pick: which pod takes a request."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tandem.perf.engine_profile import DecodeCost
from tandem.routing.model import RoutePod, RouteRequest


@dataclass(slots=True)
class PodLoad:
    """A pod and what the router has sent to it: KV tokens by request, the output to come among them."""

    pod: RoutePod
    tokens: dict[str, int] = field(default_factory=dict)  # in flight
    pinned: dict[str, int] = field(default_factory=dict)  # prefilled, not pulled yet
    tokens_sum: int = 0
    pinned_sum: int = 0

    def start(self, key: str, tokens: int) -> None:
        """A request begins here."""
        self.tokens[key] = tokens
        self.tokens_sum += tokens

    def end(self, key: str) -> None:
        """A request is no longer in flight here; unknown keys are none."""
        self.tokens_sum -= self.tokens.pop(key, 0)

    def pin(self, key: str, tokens: int) -> None:
        """The KV of a finished prefill leg stays here until it is pulled."""
        self.pinned[key] = tokens
        self.pinned_sum += tokens

    def unpin(self, key: str) -> None:
        """Pinned KV was pulled or released; unknown keys are none."""
        self.pinned_sum -= self.pinned.pop(key, 0)

    def room(self, tokens: int) -> bool:
        """Whether `tokens` more would fit its KV beside all that was sent here."""
        return self.tokens_sum + self.pinned_sum + tokens <= self.pod.kv_capacity_tokens


def prefill(loads: Iterable[PodLoad], request: RouteRequest) -> PodLoad | None:
    """An idle pod with room for the prompt, the one with least pinned KV; None when there is none.

    One prompt a pod at a time: what waits, waits in the central queue, where order can still be chosen.
    """
    idle = [
        load
        for load in loads
        if not load.pod.draining and not load.tokens and load.room(request.input_tokens)
    ]
    return min(idle, key=lambda load: (load.pinned_sum, load.pod.name), default=None)


def decode(
    loads: Iterable[PodLoad],
    request: RouteRequest,
    revision: str,
    cost: DecodeCost,
    tpot_s: float,
) -> PodLoad | None:
    """The pod whose iteration stays shortest; when all would miss TPOT, the fullest takes the excess.

    Only pods of the prefill pod's revision are asked: KV of another one can't be read. A pod without
    room is taken only when no other is there: it queues the request until blocks are free. Its prefill
    is done, so a pod that is finishing takes it when no other can.
    """
    readers = [x for x in loads if x.pod.revision == revision]
    usable = [x for x in readers if not x.pod.draining] or [x for x in readers if x.pod.finishing]
    with_room = [
        x for x in usable if x.room(request.input_tokens + request.output_tokens)
    ] or usable

    def step_s(load: PodLoad) -> float:
        tokens = load.tokens_sum + request.input_tokens + request.output_tokens
        return cost.step_s(len(load.tokens) + 1, tokens)

    within = [load for load in with_room if step_s(load) <= tpot_s]
    if within:
        return min(within, key=lambda load: (step_s(load), load.pod.name))
    return max(with_room, key=lambda load: (step_s(load), load.pod.name), default=None)

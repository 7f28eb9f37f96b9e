"""What the router has sent to each pod, and which pod has least."""

from collections.abc import Iterable
from math import inf

from tandem.perf.engine_profile import DecodeCost
from tandem.perf.prefixes import PrefixCache
from tandem.routing.model import RoutePod
from tandem.routing.ranking import Ranking


class PodLoad:
    """A pod and what the router has sent to it: KV tokens by request, the output to come among them.

    Attributes:
        tokens: of requests in flight, by key.
        pinned: of prompts that are prefilled and not pulled yet, by key.

    """

    def __init__(self, pod: RoutePod) -> None:
        self.pod = pod
        self.prefixes = PrefixCache()  # what was prefilled here, as far as the router knows
        self.tokens: dict[str, int] = {}
        self.pinned: dict[str, int] = {}
        self.tokens_sum = 0
        self.pinned_sum = 0
        self.field: Field | None = None  # where it is ranked, while it is listed
        self.place = 0

    def start(self, key: str, tokens: int) -> None:
        """A request begins here."""
        self.tokens[key] = tokens
        self._add(1, tokens, 0)

    def end(self, key: str) -> None:
        """A request is no longer in flight here; unknown keys are none."""
        if key in self.tokens:
            self._add(-1, -self.tokens.pop(key), 0)

    def pin(self, key: str, tokens: int) -> None:
        """The KV of a finished prefill leg stays here until it is pulled."""
        self.pinned[key] = tokens
        self._add(0, 0, tokens)

    def unpin(self, key: str) -> None:
        """Pinned KV was pulled or released; unknown keys are none."""
        if key in self.pinned:
            self._add(0, 0, -self.pinned.pop(key))

    def room(self, tokens: int) -> bool:
        """Whether `tokens` more would fit its KV beside all that was sent here."""
        return self.tokens_sum + self.pinned_sum + tokens <= self.pod.kv_capacity_tokens

    def _add(self, requests: int, tokens: int, pinned: int) -> None:
        self.tokens_sum += tokens
        self.pinned_sum += pinned
        if self.field is not None:
            self.field.changed(self, requests, tokens)


class Field:
    """Pods of one role that are listed, by name, and the one of them with the least score.

    Attributes:
        requests, tokens: in flight at all of them.

    """

    def __init__(self, loads: Iterable[PodLoad]) -> None:
        self.loads = sorted(loads, key=_name)
        self.requests = 0
        self.tokens = 0
        for place, load in enumerate(self.loads):
            load.field, load.place = self, place
            self.requests += len(load.tokens)
            self.tokens += load.tokens_sum
        self._ranking = Ranking([self.score(load) for load in self.loads])

    def score(self, load: PodLoad) -> float:
        """What the best pod has least of; infinite where no request may go."""
        raise NotImplementedError

    def best(self) -> PodLoad | None:
        """The pod with the least score, the first by name among equals."""
        place = self._ranking.first()
        return None if place < 0 else self.loads[place]

    def changed(self, load: PodLoad, requests: int, tokens: int) -> None:
        """So much more is in flight at a pod, or it has pinned more or less."""
        self.requests += requests
        self.tokens += tokens
        self._ranking.set(load.place, self.score(load))


class PrefillField(Field):
    """Idle pods, by pinned KV."""

    def score(self, load: PodLoad) -> float:
        """Pinned tokens; a pod that is busy or leaves takes none."""
        return inf if load.tokens or load.pod.draining else float(load.pinned_sum)


class DecodeField(Field):
    """Pods of one revision, by the time of their iteration."""

    def __init__(self, loads: Iterable[PodLoad], cost: DecodeCost) -> None:
        self._cost = cost
        super().__init__(loads)

    def score(self, load: PodLoad) -> float:
        """Seconds of an iteration of what is there; a pod that leaves takes none."""
        if load.pod.draining:
            return inf
        return (load.pod.cost or self._cost).step_s(len(load.tokens), load.tokens_sum)


def _name(load: PodLoad) -> str:
    return load.pod.name

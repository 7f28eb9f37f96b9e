"""The router of one fleet: a central queue, and what was sent to which pod.

State without I/O or clock: the gateway and the simulator hold one each and tell it what happened. A
request goes enqueue -> start_prefill -> prefilled -> start_decode -> pulled -> ended; `ended` may
come at any point.
"""

from collections.abc import Iterable, Sequence

from tandem.api.role import Role
from tandem.perf.engine_profile import DecodeCost
from tandem.routing import pick
from tandem.routing.load import DecodeField, PodLoad, PrefillField
from tandem.routing.model import RoutePod, RouteRequest
from tandem.routing.orders import ORDERS


class _Flight:
    """A request and where its legs are."""

    def __init__(self, request: RouteRequest) -> None:
        self.request = request
        self.queued = True
        self.prefill: PodLoad | None = None
        self.decode: PodLoad | None = None


class Router:
    """Decides the next prefill, its pod, and the decode pod after it."""

    def __init__(
        self,
        decode_cost: DecodeCost,
        tpot_s: float,
        order: str = "feasible-first",
        prefix_blocks: int = 0,
    ) -> None:
        self._cost = decode_cost
        self._tpot_s = tpot_s
        self._order = ORDERS[order]()
        self._prefix_blocks = prefix_blocks  # of a pod's cache, as far as it is known here
        self._flights: dict[str, _Flight] = {}
        self._known: dict[str, PodLoad] = {}  # listed pods, and others with requests in flight
        self._listed: dict[Role, list[PodLoad]] = {role: [] for role in Role}
        self._decode_pods = 0
        self._prefills = PrefillField(())
        self._decodes: dict[str, DecodeField] = {}  # by revision
        self.queued_requests = 0
        self.queued_tokens = 0

    def set_pods(self, pods: Iterable[RoutePod]) -> None:
        """Replace the pods that can be routed to; one that comes back still has what it had."""
        for load in self._known.values():
            load.field = None
        listed = [self._load(pod) for pod in pods]
        busy = [load for load in self._known.values() if load.tokens or load.pinned]
        self._known = {load.pod.name: load for load in (*busy, *listed)}
        self._listed = {role: [x for x in listed if x.pod.role is role] for role in Role}
        self._prefills = PrefillField(self._listed[Role.PREFILL])
        decodes = self._listed[Role.DECODE]
        self._decode_pods = len(decodes)
        self._decodes = {
            revision: DecodeField([x for x in decodes if x.pod.revision == revision], self._cost)
            for revision in {load.pod.revision for load in decodes}
        }

    def loads(self, role: Role) -> Sequence[PodLoad]:
        """The pods of a role with what was sent to them."""
        return self._listed[role]

    def can_decode(self) -> bool:
        """Whether some decode pod takes new requests."""
        return any(field.best() is not None for field in self._decodes.values())

    def decode_step_s(self, tokens: int) -> float:
        """Seconds of an iteration at a decode pod with as much to do as they have on average.

        A request of so many tokens is among its own.
        """
        requests = tokens_there = 0
        for field in self._decodes.values():
            requests += field.requests
            tokens_there += field.tokens
        pods = max(1, self._decode_pods)
        return self._cost.step_s(1 + requests / pods, tokens + tokens_there / pods)

    def enqueue(self, request: RouteRequest) -> None:
        """Let a request wait for a prefill pod; one that failed before its first token may come again."""
        assert request.key not in self._flights, f"{request.key} is in flight: it has to end first"
        self._flights[request.key] = _Flight(request)
        self.queued_requests += 1
        self.queued_tokens += request.input_tokens
        self._order.push(request)

    def start_prefill(self, now_s: float) -> tuple[RouteRequest, RoutePod] | None:
        """The next request and the pod that takes it now; None when nobody waits or no pod is free."""
        if self._prefills.best() is None:
            return None
        request = self._next(now_s)
        if request is None:
            return None
        load = pick.prefill(self._prefills, request)
        if load is None:
            return None
        self._order.pop(now_s)
        flight = self._flights[request.key]
        self._unqueue(flight)
        flight.prefill = load
        load.start(request.key, request.input_tokens)
        if request.hash_ids:
            load.prefixes.use(request.hash_ids, self._prefix_blocks)
        return request, load.pod

    def known_blocks(self, hash_ids: tuple[int, ...]) -> int:
        """Leading blocks of a prompt at the prefill pod that has most of them."""
        loads = self._listed[Role.PREFILL]
        return max([load.prefixes.known(hash_ids) for load in loads], default=0)

    def start_deflected(self, now_s: float, chunk_s: float) -> tuple[RouteRequest, RoutePod] | None:
        """The next request and a decode pod that prefills it too, where no prefill pod would in time.

        It goes when it could not wait as long as it takes on average until one of them is free, and some
        decode pod would meet TPOT with chunks that take `chunk_s` in each of its iterations.
        """
        request = self._next(now_s)
        if request is None:
            return None
        wait_s = request.service_s / max(1, len(self._listed[Role.PREFILL]))
        if request.latest_start_s() > now_s + wait_s:
            return None
        tokens = request.input_tokens + request.output_tokens
        for field in self._decodes.values():
            load = field.best()
            if load is None or not load.room(tokens):
                continue
            if pick.step_s(load, tokens, self._cost) + chunk_s > self._tpot_s:
                continue
            self._order.pop(now_s)
            flight = self._flights[request.key]
            self._unqueue(flight)
            flight.decode = load
            load.start(request.key, tokens)
            return request, load.pod
        return None

    def prefilled(self, key: str) -> None:
        """The prefill leg ended: its pod is free again and holds the KV until it is pulled."""
        flight = self._flights.get(key)
        if flight is not None and flight.prefill is not None:
            flight.prefill.end(key)
            flight.prefill.pin(key, flight.request.input_tokens)

    def start_decode(self, key: str) -> RoutePod | None:
        """The pod for the decode leg; None while there is none (ask again when pods change).

        Asked again after an answer, the leg moves to the pod of the last one.
        """
        flight = self._flights[key]
        source = flight.prefill or flight.decode
        assert source is not None, "start_decode before start_prefill"
        request = flight.request
        field = self._decodes.get(source.pod.revision)
        if field is None:
            return None
        load = pick.decode(field, request, self._cost, self._tpot_s)
        if load is None:
            return None
        if flight.decode is not None:
            flight.decode.end(key)
        flight.decode = load
        load.start(key, request.input_tokens + request.output_tokens)
        return load.pod

    def pulled(self, key: str) -> None:
        """The decode pod has the KV: the prefill pod's copy is free."""
        flight = self._flights.get(key)
        if flight is not None and flight.prefill is not None:
            flight.prefill.unpin(key)

    def ended(self, key: str) -> None:
        """The request is over, or goes back to be enqueued anew; unknown keys are none."""
        flight = self._flights.pop(key, None)
        if flight is None:
            return
        if flight.queued:
            self._unqueue(flight)
        for load in (flight.prefill, flight.decode):
            if load is not None:
                load.end(key)
                load.unpin(key)

    def _load(self, pod: RoutePod) -> PodLoad:
        load = self._known.get(pod.name) or PodLoad(pod)
        load.pod = pod
        return load

    def _next(self, now_s: float) -> RouteRequest | None:
        """Whose turn it is among those that still wait."""
        while (request := self._order.peek(now_s)) is not None:
            flight = self._flights.get(request.key)
            if flight is not None and flight.queued and flight.request is request:
                return request
            self._order.pop(now_s)
        return None

    def _unqueue(self, flight: _Flight) -> None:
        flight.queued = False
        self.queued_requests -= 1
        self.queued_tokens -= flight.request.input_tokens

"""The gateway in virtual time: the real router's queue and choices, tandem.gateway's order of calls.

A request is encoded where it has something to encode, enqueued, prefilled on the pod that the router picks, handed to a decode pod when its
prefill leg ends (when it begins, if KV is pushed), and decoded. No prefill begins while no decode pod
could take its KV; KV that no decode leg was sent for within its lease is prefilled again. Where a pod
dies, those of whom no token came yet begin again; the others fail.
"""

from collections.abc import Callable, Iterable

from tandem.api.role import Role
from tandem.cluster.pod import PodPhase
from tandem.perf.sequence import Sequence
from tandem.routing.model import RoutePod, RouteRequest
from tandem.routing.router import Router
from tandem.simulator.clock import Clock
from tandem.simulator.encoders import Encoders
from tandem.simulator.flight import Flight, Outcome
from tandem.simulator.measure import Measurements
from tandem.simulator.pod import EnginePod
from tandem.simulator.pod_events import PodEvents
from tandem.simulator.reception import Reception
from tandem.simulator.scenario import Scenario
from tandem.traces.request import TraceRequest


class Gateway(PodEvents):
    """Where requests come in and answers go out; it is told by pods what happens to requests."""

    def __init__(
        self, clock: Clock, scenario: Scenario, on_ended: Callable[[Flight], None]
    ) -> None:
        spec = scenario.spec
        self._clock = clock
        self._decode_profile = spec.roles[Role.DECODE].profile
        self._prefill_emits = self._decode_profile.first_token is Role.PREFILL
        self._push_layers = scenario.handover.push_layers
        self._lease_s = scenario.handover.lease_s
        self._block_tokens = scenario.engines.prefix_block_tokens
        self._chunk_tokens = scenario.engines.deflect_chunk_tokens
        kv_tokens = spec.roles[Role.PREFILL].profile.kv.capacity_tokens
        self.router = Router(
            self._decode_profile.decode,
            spec.slo.tpot_s,
            scenario.order,
            kv_tokens // max(1, self._block_tokens),
        )
        self.measured = Measurements()
        self.reception = Reception(clock, scenario, self.router, self.measured)
        self._encode = scenario.encode
        self._encodes = scenario.encode.costs
        self._encoders = Encoders(clock, scenario.encode.pods, self._encoded)
        self._on_ended = on_ended
        self._pods: dict[str, EnginePod] = {}
        self._flights: dict[str, Flight] = {}
        self._undecoded: dict[str, Flight] = {}  # prefilled, and no decode pod to send them to
        self._requests = 0

    # -- what comes from outside ------------------------------------------------------------------

    def arrive(self, position: int, request: TraceRequest) -> None:
        """A request comes in, the one of that position in its trace."""
        self._requests += 1
        route = self.reception.route(str(self._requests), request)
        flight = Flight(position, request, route)
        self._flights[flight.route.key] = flight
        self.measured.arrived(flight.arrival_s)
        if not self.reception.fits(request):
            self._end(flight, Outcome.REFUSED)
            return
        if self._encodes and request.encode_tokens and self._encode.pods:
            self._encoders.encode(flight, self._encode.seconds(request.encode_tokens))
            return
        self.router.enqueue(flight.route)
        self._dispatch()

    def set_pods(self, pods: Iterable[EnginePod]) -> None:
        """Pods came, went, or changed their phase."""
        self._pods = {pod.name: pod for pod in pods if pod.phase is not PodPhase.STARTING}
        self.router.set_pods(
            RoutePod(
                name=pod.name,
                role=pod.role,
                kv_capacity_tokens=pod.profile.kv.capacity_tokens,
                draining=pod.phase is PodPhase.DRAINING,
                cost=pod.profile.decode,
            )
            for pod in self._pods.values()
        )
        undecoded, self._undecoded = self._undecoded, {}
        for flight in undecoded.values():
            self._decode(flight)
        self._dispatch()

    def in_flight(self) -> Iterable[Flight]:
        """Requests that came and have not ended."""
        return self._flights.values()

    def lost(self, pod: EnginePod) -> None:
        """A pod died: its requests begin again, or fail where tokens came already."""
        for flight in [f for f in self._flights.values() if f.needs(pod)]:
            self._withdraw(flight)
            if flight.first_token_s is None:
                self._again(flight)
            else:
                self._end(flight, Outcome.FAILED)
        self._dispatch()

    def move_away(self, pod: EnginePod) -> None:
        """Let other decode pods go on with what one of them decodes."""
        if not self.router.can_decode():
            return
        for flight in [f for f in self._flights.values() if f.decode is pod]:
            emitted = pod.hand_over(flight.route.key)
            if emitted:
                flight.source, flight.pulled_s = pod, None
                self._send_decode(flight, emitted)

    # -- what pods tell ---------------------------------------------------------------------------

    def prefilled(self, key: str) -> None:
        """A prefill leg ended: hand over to decode, and use the free pod."""
        flight = self._flights[key]
        flight.prefilled_s = self._clock.now_s
        self.measured.prefilled(flight)
        self.router.prefilled(key)
        first_here = self._prefill_emits and flight.first_token_s is None
        if first_here:
            self._token(flight, self._clock.now_s)
        if first_here and flight.output_tokens == 1:
            self._withdraw(flight)
            self._end(flight, Outcome.FINISHED)
        elif flight.decode is not None:  # it is pushed there already
            whole_s = self._decode_profile.transfer_s(flight.route.input_tokens)
            flight.decode.computed(key, whole_s / self._push_layers)
        else:
            self._decode(flight)
        self._dispatch()

    def pulling(self, key: str) -> None:
        """A pull began."""
        self._flights[key].pull_began_s = self._clock.now_s

    def pulled(self, key: str) -> None:
        """The decode pod has the KV; the prefill pod's copy goes."""
        flight = self._flights[key]
        flight.pulled_s = self._clock.now_s
        if flight.pull_began_s is not None:
            self.measured.pulled(flight.pulled_s - flight.pull_began_s)
        self._release(flight)
        self._dispatch()

    def emitted(self, key: str, at_s: float) -> None:
        """A token came from a decode pod, off the beat."""
        flight = self._flights[key]
        if flight.first_token_s is None:
            self.measured.first_tokens += 1
        self._token(flight, at_s)

    def paused(self, key: str, at_s: float) -> None:
        """The last token of a request that is preempted or moved came then."""
        self._flights[key].last_token_s = at_s

    def beat(self, first_s: float, slope_s: float, iterations: int, sequences: int) -> None:
        """Tokens came on the beat."""
        self.measured.gaps.add_run(first_s, slope_s, iterations, sequences)

    def finished(self, key: str) -> None:
        """The last token came."""
        flight = self._flights[key]
        flight.last_token_s = self._clock.now_s
        self._end(flight, Outcome.FINISHED)

    # -- inside -----------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        """Send prompts while one waits, a pod is free, and some pod could decode them."""
        if not self.router.queued_requests or not self.router.can_decode():
            return
        while (sent := self.router.start_prefill(self._clock.now_s)) is not None:
            route, pod = sent  # not *sent, which the compiler would pass by Python's own call
            self._prefill(route, pod)
        if self._chunk_tokens and self.router.queued_requests:
            self._deflect()

    def _encoded(self, flight: Flight) -> None:
        """An encode pod is done with a request."""
        flight.encoded_s = self._clock.now_s
        self.router.enqueue(flight.route)
        self._dispatch()

    def _encode_s(self, flight: Flight) -> float:
        """What encoding adds to the first step of a prompt: all of it, where no pods are there for it."""
        if not self._encodes or self._encode.pods:
            return 0.0
        return self._encode.seconds(flight.request.encode_tokens)

    def _prefill(self, route: RouteRequest, chosen: RoutePod) -> None:
        flight, pod = self._flights[route.key], self._pods[chosen.name]
        self._started(flight, pod)
        if self._block_tokens:
            known = pod.known_tokens(flight.request.hash_ids, self._block_tokens)
            flight.cached_tokens = min(known, route.input_tokens - 1)
        leg = Sequence(
            key=route.key,
            input_tokens=route.input_tokens,
            output_tokens=1,
            cached_tokens=flight.cached_tokens,
            pin=True,
            encode_s=self._encode_s(flight),
        )
        pod.serve(leg)
        emitted = int(self._prefill_emits)
        if self._push_layers and emitted < flight.output_tokens:
            self._send_decode(flight, emitted, pushed=True)

    def _deflect(self) -> None:
        """Let decode pods prefill what no prefill pod would begin in time."""
        profile = self._decode_profile
        chunk_s = profile.step_s([(0, self._chunk_tokens)], 1, 0) - profile.step_s((), 1, 0)
        while sent := self.router.start_deflected(self._clock.now_s, chunk_s):
            route, chosen = sent
            flight, pod = self._flights[route.key], self._pods[chosen.name]
            self._started(flight, None)
            flight.decode = pod
            whole = Sequence(
                key=route.key,
                input_tokens=route.input_tokens,
                output_tokens=flight.output_tokens,
                encode_s=self._encode_s(flight),
            )
            pod.serve(whole)

    def _started(self, flight: Flight, pod: EnginePod | None) -> None:
        flight.source = pod
        if flight.started_s is None:
            flight.started_s = self._clock.now_s

    def _decode(self, flight: Flight) -> None:
        """Send the decode leg; without a pod for it the KV's lease runs."""
        if not self._send_decode(flight, int(self._prefill_emits)):
            self._wait_for_a_pod(flight)

    def _send_decode(self, flight: Flight, emitted: int, *, pushed: bool = False) -> bool:
        """Let a decode pod take the KV that a pod has; False where there is none to take it."""
        assert flight.source is not None, "nothing was prefilled"
        chosen = self.router.start_decode(flight.route.key)
        if chosen is None:
            return False
        leg = Sequence(
            key=flight.route.key,
            input_tokens=flight.route.input_tokens,
            output_tokens=flight.output_tokens,
            remote_kv=True,
            emitted_before=emitted,
        )
        flight.decode = self._pods[chosen.name]
        flight.decode.serve(leg, flight.source.sends, pushed=pushed)
        return True

    def _wait_for_a_pod(self, flight: Flight) -> None:
        assert flight.prefilled_s is not None, "handed over before it was prefilled"
        self._undecoded[flight.route.key] = flight
        lease_end_s = max(self._clock.now_s, flight.prefilled_s + self._lease_s)
        self._clock.at(lease_end_s, self._lease_over, flight)

    def _lease_over(self, flight: Flight) -> None:
        key = flight.route.key
        lease_end_s = (flight.prefilled_s or 0.0) + self._lease_s
        if key in self._undecoded and self._clock.now_s >= lease_end_s:
            self._withdraw(flight)
            self._again(flight)
            self._dispatch()

    def _withdraw(self, flight: Flight) -> None:
        """Take a request from wherever its legs are."""
        key = flight.route.key
        self._undecoded.pop(key, None)
        for pod in (flight.decode, flight.source):
            if pod is not None and pod.gone_s is None:
                pod.abort(key)

    def _again(self, flight: Flight) -> None:
        """Enqueue a request anew, as if nothing of it had been done."""
        flight.source = flight.decode = None
        flight.cached_tokens = 0
        flight.prefilled_s = flight.pull_began_s = flight.pulled_s = None
        self.router.ended(flight.route.key)
        self.router.enqueue(flight.route)

    def _release(self, flight: Flight) -> None:
        """Decode has the KV: the prefill pod's copy goes, and its blocks may be read again."""
        self.router.pulled(flight.route.key)
        pod = flight.source
        if pod is not None:
            pod.release(flight.route.key)
            if self._block_tokens:
                pod.keep_prefix(flight.request.hash_ids, self._block_tokens)

    def _token(self, flight: Flight, at_s: float) -> None:
        if flight.first_token_s is None:
            flight.first_token_s = at_s
        elif flight.last_token_s is not None:
            self.measured.gaps.add(at_s - flight.last_token_s, 1)
        flight.last_token_s = at_s

    def _end(self, flight: Flight, outcome: Outcome) -> None:
        key = flight.route.key
        flight.ended_s = self._clock.now_s
        self.router.ended(key)
        del self._flights[key]
        self.measured.record(flight, outcome)
        self._on_ended(flight)

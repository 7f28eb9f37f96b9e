"""The gateway in virtual time: the real router's queue and choices, tandem.gateway's order of calls.

A request is enqueued, prefilled on the pod that the router picks, handed to a decode pod when its
prefill leg ends, pulled over that pod's link, and decoded. No prefill begins while no decode pod
could take its KV; KV that no decode leg was sent for within its lease is prefilled again.
"""

from collections.abc import Callable, Iterable

from tandem.api.role import Role
from tandem.cluster.ports import PodPhase
from tandem.perf.engine import Engine
from tandem.perf.sequence import Sequence
from tandem.planner.spec import FleetSpec
from tandem.routing.model import RoutePod, RouteRequest
from tandem.routing.router import Router
from tandem.simulator.clock import Clock
from tandem.simulator.flight import Flight, Outcome
from tandem.simulator.measure import Measurements
from tandem.simulator.pod import EnginePod, PodEvents
from tandem.traces.request import TraceRequest


class Gateway(PodEvents):
    """Where requests come in and answers go out; it is told by pods what happens to requests."""

    def __init__(
        self,
        clock: Clock,
        spec: FleetSpec,
        order: str,
        kv_lease_s: float,
        on_ended: Callable[[Flight], None],
    ) -> None:
        self.router = Router(spec.roles[Role.DECODE].profile.decode, spec.slo.tpot_s, order)
        self.measured = Measurements()
        self._clock = clock
        self._ttft_s = spec.slo.ttft_s
        self._prefill_profile = spec.roles[Role.PREFILL].profile
        self._decode_profile = spec.roles[Role.DECODE].profile
        self._empty_prefill = Engine(self._prefill_profile)
        self._empty_decode = Engine(self._decode_profile)
        self._prefill_emits = self._decode_profile.first_token is Role.PREFILL
        self._kv_lease_s = kv_lease_s
        self._on_ended = on_ended
        self._pods: dict[str, EnginePod] = {}
        self._flights: dict[str, Flight] = {}
        self._undecoded: dict[str, Flight] = {}  # prefilled, and no decode pod to send them to
        self._requests = 0

    # -- what comes from outside ------------------------------------------------------------------

    def arrive(self, position: int, request: TraceRequest) -> None:
        """A request comes in, the one of that position in its trace."""
        self._requests += 1
        flight = Flight(position, request, self._route(str(self._requests), request))
        self._flights[flight.route.key] = flight
        self.measured.arrived(flight.arrival_s)
        if not self.fits(request):
            self._end(flight, Outcome.REFUSED)
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
            )
            for pod in self._pods.values()
        )
        undecoded, self._undecoded = self._undecoded, {}
        for flight in undecoded.values():
            self._decode(flight)
        self._dispatch()

    def fits(self, request: TraceRequest) -> bool:
        """Whether engines of this fleet could ever hold a request."""
        tokens = request.input_tokens
        prefill, decode = self._empty_prefill, self._empty_decode
        return prefill.fits(tokens, 1) and decode.fits(tokens, request.output_tokens)

    def in_flight(self) -> Iterable[Flight]:
        """Requests that came and have not ended."""
        return self._flights.values()

    # -- what pods tell ---------------------------------------------------------------------------

    def prefilled(self, key: str) -> None:
        """A prefill leg ended: hand over to decode, and use the free pod."""
        flight = self._flights[key]
        flight.prefilled_s = self._clock.now_s
        self.router.prefilled(key)
        first_here = self._prefill_emits and flight.first_token_s is None
        if first_here:
            self._token(flight, self._clock.now_s)
        if first_here and flight.request.output_tokens == 1:
            self._release(flight)
            self._end(flight, Outcome.FINISHED)
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
        self._release(flight)
        self._dispatch()

    def emitted(self, key: str, at_s: float) -> None:
        """A token came, off the beat."""
        self._token(self._flights[key], at_s)

    def paused(self, key: str) -> None:
        """A preempted request's last token came just now."""
        self._flights[key].last_token_s = self._clock.now_s

    def beat(self, first_s: float, slope_s: float, iterations: int, sequences: int) -> None:
        """Tokens came on the beat."""
        self.measured.gaps.add_run(first_s, slope_s, iterations, sequences)

    def finished(self, key: str) -> None:
        """The last token came."""
        flight = self._flights[key]
        flight.last_token_s = self._clock.now_s
        self._end(flight, Outcome.FINISHED)

    # -- inside -----------------------------------------------------------------------------------

    def _route(self, key: str, request: TraceRequest) -> RouteRequest:
        """What the router is told; how long the answer will be it can't know, only what to expect."""
        tokens, now_s = request.input_tokens, self._clock.now_s
        after_s = 0.0
        if not self._prefill_emits:
            after_s = self._decode_profile.transfer_s(tokens) + self.router.decode_step_s(tokens)
        return RouteRequest(
            key=key,
            arrival_s=now_s,
            deadline_s=now_s + self._ttft_s,
            input_tokens=tokens,
            service_s=self._prefill_profile.prefill_s(tokens),
            after_prefill_s=after_s,
            output_tokens=self.measured.expected_output_tokens,
        )

    def _dispatch(self) -> None:
        """Send prompts while one waits, a pod is free, and some pod could decode them."""
        if not self.router.queued_requests or not self.router.can_decode():
            return
        while (sent := self.router.start_prefill(self._clock.now_s)) is not None:
            route, chosen = sent
            flight = self._flights[route.key]
            flight.prefill = self._pods[chosen.name]
            if flight.started_s is None:
                flight.started_s = self._clock.now_s
            leg = Sequence(
                key=route.key, input_tokens=route.input_tokens, output_tokens=1, pin=True
            )
            flight.prefill.serve(leg)

    def _decode(self, flight: Flight) -> None:
        """Send the decode leg; without a pod for it the KV's lease runs."""
        key = flight.route.key
        chosen = self.router.start_decode(key)
        if chosen is None:
            self._wait_for_a_pod(flight)
            return
        leg = Sequence(
            key=key,
            input_tokens=flight.request.input_tokens,
            output_tokens=flight.request.output_tokens,
            remote_kv=True,
            emitted_before=int(self._prefill_emits),
        )
        self._pods[chosen.name].serve(leg)

    def _wait_for_a_pod(self, flight: Flight) -> None:
        assert flight.prefilled_s is not None, "handed over before it was prefilled"
        self._undecoded[flight.route.key] = flight
        lease_end_s = max(self._clock.now_s, flight.prefilled_s + self._kv_lease_s)
        self._clock.at(lease_end_s, self._lease_over, flight)

    def _lease_over(self, flight: Flight) -> None:
        key = flight.route.key
        if key in self._undecoded:
            del self._undecoded[key]
            self._release(flight)
            self.router.ended(key)
            self.router.enqueue(flight.route)
            self._dispatch()

    def _release(self, flight: Flight) -> None:
        assert flight.prefill is not None, "nothing was prefilled"
        self.router.pulled(flight.route.key)
        flight.prefill.release(flight.route.key)

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

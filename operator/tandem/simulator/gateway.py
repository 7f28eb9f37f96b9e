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
from tandem.simulator.pod import EnginePod
from tandem.traces.request import TraceRequest


class Gateway:
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
        self.measured = Measurements(spec.slo)
        self._clock = clock
        self._slo = spec.slo
        self._profiles = {role: row.profile for role, row in spec.roles.items()}
        self._empty = {role: Engine(profile) for role, profile in self._profiles.items()}
        self._first_token = self._profiles[Role.DECODE].first_token
        self._kv_lease_s = kv_lease_s
        self._on_ended = on_ended
        self._pods: dict[str, EnginePod] = {}
        self._flights: dict[str, Flight] = {}
        self._undecoded: dict[str, Flight] = {}  # prefilled, and no decode pod to send them to

    # -- what comes from outside ------------------------------------------------------------------

    def arrive(self, key: str, request: TraceRequest) -> None:
        """A request comes in."""
        flight = Flight(request=request, route=self._route(key, request))
        self._flights[key] = flight
        self.measured.arrived(flight)
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
        legs = {Role.PREFILL: 1, Role.DECODE: request.output_tokens}
        return all(
            self._empty[role].fits(request.input_tokens, output) for role, output in legs.items()
        )

    def in_flight(self) -> Iterable[Flight]:
        """Requests that came and have not ended."""
        return self._flights.values()

    # -- what pods tell ---------------------------------------------------------------------------

    def prefilled(self, key: str) -> None:
        """A prefill leg ended: hand over to decode, and use the free pod."""
        flight = self._flights[key]
        flight.prefilled_s = self._clock.now_s
        self.router.prefilled(key)
        first_here = self._first_token is Role.PREFILL and flight.first_token_s is None
        if first_here:
            self._token(flight)
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

    def emitted(self, key: str) -> None:
        """A token came, off the beat."""
        self._token(self._flights[key])

    def paused(self, key: str) -> None:
        """A preempted request's last token came just now."""
        self._flights[key].last_token_s = self._clock.now_s

    def beat(self, seconds: float, sequences: int) -> None:
        """Tokens came on the beat."""
        self.measured.gaps.add(seconds, sequences)

    def finished(self, key: str) -> None:
        """The last token came."""
        flight = self._flights[key]
        flight.last_token_s = self._clock.now_s
        self._end(flight, Outcome.FINISHED)

    # -- inside -----------------------------------------------------------------------------------

    def _route(self, key: str, request: TraceRequest) -> RouteRequest:
        """What the router is told; how long the answer will be it can't know, only what to expect."""
        tokens, now_s = request.input_tokens, self._clock.now_s
        return RouteRequest(
            key=key,
            arrival_s=now_s,
            deadline_s=now_s + self._slo.ttft_s,
            input_tokens=tokens,
            service_s=self._profiles[Role.PREFILL].prefill_s(tokens),
            after_prefill_s=self._after_prefill_s(tokens),
            output_tokens=self.measured.expected_output_tokens,
        )

    def _after_prefill_s(self, tokens: int) -> float:
        """Transfer, and one step of a decode pod that has as much to do as they have on average."""
        if self._first_token is Role.PREFILL:
            return 0.0
        loads = self.router.loads(Role.DECODE)
        pods = max(1, len(loads))
        batch = 1 + sum(len(load.tokens) for load in loads) / pods
        context = tokens + sum(load.tokens_sum for load in loads) / pods
        profile = self._profiles[Role.DECODE]
        return profile.transfer_s(tokens) + profile.decode.step_s(batch, context)

    def _dispatch(self) -> None:
        """Send prompts while one waits, a pod is free, and some pod could decode them."""
        if not self.router.queued_requests:
            return
        if all(load.pod.draining for load in self.router.loads(Role.DECODE)):
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
            emitted_before=int(self._first_token is Role.PREFILL),
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

    def _token(self, flight: Flight) -> None:
        now_s = self._clock.now_s
        if flight.first_token_s is None:
            flight.first_token_s = now_s
        elif flight.last_token_s is not None:
            self.measured.gaps.add(now_s - flight.last_token_s, 1)
        flight.last_token_s = now_s

    def _end(self, flight: Flight, outcome: Outcome) -> None:
        key = flight.route.key
        flight.outcome, flight.ended_s = outcome, self._clock.now_s
        self.router.ended(key)
        del self._flights[key]
        self.measured.ended(flight)
        self._on_ended(flight)

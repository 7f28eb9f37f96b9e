"""Runs one scenario to its end."""

from collections import deque
from collections.abc import Callable, Iterator

from tandem.errors import InvalidInputError
from tandem.simulator.clock import Clock
from tandem.simulator.control import ControlLoop
from tandem.simulator.fleet import Fleet
from tandem.simulator.flight import Flight, Outcome
from tandem.simulator.gateway import Gateway
from tandem.simulator.observe import Observer
from tandem.simulator.result import Result
from tandem.simulator.scenario import Scenario
from tandem.traces.request import TraceRequest

_TELL_EVERY = 500  # arrivals between two calls of `progress`


def simulate(scenario: Scenario, progress: Callable[[float], None] | None = None) -> Result:
    """What the fleet would have done; `progress` is told the share of requests that have ended."""
    return Run(scenario, progress).result()


class Run:
    """One scenario under way: the clock, the gateway, the fleet, and who decides."""

    def __init__(self, scenario: Scenario, progress: Callable[[float], None] | None = None) -> None:
        self.scenario = scenario
        self.progress = progress
        self.clock = Clock()
        self.gateway = Gateway(
            self.clock, scenario.spec, scenario.order, scenario.kv_lease_s, self._ended
        )
        self.fleet = Fleet(self.clock, scenario.spec.roles, self.gateway, self.gateway.set_pods)
        self.control: ControlLoop | None = None
        self.left = len(scenario.trace.requests)
        self._refuse_what_fits_nowhere()
        self.openers, self.turns = _openers(scenario.trace.requests)
        self.arrived = 0

    def result(self) -> Result:
        """Play it to its end."""
        self.fleet.start_ready(self.scenario.replicas)
        self._start_control()
        self._next_arrival()
        end_s = self._play()
        return Result(
            scenario=self.scenario,
            flights=[*self.gateway.measured.ended_flights, *self._cut_off()],
            never_came=len(self.scenario.trace.requests) - self.arrived,
            itl_s=self.gateway.measured.gaps.summary(),
            gpu_hours=self.fleet.accelerator_hours(end_s),
            cost=self.fleet.cost(end_s),
            replicas=self.fleet.replicas(end_s),
            changes=self.control.changes if self.control else (),
        )

    def _refuse_what_fits_nowhere(self) -> None:
        """One request too long is refused by the gateway; if all are, the user meant another fleet."""
        trace = self.scenario.trace
        if any(map(self.gateway.fits, trace.requests)):
            return
        shortest = min(trace.requests, key=lambda r: r.input_tokens + r.output_tokens)
        profiles = {spec.profile.name: spec.profile for spec in self.scenario.spec.roles.values()}
        most = ", ".join(f"{p.kv.capacity_tokens} tokens of {p.name}" for p in profiles.values())
        raise InvalidInputError(
            f"trace {trace.name}, its shortest request",
            f"{shortest.input_tokens} + {shortest.output_tokens} tokens",
            f"what the KV cache of an engine holds: {most}",
        )

    def _play(self) -> float:
        """Let everything happen; returns when the run ended: with its last request, or cut off."""
        trace_end_s = self.scenario.trace.duration_s
        cut_s = trace_end_s + self.scenario.drain_s
        clock = self.clock
        while (next_s := clock.next_s()) <= cut_s and (self.left or next_s <= trace_end_s):
            clock.step()
        ended_s = clock.now_s if not self.left else cut_s
        return max(ended_s, trace_end_s)

    def _start_control(self) -> None:
        scenario = self.scenario
        if scenario.planner is None:
            return
        observer = Observer(self.clock, self.gateway, self.fleet, scenario.scrape_age_s)
        self.control = ControlLoop(
            self.clock, scenario.spec, scenario.planner, self.fleet, observer
        )
        self.control.start()

    def _next_arrival(self) -> None:
        request = next(self.openers, None)
        if request is not None:
            self.clock.at(request.arrival_s, self._open, request)

    def _open(self, request: TraceRequest) -> None:
        self._next_arrival()
        self._arrive(request)

    def _arrive(self, request: TraceRequest) -> None:
        self.arrived += 1
        if self.progress is not None and self.arrived % _TELL_EVERY == 0:
            self.progress(1.0 - self.left / len(self.scenario.trace.requests))
        self.gateway.arrive(str(self.arrived), request)

    def _ended(self, flight: Flight) -> None:
        """One less to wait for; a closed loop thinks, then calls again."""
        self.left -= 1
        turns = self.turns.get(flight.request.session)
        if turns:
            following = turns.popleft()
            self.clock.at(self.clock.now_s + following.think_s, self._arrive, following)

    def _cut_off(self) -> Iterator[Flight]:
        for flight in self.gateway.in_flight():
            flight.outcome = Outcome.UNFINISHED
            yield flight


def _openers(
    requests: tuple[TraceRequest, ...],
) -> tuple[Iterator[TraceRequest], dict[str, deque[TraceRequest]]]:
    """Requests that come at their own time, and the later turns of each closed loop."""
    openers: list[TraceRequest] = []
    turns: dict[str, deque[TraceRequest]] = {}
    for request in requests:
        if request.session and request.session in turns:
            turns[request.session].append(request)
        else:
            openers.append(request)
            if request.session:
                turns[request.session] = deque()
    return iter(openers), turns

"""Runs one scenario to its end."""

from collections.abc import Callable
from dataclasses import replace

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.simulator.arrivals import Arrivals
from tandem.simulator.clock import Clock
from tandem.simulator.control import ControlLoop, missed
from tandem.simulator.failures import Failures
from tandem.simulator.fleet import Fleet
from tandem.simulator.flight import Flight, Outcome
from tandem.simulator.gateway import Gateway
from tandem.simulator.maker import PodMaker
from tandem.simulator.observe import Observer
from tandem.simulator.pod import EnginePod
from tandem.simulator.result import Result
from tandem.simulator.scenario import Scenario
from tandem.simulator.table import RequestTable
from tandem.traces.columns import collector_at_rest

_TELL_EVERY = 1000  # events between two calls of `progress` and `stop`

Progress = Callable[[float], None]
Stop = Callable[[], bool]


def simulate(
    scenario: Scenario, progress: Progress | None = None, stop: Stop | None = None
) -> Result:
    """What the fleet would have done.

    `progress` is told the share of requests that have ended; when `stop` says so, the run ends where it
    is, and what is in flight is unfinished.
    """
    return Run(scenario, progress, stop).result()


class Run:
    """One scenario under way: the clock, the gateway, the fleet, and who decides."""

    def __init__(
        self, scenario: Scenario, progress: Progress | None = None, stop: Stop | None = None
    ) -> None:
        self.scenario = scenario
        self.clock = Clock()
        self.gateway = Gateway(self.clock, scenario, self._request_ended)
        cluster = scenario.cluster
        self.fleet = Fleet(
            self.clock,
            PodMaker(self.clock, scenario, self.gateway),
            on_change=self.gateway.set_pods,
            on_drain=self._drains,
            on_lost=self.gateway.lost,
            warm_s=cluster.warm_s,
            switch_s=scenario.spec.switch_s or 0.0,
        )
        self.failures = Failures(self.clock, self.fleet, cluster.failures)
        self.control: ControlLoop | None = None
        self.left = len(scenario.trace.requests)
        self._refuse_what_fits_nowhere()
        self.arrivals = Arrivals(self.clock, scenario.trace, self.gateway.arrive)
        self._progress = progress
        self._stop = stop

    def result(self) -> Result:
        """Play it to its end."""
        self.fleet.start_ready(self.scenario.replicas)
        self._start_encoders()
        self._start_control()
        self.arrivals.start()
        with collector_at_rest():
            end_s, cut_s = self._play()
        for flight in self.gateway.in_flight():
            self.gateway.measured.record(flight, Outcome.UNFINISHED)
        measured = self.gateway.measured
        return Result(
            scenario=self.scenario,
            table=RequestTable.of(self.scenario.trace, measured.ended),
            never_came=len(self.scenario.trace.requests) - self.arrivals.count,
            itl_s=measured.gaps.summary(),
            gpu_hours=self.fleet.ledger.accelerator_hours(end_s),
            cost=self.fleet.ledger.cost(end_s),
            replicas=self.fleet.ledger.replicas(self.fleet.desired, end_s),
            switches=self.fleet.ledger.switches,
            over_time=self.fleet.ledger.over_time,
            changes=self.control.changes if self.control else (),
            cut_s=cut_s,
        )

    def _start_encoders(self) -> None:
        """They cost from the begin to the end."""
        prefill = self.scenario.spec.roles[Role.PREFILL].profile
        each_cost = prefill.cost_per_hour / prefill.accelerators
        each = replace(prefill, accelerators=1, cost_per_hour=each_cost)
        for number in range(self.scenario.encode.pods):
            self.fleet.ledger.begin(f"encode-{number + 1}", None, each, 0.0)

    def _refuse_what_fits_nowhere(self) -> None:
        """One request too long is refused by the gateway; if all are, the user meant another fleet."""
        trace = self.scenario.trace
        if any(map(self.gateway.reception.fits, trace.requests)):
            return
        shortest = min(trace.requests, key=lambda r: r.input_tokens + r.output_tokens)
        profiles = {spec.profile.name: spec.profile for spec in self.scenario.spec.roles.values()}
        most = ", ".join(f"{p.kv.capacity_tokens} tokens of {p.name}" for p in profiles.values())
        raise InvalidInputError(
            f"trace {trace.name}, its shortest request",
            f"{shortest.input_tokens} + {shortest.output_tokens} tokens",
            f"what the KV cache of an engine holds: {most}",
        )

    def _play(self) -> tuple[float, float | None]:
        """Let everything happen: when the run ended, with its last request or cut off; and when stopped."""
        trace_end_s = self.scenario.trace.duration_s
        last_s = trace_end_s + self.scenario.drain_s
        clock, ask_at = self.clock, _TELL_EVERY
        while (next_s := clock.next_s()) <= last_s and (self.left or next_s <= trace_end_s):
            clock.step()
            if clock.events >= ask_at:
                ask_at += _TELL_EVERY
                if self._is_stopped():
                    return clock.now_s, clock.now_s
        for pod in self.fleet.pods:
            pod.settle()
        ended_s = clock.now_s if not self.left else last_s
        return max(ended_s, trace_end_s), None

    def _is_stopped(self) -> bool:
        if self._progress is not None:
            self._progress(1.0 - self.left / len(self.scenario.trace.requests))
        return self._stop is not None and self._stop()

    def _start_control(self) -> None:
        scenario = self.scenario
        if scenario.planner is None:
            return
        observer = Observer(self.clock, scenario, self.gateway, self.fleet)
        self.control = ControlLoop(
            self.clock,
            scenario.spec,
            scenario.planner,
            self.fleet,
            observer,
            missed=missed(scenario.cluster.missed_scrapes, scenario.seed),
        )
        self.control.start()

    def _drains(self, pod: EnginePod) -> None:
        """A pod was told to go and has something left."""
        if self.scenario.engines.migrate and pod.role is Role.DECODE:
            self.gateway.set_pods(self.fleet.pods)  # it takes nothing new
            self.gateway.move_away(pod)

    def _request_ended(self, flight: Flight) -> None:
        self.left -= 1
        self.arrivals.after(flight.request)

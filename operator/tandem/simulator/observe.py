"""Builds what the planner is shown from the simulated fleet, as a scrape of the real one would."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from tandem.api.role import Role
from tandem.planner.observation import Figure, LengthCounts, Missing, Observation, Reading, Traffic
from tandem.simulator.clock import Clock
from tandem.simulator.fleet import Fleet
from tandem.simulator.flight import Outcome
from tandem.simulator.gateway import Gateway
from tandem.simulator.measure import Cell, bucket
from tandem.simulator.scenario import Scenario
from tandem.simulator.table import Floats, RequestTable
from tandem.traces.columns import columns


class Observer:
    """Reads counters and gauges; remembers the last reading, because a rate is a difference."""

    def __init__(self, clock: Clock, scenario: Scenario, gateway: Gateway, fleet: Fleet) -> None:
        self._clock = clock
        self._trace = scenario.trace
        self._columns = columns(scenario.trace)
        self._slo = scenario.spec.slo
        self._gateway = gateway
        self._fleet = fleet
        self.age_s = scenario.scrape_age_s
        self._last_s = 0.0
        self._arrived = 0
        self._rows = 0
        self._decoded = 0
        self._last_busy_s: dict[str, float] = {}

    def scrape(self) -> Traffic:
        """Figures of the interval since the last scrape, marked with the age at which they are used."""
        now_s, measured = self._clock.now_s, self._gateway.measured
        arrived, ended = len(measured.arrivals_s), self._ended()
        interval_s, arrivals = now_s - self._last_s, arrived - self._arrived
        self._last_s, self._arrived = now_s, arrived
        for pod in self._fleet.pods:
            pod.settle()
        dispersion = measured.dispersion(now_s)
        too_few = Missing("too few arrivals yet")
        transfer_s = measured.transfer_s()
        decoded, self._decoded = self._decoded, measured.decoded_tokens
        met_ttft, met_tpot = ended.met_ttft(self._slo), ended.met_tpot(self._slo)
        return Traffic(
            interval_s=interval_s,
            arrivals=self._figure(arrivals),
            dispersion=too_few if dispersion is None else self._figure(dispersion),
            lengths=LengthCounts.of(_lengths(ended)),
            prompts=LengthCounts.of(measured.prompts()),
            finished=self._figure(len(ended.positions)),
            met_ttft=self._figure(met_ttft.sum()),
            met_tpot=self._figure(met_tpot.sum()),
            met_both=self._figure((met_ttft & met_tpot).sum()),
            ttft_s=self._over_finished(ended, ended.ttft_s),
            tpot_s=self._over_finished(ended, ended.tpot_s),
            output_tokens=self._figure(self._decoded - decoded),
            transfer_s=Missing("no KV came in the interval")
            if transfer_s is None
            else self._figure(transfer_s),
            queued_requests=self._figure(self._gateway.router.queued_requests),
            queued_tokens=self._figure(self._gateway.router.queued_tokens),
            running=self._mean({p.name: p.engine.running for p in self._fleet.pods}),
            kv_usage=self._mean({p.name: p.engine.kv_usage for p in self._fleet.pods}),
            utilisation=self._utilisation(interval_s),
            in_flight={pod.name: float(pod.engine.unfinished) for pod in self._fleet.pods},
        )

    def observation(self, traffic: Traffic) -> Observation:
        """One tick: pods as they are now, traffic as it was scraped."""
        pods = {role: self._fleet.counts(role) for role in self._fleet.desired}
        return Observation(now_s=self._clock.now_s, pods=pods, traffic=traffic)

    def _ended(self) -> RequestTable:
        """Requests that ended since the last scrape."""
        recorder = self._gateway.measured.ended
        rows, self._rows = self._rows, recorder.count
        return RequestTable.of(self._trace, recorder, rows, self._columns)

    def _figure(self, value: float) -> Figure:
        return Figure(float(value), age_s=self.age_s)

    def _over_finished(self, ended: RequestTable, seconds: Floats) -> Reading:
        """Mean over what finished, but for what has no such time (a gap, where the answer is one token)."""
        known = seconds[ended.is_outcome(Outcome.FINISHED) & ~np.isnan(seconds)]
        return (
            self._figure(known.mean())
            if known.size
            else Missing("no request ended in the interval that tells it")
        )

    def _mean(self, by_pod: Mapping[str, float]) -> dict[Role, Reading]:
        """Mean over the ready pods of each role."""
        means: dict[Role, Reading] = {}
        for role in self._fleet.desired:
            values = [by_pod[pod.name] for pod in self._fleet.ready(role)]
            none = Missing(f"no {role} pod is ready")
            means[role] = self._figure(sum(values) / len(values)) if values else none
        return means

    def _utilisation(self, interval_s: float) -> dict[Role, Reading]:
        """Prefill: share of time with a prompt in hand. Decode: share of the batch cap in use."""
        busy_s = {pod.name: pod.busy_s() for pod in self._fleet.pods}
        last, self._last_busy_s = self._last_busy_s, busy_s
        prefill = {name: (s - last.get(name, 0.0)) / interval_s for name, s in busy_s.items()}
        decode = {p.name: p.engine.running / p.profile.batch_cap for p in self._fleet.pods}
        return {
            Role.PREFILL: self._mean(prefill)[Role.PREFILL],
            Role.DECODE: self._mean(decode)[Role.DECODE],
        }


def _lengths(ended: RequestTable) -> Mapping[Cell, int]:
    """Finished requests by length."""
    done = ended.is_outcome(Outcome.FINISHED)
    columns = (ended.input_tokens, ended.cached_tokens, ended.output_tokens)
    rows = zip(*(column[done].tolist() for column in columns), strict=True)
    return Counter(map(bucket, rows))

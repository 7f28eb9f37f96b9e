"""Builds what the planner is shown from the simulated fleet, as a scrape of the real one would."""

from collections.abc import Mapping

from tandem.api.role import Role
from tandem.planner.observation import Figure, LengthCounts, Missing, Observation, Reading, Traffic
from tandem.simulator.clock import Clock
from tandem.simulator.fleet import Fleet
from tandem.simulator.gateway import Gateway
from tandem.simulator.measure import Counts, cells


class Observer:
    """Reads counters and gauges; remembers the last reading, because a rate is a difference."""

    def __init__(self, clock: Clock, gateway: Gateway, fleet: Fleet, age_s: float) -> None:
        self._clock = clock
        self._gateway = gateway
        self._fleet = fleet
        self.age_s = age_s
        self._last_s = 0.0
        self._last = Counts()
        self._last_busy_s: dict[str, float] = {}

    def scrape(self) -> Traffic:
        """Figures of the interval since the last scrape, marked with the age at which they are used."""
        now_s, measured = self._clock.now_s, self._gateway.measured
        counts, last = measured.counts.copy(), self._last
        interval_s, self._last_s, self._last = now_s - self._last_s, now_s, counts
        dispersion = measured.dispersion(now_s)
        too_few = Missing("too few arrivals yet")
        return Traffic(
            interval_s=interval_s,
            arrivals=self._figure(counts.arrivals - last.arrivals),
            dispersion=too_few if dispersion is None else self._figure(dispersion),
            lengths=LengthCounts(cells=cells(counts.lengths, last.lengths)),
            finished=self._figure(counts.finished - last.finished),
            met_ttft=self._figure(counts.met_ttft - last.met_ttft),
            met_tpot=self._figure(counts.met_tpot - last.met_tpot),
            met_both=self._figure(counts.met_both - last.met_both),
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

    def _figure(self, value: float) -> Figure:
        return Figure(float(value), age_s=self.age_s)

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

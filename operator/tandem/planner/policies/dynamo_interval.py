"""What Dynamo's planner reads at the end of an interval: sums over looks, and their means."""

from dataclasses import dataclass, replace

from tandem.planner.cells import Cells
from tandem.planner.observation import Missing, Observation, Traffic
from tandem.planner.readings import (
    MOST_INTERVAL_S,
    MOST_RATE_RPS,
    MOST_REQUESTS,
    known,
    usable,
)
from tandem.planner.sketch import believed
from tandem.planner.spec import FleetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Sums since `since_s`; `timed` requests have `ttft_s` and `tpot_s` in sum."""

    since_s: float
    arrivals: float = 0.0
    ended: float = 0.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    timed: float = 0.0
    ttft_s: float = 0.0
    tpot_s: float = 0.0

    @property
    def isl(self) -> float:
        """Mean input tokens of what ended."""
        return self.input_tokens / self.ended

    @property
    def osl(self) -> float:
        """Mean output tokens of what ended."""
        return self.output_tokens / self.ended

    def after(self, observation: Observation, spec: FleetSpec) -> "Interval":
        """With one more look; what can't be believed adds nothing."""
        stale_s = spec.behavior.stale_after_s
        counted = _with_arrivals(self, observation.traffic, stale_s)
        return _with_latencies(
            _with_lengths(counted, observation.traffic), observation.traffic, stale_s
        )


def _with_arrivals(interval: Interval, traffic: Traffic, stale_s: float) -> Interval:
    most = MOST_RATE_RPS * MOST_INTERVAL_S
    arrivals = known(traffic.arrivals, most, stale_s, otherwise=0.0)
    return replace(interval, arrivals=interval.arrivals + arrivals)


def _with_lengths(interval: Interval, traffic: Traffic) -> Interval:
    cells = Cells(believed(traffic.lengths))
    inputs, _, outputs = cells.tokens()
    return replace(
        interval,
        ended=interval.ended + cells.requests,
        input_tokens=interval.input_tokens + inputs,
        output_tokens=interval.output_tokens + outputs,
    )


def _with_latencies(interval: Interval, traffic: Traffic, stale_s: float) -> Interval:
    finished = known(traffic.finished, MOST_REQUESTS, stale_s, otherwise=0.0)
    ttft_s = usable(traffic.ttft_s, MOST_INTERVAL_S, stale_s)
    tpot_s = usable(traffic.tpot_s, MOST_INTERVAL_S, stale_s)
    if isinstance(ttft_s, Missing) or isinstance(tpot_s, Missing):
        return interval
    return replace(
        interval,
        timed=interval.timed + finished,
        ttft_s=interval.ttft_s + finished * ttft_s,
        tpot_s=interval.tpot_s + finished * tpot_s,
    )

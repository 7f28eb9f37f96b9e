"""What the simulated gateway counts, as the real one exports it, and what it keeps for the report."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from statistics import fmean, pvariance

from tandem.planner.lengths import representative
from tandem.planner.spec import Slo
from tandem.simulator.flight import Flight, Outcome
from tandem.simulator.summaries import Gaps

# As tandem.gateway counts and expects (its `arrivals` and `tokens`, which a simulator may not import).
_WINDOW_S = 120
_LEAST_COUNTS = 10
_FIRST_OUTPUT_TOKENS = 256.0
_MEMORY = 0.95


@dataclass(slots=True)
class Counts:
    """Counters that only grow; an interval is the difference of two copies."""

    arrivals: int = 0
    finished: int = 0
    met_ttft: int = 0
    met_tpot: int = 0
    met_both: int = 0
    lengths: Counter[tuple[int, int, int]] = field(default_factory=Counter)

    def copy(self) -> "Counts":
        """The counters as they stand."""
        return Counts(
            arrivals=self.arrivals,
            finished=self.finished,
            met_ttft=self.met_ttft,
            met_tpot=self.met_tpot,
            met_both=self.met_both,
            lengths=self.lengths.copy(),
        )


@dataclass(slots=True)
class Measurements:
    """All that one run measures of its requests."""

    slo: Slo
    counts: Counts = field(default_factory=Counts)
    gaps: Gaps = field(default_factory=Gaps)
    ended_flights: list[Flight] = field(default_factory=list)
    _mean_output_tokens: float | None = None
    _per_second: Counter[int] = field(default_factory=Counter)

    @property
    def expected_output_tokens(self) -> int:
        """How long the next answer will be, as far as the last ones tell."""
        return ceil(self._mean_output_tokens or _FIRST_OUTPUT_TOKENS)

    def arrived(self, flight: Flight) -> None:
        """A request came in."""
        self.counts.arrivals += 1
        self._per_second[int(flight.arrival_s)] += 1

    def ended(self, flight: Flight) -> None:
        """A request ended, whatever became of it."""
        counts = self.counts
        ttft, tpot = flight.met_ttft(self.slo), flight.met_tpot(self.slo)
        counts.finished += 1
        counts.met_ttft += ttft
        counts.met_tpot += tpot
        counts.met_both += ttft and tpot
        self.ended_flights.append(flight)
        if flight.outcome is Outcome.FINISHED:
            tokens = flight.request.input_tokens, flight.request.output_tokens
            counts.lengths[(representative(tokens[0]), 0, representative(tokens[1]))] += 1
            mean = self._mean_output_tokens or float(tokens[1])
            self._mean_output_tokens = mean * _MEMORY + tokens[1] * (1 - _MEMORY)

    def dispersion(self, now_s: float) -> float | None:
        """Variance over mean of arrivals per whole second; None while too few are known."""
        seconds = range(max(0, int(now_s) - _WINDOW_S), int(now_s))
        counts = [self._per_second[second] for second in seconds]
        if len(counts) < _LEAST_COUNTS or not any(counts):
            return None
        mean = fmean(counts)
        return pvariance(counts, mean) / mean


def cells(
    now: Mapping[tuple[int, int, int], int], before: Mapping[tuple[int, int, int], int]
) -> tuple[tuple[int, int, int, float], ...]:
    """Length cells that grew between two copies of the counters, with by how much."""
    grown = ((cell, count - before.get(cell, 0)) for cell, count in now.items())
    return tuple((*cell, float(more)) for cell, more in sorted(grown) if more)

"""What the simulated gateway counts, as the real one exports it, and what it keeps for the report."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tandem.planner.lengths import representative
from tandem.planner.spec import Slo
from tandem.simulator.flight import Flight, Outcome
from tandem.simulator.summaries import Gaps

DISPERSION_WINDOW_S = 300  # the gateway's gauge: counts of 1 s over the last minutes
_ENOUGH_S = 30  # of a variance of 1 s counts


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
    _output_tokens: int = 0
    _answers: int = 0
    _per_second: Counter[int] = field(default_factory=Counter)

    @property
    def mean_output_tokens(self) -> float:
        """Mean length of the answers so far; 0 before the first."""
        return self._output_tokens / self._answers if self._answers else 0.0

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
            self._output_tokens += tokens[1]
            self._answers += 1

    def dispersion(self, now_s: float) -> float | None:
        """Variance over mean of arrivals per whole second; None while too few are known."""
        seconds = range(max(0, int(now_s) - DISPERSION_WINDOW_S), int(now_s))
        counts = [self._per_second[second] for second in seconds]
        total = sum(counts)
        if len(counts) < _ENOUGH_S or not total:
            return None
        mean = total / len(counts)
        return sum((count - mean) ** 2 for count in counts) / (len(counts) - 1) / mean


def cells(
    now: Mapping[tuple[int, int, int], int], before: Mapping[tuple[int, int, int], int]
) -> tuple[tuple[int, int, int, float], ...]:
    """Length cells that grew between two copies of the counters, with by how much."""
    grown = ((cell, count - before.get(cell, 0)) for cell, count in now.items())
    return tuple((*cell, float(more)) for cell, more in sorted(grown) if more)

"""What the simulated gateway counts, as the real one exports it, and what it keeps for the report."""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from math import ceil
from typing import Final

import numpy as np

from tandem.planner.lengths import representative
from tandem.simulator.flight import Flight, Outcome
from tandem.simulator.recorder import OUTCOMES, Recorder
from tandem.simulator.summaries import Gaps

# As tandem.gateway counts and expects (its `arrivals` and `tokens`, which a simulator may not import).
_WINDOW_S = 120
_LEAST_COUNTS = 10
_FIRST_OUTPUT_TOKENS: Final = 256.0
_MEMORY: Final = 0.95
_MOST_NEW: Final = 10_000  # numbers that wait
_FINISHED: Final = OUTCOMES.index(Outcome.FINISHED)

Cell = tuple[int, int, int]  # input, cached and output tokens


class Measurements:
    """All that one run measures of its requests."""

    def __init__(self) -> None:
        self.gaps = Gaps()
        self.first_tokens = 0  # that decode pods emitted
        self.ended = Recorder()
        self.arrivals_s = array("d")
        self._pulls, self._pulls_s = 0, 0.0  # since the last scrape
        self._prompts: Counter[Cell] = Counter()  # prefilled since the last scrape
        self._new: list[int] = []  # input and cached tokens of those that are not counted yet
        self._mean_output_tokens = 0.0  # 0 before the first answer

    @property
    def expected_output_tokens(self) -> int:
        """How long the next answer will be, as far as the last ones tell."""
        return ceil(self._mean_output_tokens or _FIRST_OUTPUT_TOKENS)

    @property
    def decoded_tokens(self) -> int:
        """Tokens that decode pods emitted so far: each but a request's first ends a gap."""
        return self.first_tokens + self.gaps.count

    def arrived(self, arrival_s: float) -> None:
        """A request came in."""
        self.arrivals_s.append(arrival_s)

    def prefilled(self, flight: Flight) -> None:
        """A prompt is there."""
        new = self._new
        new.append(flight.route.input_tokens)
        new.append(flight.cached_tokens)
        if len(new) >= _MOST_NEW:
            self._count()

    def pulled(self, seconds: float) -> None:
        """KV came to a decode pod within such a time."""
        self._pulls += 1
        self._pulls_s += seconds

    def transfer_s(self) -> float | None:
        """Mean of what KV took to come since this was asked last; None where none did."""
        mean_s = self._pulls_s / self._pulls if self._pulls else None
        self._pulls, self._pulls_s = 0, 0.0
        return mean_s

    def prompts(self) -> Mapping[Cell, int]:
        """Prompts that were prefilled since this was asked last, by length bucket; outputs, not known yet, are 1."""
        self._count()
        prompts, self._prompts = self._prompts, Counter()
        return prompts

    def _count(self) -> None:
        """Put what is new into buckets: many at once, for it takes longer than to note it."""
        new, self._new = self._new, []
        for (inputs, cached), count in Counter(zip(new[::2], new[1::2], strict=True)).items():
            self._prompts[bucket((inputs, cached, 1))] += count

    def record(self, flight: Flight, outcome: Outcome) -> None:
        """A request ended, whatever became of it."""
        code = OUTCOMES.index(outcome)
        self.ended.add(flight, code)
        if code == _FINISHED:
            tokens = float(flight.output_tokens)
            mean = self._mean_output_tokens or tokens
            self._mean_output_tokens = mean * _MEMORY + tokens * (1 - _MEMORY)

    def dispersion(self, now_s: float) -> float | None:
        """Variance over mean of arrivals per whole second; None while too few are known."""
        first = max(0, int(now_s) - _WINDOW_S)
        seconds = int(now_s) - first
        whole = slice(*(bisect_left(self.arrivals_s, t_s) for t_s in (first, first + seconds)))
        at = np.array(self.arrivals_s[whole]).astype(np.int64) - first
        if seconds < _LEAST_COUNTS or not at.size:
            return None
        counts = np.bincount(at, minlength=seconds)
        return float(counts.var() / counts.mean())


def bucket(lengths: Cell) -> Cell:
    """The lengths that stand for these."""
    inputs, cached, outputs = map(representative, lengths)
    return inputs, cached, outputs

"""The best fixed fleet in hindsight: the fewest pods that meet the target, found with few simulations.

More pods of a role never lower attainment by more than chance, so the pairs that meet the target have a
staircase as their border. From the planner's own sizing: grow both roles until it is met, take prefill
down as far as that holds, then decode, then trade some of one for fewer of the other around that corner.
A pair below one that failed is not tried.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from math import ceil

from tandem.simulator.league.job import Case, Task, fixed
from tandem.simulator.league.play import Done, Played

Pair = tuple[int, int]
_GROWTH = 1.3  # a step upward: a fleet of 10 reaches 17 in two
_TRADES = 3  # pods of one role offered for one fewer in all, either way
EXPECTED_RUNS = 16

_Search = Generator[Sequence[Task], Sequence[Done], None]


@dataclass(slots=True)
class StaticBest:
    """One case, and what is known of its pairs (`found`: pair -> attainment)."""

    case: Case
    order: str
    guess: Pair
    found: dict[Pair, float] = field(default_factory=dict)

    def search(self) -> _Search:
        """Play pairs until no cheaper one can be expected."""
        pair = yield from self._enough(self._bounded(self.guess))
        if pair is None:
            return
        for role in (0, 1):
            pair = yield from self._least(pair, role)
        while (better := (yield from self._traded(pair))) is not None:
            pair = better

    def best(self) -> Pair | None:
        """The cheapest pair that met the target, of equals the best attaining; None where none did."""
        met = [pair for pair in self.found if self._met(pair)]
        return min(met, key=lambda pair: (sum(pair), -self.found[pair]), default=None)

    def _enough(self, pair: Pair) -> Generator[Sequence[Task], Sequence[Done], Pair | None]:
        while True:
            yield from self._play((pair,))
            if self._met(pair):
                return pair
            grown = self._bounded((ceil(pair[0] * _GROWTH), ceil(pair[1] * _GROWTH)))
            if grown == pair:
                return None
            pair = grown

    def _least(self, pair: Pair, role: int) -> Generator[Sequence[Task], Sequence[Done], Pair]:
        """The pair with as few of a role as the target allows: galloping down, then halving."""
        low, stride = self.case.conditions.least - 1, 1
        while pair[role] - 1 > low:
            count = max(pair[role] - stride, low + 1) if stride else (pair[role] + low) // 2
            less = (count, pair[1]) if role == 0 else (pair[0], count)
            yield from self._play((less,))
            if self._met(less):
                pair, stride = less, stride * 2
            else:
                low, stride = count, 0
        return pair

    def _traded(self, pair: Pair) -> Generator[Sequence[Task], Sequence[Done], Pair | None]:
        """A pair of one pod less in all around this corner; None where none meets the target."""
        for more in range(1, _TRADES + 1):
            offers = [(pair[0] + more, pair[1] - more - 1), (pair[0] - more - 1, pair[1] + more)]
            offers = [offer for offer in offers if self._hopeful(offer)]
            yield from self._play(offers)
            met = [offer for offer in offers if self._met(offer)]
            if met:
                return met[0]
        return None

    def _hopeful(self, pair: Pair) -> bool:
        failed = (other for other in self.found if not self._met(other))
        beaten = any(pair[0] <= p and pair[1] <= d for p, d in failed)
        return pair == self._bounded(pair) and not beaten

    def _play(self, pairs: Sequence[Pair]) -> _Search:
        if pairs:
            results = yield [fixed(self.case, *pair, self.order) for pair in pairs]
            for pair, result in zip(pairs, results, strict=True):
                assert isinstance(result, Played), "a run was asked for"
                self.found[pair] = result.attainment

    def _met(self, pair: Pair) -> bool:
        return self.found[pair] >= self.case.conditions.attainment

    def _bounded(self, pair: Pair) -> Pair:
        bounds = self.case.conditions
        prefill, decode = (min(max(count, bounds.least), bounds.most) for count in pair)
        return prefill, decode

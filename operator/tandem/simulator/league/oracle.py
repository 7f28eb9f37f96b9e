"""The oracle: a schedule of pods made by who knows arrivals and lengths, with the best queue order.

It starts pods ahead of need, and its fleet is Ready at the start. How it is found, within a number of
simulations (`effort`):

1. The best fixed pair in hindsight is played with every queue order; the best attaining order is kept.
2. Openings: that pair; the replicas that each policy's cheapest run asked for, replayed; and fluid
   schedules (`steps.fluid`) whose head-room is halved towards the target.
3. Refinement: over windows of time, a pod fewer of a role, and a pod more where misses are, each played
   alone. Of these moves the set is taken whose GPU-hours and misses, if they added up, would cost least
   within the misses that the target leaves (Lagrange's price per miss); it is played whole and in
   parts, and the best that holds is the base of the next round, with finer windows.

An upper bound of the true optimum, and no more: "what a clairvoyant planner was shown to reach". Its
figure is the least over every run of the case, policies' own ones too (`judge`), so that none is below.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import floor

from tandem.api.policy_names import QUEUE_ORDERS
from tandem.simulator.league import steps as step
from tandem.simulator.league.job import Case, Steps, Task, scheduled
from tandem.simulator.league.play import MINUTE_S, Done, Played, Surveyed

HEADROOMS = (0.5, 1.0, 2.0, 4.0)  # square roots of the need
HALVINGS = 3
FIRST_WINDOWS = 6
MOST_WINDOWS = 96
REPLAYED = 3  # policies' schedules
ADDED = 2  # windows of most misses in which a pod more is tried
PARTS = (1.0, 0.6, 0.3)  # of the chosen moves

_Search = Generator[Sequence[Task], Sequence[Done], None]


@dataclass(frozen=True, slots=True)
class Move:
    """One change of a schedule: by how much of which role, over [begin, end)."""

    role: int
    begin_s: float
    end_s: float
    by: int


@dataclass(frozen=True, slots=True)
class Tried:
    """What a move brought when it was played alone, against the base."""

    move: Move
    misses: int
    gpu_hours: float


@dataclass(slots=True)
class Oracle:
    """One case under search; `found` are the schedules that were played."""

    case: Case
    seen: Surveyed
    fixed: tuple[int, int]
    others: Sequence[Steps]
    effort: int
    order: str = QUEUE_ORDERS[0]
    found: dict[Steps, Played] = field(default_factory=dict)

    def search(self) -> _Search:
        """Openings, then refinement until the effort is used up or nothing more is gained."""
        pair: Steps = ((0.0, *self.fixed),)
        yield from self._choose_order(pair)
        openings = [self._fluid(headroom) for headroom in HEADROOMS]
        yield from self._play([*self.others[:REPLAYED], *openings])
        yield from self._halve()
        yield from self._refine()

    def best(self) -> Steps:
        """The cheapest schedule that meets the target, else the best attaining."""
        met = [steps for steps, run in self.found.items() if self._meets(run)]
        if met:
            return min(met, key=lambda steps: self.found[steps].gpu_hours)
        return max(self.found, key=lambda steps: self.found[steps].attainment)

    def _choose_order(self, pair: Steps) -> _Search:
        orders = QUEUE_ORDERS[: self.effort]
        self.effort -= len(orders)
        results = yield [scheduled(self.case, pair, order) for order in orders]
        for order, run in zip(orders, results, strict=True):
            assert isinstance(run, Played), "a run was asked for"
            best = self.found.get(pair)
            if best is None or run.attainment > best.attainment:
                self.order, self.found[pair] = order, run

    def _halve(self) -> _Search:
        """Bring the fluid schedules' head-room towards the target."""
        low, high = 0.0, HEADROOMS[-1]
        for headroom in HEADROOMS:
            if self._fluid_meets(headroom):
                high = headroom
                break
            low = headroom
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            yield from self._play([self._fluid(middle)])
            low, high = (low, middle) if self._fluid_meets(middle) else (middle, high)

    def _refine(self) -> _Search:
        windows, offset = FIRST_WINDOWS, 0.0
        while windows <= MOST_WINDOWS and self.effort > len(PARTS):
            base = self.best()
            moves = list(self._moves(base, windows, offset))[: self.effort - len(PARTS)]
            yield from self._play([_moved(base, [move], self.case) for move in moves])
            tried = [self._tried(base, move) for move in moves]
            chosen = choose([each for each in tried if each is not None], self._slack(base))
            parts = (
                [chosen[: max(1, round(len(chosen) * part))] for part in PARTS] if chosen else []
            )
            yield from self._play([_moved(base, part, self.case) for part in parts])
            if self.best() == base:
                windows *= 2
            offset = 0.5 - offset

    def _moves(self, base: Steps, windows: int, offset: float) -> Iterator[Move]:
        """A pod fewer in every window, and a pod more in those where most is missed."""
        duration_s = max(self.seen.duration_s, 1.0)
        width_s = duration_s / windows
        begins = [(index - offset) * width_s for index in range(windows + bool(offset))]
        spans = [(max(begin, 0.0), min(begin + width_s, duration_s)) for begin in begins]
        worst = sorted(spans, key=lambda span: -_missed(self.found[base], *span))[:ADDED]
        added = [*product((0, 1), worst, (1,))]
        for role, (begin_s, end_s), by in [*added, *product((0, 1), spans, (-1,))]:
            move = Move(role, begin_s, end_s, by)
            if _moved(base, [move], self.case) != base:
                yield move

    def _tried(self, base: Steps, move: Move) -> Tried | None:
        run = self.found.get(_moved(base, [move], self.case))
        if run is None:
            return None
        own = self.found[base]
        misses = _misses(run) - _misses(own)
        return Tried(move, misses, run.gpu_hours - own.gpu_hours)

    def _play(self, wanted: Sequence[Steps]) -> _Search:
        fresh = list(dict.fromkeys(steps for steps in wanted if steps not in self.found))
        fresh = fresh[: max(self.effort, 0)]
        self.effort -= len(fresh)
        if fresh:
            results = yield [scheduled(self.case, steps, self.order) for steps in fresh]
            for steps, result in zip(fresh, results, strict=True):
                assert isinstance(result, Played), "a run was asked for"
                self.found[steps] = result

    def _fluid(self, headroom: float) -> Steps:
        needs = (self.seen.prefill_pods, self.seen.decode_pods)
        headrooms = (headroom, headroom)
        return step.fluid(needs, self.seen.bin_s, headrooms, self.case.conditions)

    def _fluid_meets(self, headroom: float) -> bool:
        run = self.found.get(self._fluid(headroom))
        return run is not None and self._meets(run)

    def _meets(self, run: Played) -> bool:
        return run.attainment >= self.case.conditions.attainment

    def _slack(self, base: Steps) -> int:
        """Misses that the target still leaves; below 0 where it is not met."""
        run = self.found[base]
        return floor((1 - self.case.conditions.attainment) * run.arrivals + 1e-9) - _misses(run)


def choose(tried: Sequence[Tried], slack: int) -> list[Move]:
    """The moves that would cost the fewest GPU-hours within the slack of misses, if moves added up.

    At a price per miss every move that pays is taken, one per role and moment; of all prices at which
    a move begins to pay the one counts whose misses fit and whose GPU-hours are least. Best first.
    """
    prices = {0.0, *(-each.gpu_hours / each.misses for each in tried if each.misses)}
    offers = [_paying(tried, price * (1 + 1e-9)) for price in sorted(prices) if price >= 0]
    fitting = [taken for taken in offers if sum(each.misses for each in taken) <= slack]
    best = min(fitting, key=lambda taken: sum(each.gpu_hours for each in taken), default=[])
    return [each.move for each in best]


def _paying(tried: Sequence[Tried], price: float) -> list[Tried]:
    worth = sorted(tried, key=lambda each: each.gpu_hours + price * each.misses)
    kept: dict[tuple[int, float], Tried] = {}
    for each in worth:
        if each.gpu_hours + price * each.misses < 0:
            kept.setdefault((each.move.role, each.move.begin_s), each)
    return list(kept.values())


def _moved(base: Steps, moves: Sequence[Move], case: Case) -> Steps:
    bounds = (case.conditions.least, case.conditions.most)
    for move in moves:
        span_s = (move.begin_s, move.end_s)
        base = step.changed(base, move.role, span_s, move.by, bounds)
    return base


def _misses(run: Played) -> int:
    return round((1 - run.attainment) * run.arrivals)


def _missed(run: Played, begin_s: float, end_s: float) -> int:
    """Misses among those that came in a span."""
    first, last = int(begin_s // MINUTE_S), int(end_s // MINUTE_S)
    return sum(sum(counts[first : last + 1]) for counts in run.misses.values())

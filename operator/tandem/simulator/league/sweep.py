"""The sweep of a policy's one parameter: values it names, then halving where the target lies between.

All seeds of a value are played together. The outermost values are played only where the target lies on
their side of the others: what is leaner than a value that misses, or costs more than one that meets, says
nothing of the GPU-hours at the target. Where no value reaches the target, or all do, the end of the
parameter's range on that side is tried once; where two neighbours lie around it, the middle between them,
until their GPU-hours are within a hundredth or the halvings are used up.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from tandem.simulator.league.job import Job, Task
from tandem.simulator.league.play import Done, Played

_CLOSE = 0.01  # of GPU-hours: nearer values would differ by less than seeds do
_DIGITS = 4  # of a halved value: enough to tell them apart, and people can type them


@dataclass(slots=True)
class Sweep:
    """What is swept, and how it went so far (`found`: value -> attainment, GPU-hours over the seeds).

    `jobs` gives a value's runs, one a seed; None is the policy's default, whose value is `default` where
    it has one. `values` go from lean to generous.
    """

    jobs: Callable[[float | None], Sequence[Job]]
    values: tuple[float, ...]
    bounds: tuple[float, float]
    target: float
    halvings: int
    default: float | None = None
    found: dict[float, tuple[float, float]] = field(default_factory=dict)

    @property
    def most(self) -> int:
        """Runs that it asks for at most."""
        return (1 + len(self.values) + self._halvings) * len(self.jobs(None))

    def search(self) -> Generator[Sequence[Task], Sequence[Done], None]:
        """The default and the inner values at once, the ends where they matter, then halvings."""
        yield from self._play((None, *self.values[1:-1]))
        yield from self._play(self._ends())
        for _ in range(self._halvings):
            value = self._next()
            if value is None or value in self.found:
                return
            yield from self._play((value,))

    @property
    def _halvings(self) -> int:
        return self.halvings if self.values else 0

    def _play(
        self, values: Sequence[float | None]
    ) -> Generator[Sequence[Task], Sequence[Done], None]:
        asked = [(value, job) for value in values for job in self.jobs(value)]
        results = (yield [job for _, job in asked]) if asked else ()
        runs = [
            (value, result)
            for (value, _), result in zip(asked, results, strict=True)
            if isinstance(result, Played)
        ]
        for value in values:
            meant = self.default if value is None else value
            if meant is not None and self.values:
                own = [result for of, result in runs if of == value]
                means = (sum(getattr(r, name) for r in own) / len(own) for name in _MEANT)
                attainment, gpu_hours = means
                self.found[meant] = (attainment, gpu_hours)

    def _ends(self) -> tuple[float, ...]:
        """The lean end where all meet the target, the generous one where none does; both before any."""
        met = {attainment >= self.target for attainment, _ in self.found.values()}
        lean = self.values[:1] if False not in met else ()
        generous = self.values[-1:] if True not in met else ()
        return tuple(end for end in (*lean, *generous) if end not in self.found)

    def _next(self) -> float | None:
        """The value to try next; None where no more would tell more."""
        values = sorted(self.found)
        met = [value for value in values if self.found[value][0] >= self.target]
        if not met:
            return self._outward(max(values, key=lambda value: self.found[value][0]), values)
        cheapest = min(met, key=lambda value: self.found[value][1])
        if len(met) == len(values):
            return self._outward(cheapest, values)
        index = values.index(cheapest)
        beside = [v for v in values[max(index - 1, 0) : index + 2] if v not in met]
        if not beside:
            return None
        other = min(beside, key=lambda value: self.found[value][1])
        spread = abs(self.found[cheapest][1] - self.found[other][1])
        if spread <= _CLOSE * self.found[cheapest][1]:
            return None
        return _rounded((cheapest + other) / 2)

    def _outward(self, best: float, values: Sequence[float]) -> float | None:
        """The end of the range beyond an outermost value; None from within."""
        if best == values[-1]:
            return self.bounds[1]
        return self.bounds[0] if best == values[0] else None


_MEANT = ("attainment", "gpu_hours")


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")

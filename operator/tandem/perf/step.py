"""What one begin of an engine works on, and what came of it."""

from math import sqrt

from tandem.perf.sequence import Sequence

Chunk = tuple[Sequence, int, int]  # tokens from, to


class Step:
    """Iterations that were begun: how long they take and what they work on.

    One iteration, or a run of them in which a constant batch decodes and nothing else happens:
    iteration i, from 0, takes `first_s + i * slope_s`.
    """

    def __init__(
        self,
        decoding: int,
        chunks: tuple[Chunk, ...],
        first_s: float,
        slope_s: float = 0.0,
        iterations: int = 1,
    ) -> None:
        self.decoding = decoding
        self.chunks = chunks
        self.first_s = first_s
        self.slope_s = slope_s
        self.iterations = iterations

    @property
    def seconds(self) -> float:
        """Of all its iterations."""
        return self.lasts_s(self.iterations)

    def lasts_s(self, iterations: int) -> float:
        """Seconds of the first so many iterations."""
        return iterations * self.first_s + self.slope_s * (iterations * (iterations - 1) / 2)

    def passed(self, seconds: float) -> int:
        """Whole iterations in the first so many seconds, the last one never among them."""
        if self.iterations == 1:
            return 0
        base_s = self.first_s - self.slope_s / 2
        root_s = sqrt(max(0.0, base_s * base_s + 2 * self.slope_s * seconds))
        count = min(int(2 * seconds / (base_s + root_s)), self.iterations - 1)
        while count and self.lasts_s(count) > seconds:
            count -= 1
        while count < self.iterations - 1 and self.lasts_s(count + 1) <= seconds:
            count += 1
        return count


class Outcome:
    """What one iteration did.

    Attributes:
        prefilled: prompts now whole, those computed anew after a preemption too; the step emitted
            their next token.
        finished: sequences that emitted their last token, pinned ones too.

    """

    def __init__(self, prefilled: list[Sequence], finished: list[Sequence]) -> None:
        self.prefilled = prefilled
        self.finished = finished

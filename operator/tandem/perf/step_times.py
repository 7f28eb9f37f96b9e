"""What an engine asks for when it wants to know how long its work takes.

`EngineProfile` answers with its three-term form, `tandem.perf.table` by interpolation of a table. An
engine takes either, so that a planner which fits three terms is not judged against its own formula.
"""

from collections.abc import Sequence
from typing import Protocol


class StepTimes(Protocol):
    """Seconds of an engine's iterations: pure, of its arguments alone."""

    def step_s(
        self, chunks: Sequence[tuple[int, int]], decoding: int, context_tokens: int
    ) -> float:
        """Seconds of one iteration.

        It computes `chunks` of prompts, each (tokens from, to), and one token of each of `decoding`
        sequences, which attend to `context_tokens` in sum.
        """
        ...

    def decode_run(self, decoding: int, context_tokens: int, most: int) -> tuple[int, float, float]:
        """(iterations, first_s, slope_s) of the next iterations of a constant decode batch.

        Iteration i, from 0, of the `iterations` (1 to `most`) takes `first_s + i * slope_s`, which is
        `step_s((), decoding, context_tokens + i * decoding)` up to rounding: each iteration makes the
        context longer by a token a sequence.
        """
        ...

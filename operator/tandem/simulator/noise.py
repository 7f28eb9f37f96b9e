"""Step times that are not quite the same on every pod and for every prompt."""

from collections.abc import Sequence
from random import Random

from tandem.perf.step_times import StepTimes
from tandem.simulator.starts import lognormal


class NoisyTimes:
    """Times of one pod: a factor of its own, and one for each step that computes prompts.

    Decode iterations have the pod's factor alone, so that a run of them stays linear.
    """

    def __init__(
        self, times: StepTimes, pod_spread: float, prompt_spread: float, seed: str
    ) -> None:
        self._times = times
        self._random = Random(seed)  # noqa: S311 - a simulation's, no secret
        self._prompt_spread = prompt_spread
        self._factor = lognormal(self._random, 1.0, pod_spread)

    def step_s(
        self, chunks: Sequence[tuple[int, int]], decoding: int, context_tokens: int
    ) -> float:
        """As the times say, times the factors."""
        seconds = self._factor * self._times.step_s(chunks, decoding, context_tokens)
        return lognormal(self._random, seconds, self._prompt_spread) if chunks else seconds

    def decode_run(self, decoding: int, context_tokens: int, most: int) -> tuple[int, float, float]:
        """As the times say, times the pod's factor."""
        count, first_s, slope_s = self._times.decode_run(decoding, context_tokens, most)
        return count, self._factor * first_s, self._factor * slope_s

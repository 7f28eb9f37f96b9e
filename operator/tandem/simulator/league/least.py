"""The least that work takes of an engine, whatever its step times are: what the floor charges by.

Of any `StepTimes` (a table, a formula):

    decode    α + β B + γ C: the plane that lies below the step times of every batch B and context C that
              was looked at, and closest to them in sum (a linear programme)
    prefill   of each piece of a prompt, between two lengths, the least time a prompt that any batch of
              such pieces adds to a step; pieces add up to the prompt wherever it was cut

The profile's own three-term form is both of these already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tandem.perf.engine_profile import EngineProfile
from tandem.perf.step_times import StepTimes

Floats = NDArray[np.float64]
_PROMPTS = (1, 2, 4, 8, 16)  # in one step
_FINE = 8  # lengths a doubling at which pieces end at least
_BATCHES = 24
_CONTEXTS = 24


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Least:
    """Seconds: a decode step is at least α + β batch + γ context, a prompt `prompts_s` at `lengths`."""

    alpha_s: float
    beta_s: float
    gamma_s: float
    lengths: Floats
    prompts_s: Floats

    def prompt_s(self, tokens: Floats) -> Floats:
        """Least seconds to compute prompts up to so many tokens from none."""
        return np.interp(tokens, self.lengths, self.prompts_s)


def least(times: StepTimes, profile: EngineProfile, inputs: Floats, longest: float) -> Least:
    """The least costs for these inputs; `longest` is the longest context that decode sees."""
    doublings = 2.0 ** np.arange(0, np.log2(max(longest, 2.0)) + 1 / _FINE, 1 / _FINE)
    lengths = np.unique(np.concatenate([[0.0], inputs, np.floor(doublings)]))
    if isinstance(times, EngineProfile):
        decode, prefill = times.decode, times.prefill
        return Least(
            alpha_s=decode.alpha_s,
            beta_s=decode.beta_s_per_sequence,
            gamma_s=decode.gamma_s_per_token,
            lengths=lengths,
            prompts_s=prefill.b_s_per_token * lengths + prefill.c_s_per_token2 * lengths**2,
        )
    alpha_s, beta_s, gamma_s = _plane(times, profile, longest)
    return Least(
        alpha_s=alpha_s,
        beta_s=beta_s,
        gamma_s=gamma_s,
        lengths=lengths,
        prompts_s=_prompts_s(times, lengths.astype(int).tolist()),
    )


def _prompts_s(times: StepTimes, lengths: Sequence[int]) -> Floats:
    """Least seconds up to each length, piece by piece."""
    pieces = [0.0]
    for start, end in pairwise(lengths):
        added = (_added_s(times, start, end, prompts) / prompts for prompts in _PROMPTS)
        pieces.append(max(0.0, min(added)))
    return np.cumsum(pieces)


def _added_s(times: StepTimes, start: int, end: int, prompts: int) -> float:
    """What pieces from `start` to `end` add to a step that computes nothing."""
    whole_s = times.step_s([(start, end)] * prompts, 0, 0)
    return whole_s - times.step_s([(start, start)] * prompts, 0, 0)


def _plane(times: StepTimes, profile: EngineProfile, longest: float) -> tuple[float, float, float]:
    from scipy.optimize import linprog  # noqa: PLC0415 - 0.3 s, for tables only

    batches = np.unique(np.geomspace(1, profile.batch_cap, _BATCHES).round().astype(int))
    contexts = np.unique(np.geomspace(1, max(longest, 2.0), _CONTEXTS).round().astype(int))
    b, c = (axis.ravel() for axis in np.meshgrid(batches, contexts))
    seconds = np.array([times.step_s((), int(n), int(n * k)) for n, k in zip(b, c, strict=True)])
    rows = np.column_stack([np.ones(len(b)), b, b * c])
    scale = rows.max(axis=0)
    weights = (rows / seconds[:, None]).sum(axis=0) / scale  # every point counts by its own time
    found = linprog(-weights, A_ub=rows / scale, b_ub=seconds, bounds=[(0, None)] * 3)
    alpha_s, beta_s, gamma_s = (found.x / scale).tolist()
    return alpha_s, beta_s, gamma_s

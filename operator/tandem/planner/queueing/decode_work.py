"""What requests cost a decode replica, from their lengths alone: steps, contexts, and room for them."""

from dataclasses import dataclass
from functools import lru_cache
from math import expm1

import numpy as np

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import RECENT, Floats, LengthMix

FREE = 0.5  # of E[L²]/E[L], free in a full engine: uniform up to what the first in the queue needs
PREEMPTIONS = 0.92  # a request of a full engine, over E[O]/E[L] (fitted: `kv`; counted: 0.9 to 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodeWork:
    """What requests cost a decode replica, from their lengths alone.

    Attributes:
        steps: iterations of each length point, shape (points,).
        own_s: seconds that its own context adds to each of them beyond a mean resident's.
        mean_steps: E[O] of the formulas.
        residual_steps: E[O²]/2E[O], how long a resident stays from a random moment on.
        fixed_s, resident_s: α and b.
        heavy_s: E[b²]/b.
        context_tokens: C₁, with the half block that paging wastes.
        context_variance: of a resident's context at a random moment.
        batch_cap: most residents of a replica.
        capacity: those that KV holds at mean contexts, if fewer: what a replica does at most follows.
        kv_tokens: KV that residents can fill, less what stays free while the first in the queue waits.
        preemptions: of a request of a full replica.
        prompt_s: what computing a prompt again adds to an iteration.
        preempted: share of the requests of a full replica that are preempted.
        variation: of the KV that a request holds over its steps, squared, Cw².

    """

    steps: Floats
    own_s: Floats
    mean_steps: float
    residual_steps: float
    fixed_s: float
    resident_s: float
    heavy_s: float
    context_tokens: float
    context_variance: float
    batch_cap: float
    capacity: float
    kv_tokens: float
    preemptions: float
    prompt_s: float
    preempted: float
    variation: float

    def step_s(self, residents: float) -> float:
        """Seconds of an iteration of so many mean residents."""
        return self.fixed_s + self.resident_s * residents


@lru_cache(maxsize=RECENT)
def work(profile: EngineProfile, lengths: LengthMix) -> DecodeWork:
    """Steps, contexts and room of these requests on this engine.

    The prefill leg emits token 1 itself where `first_token` says so: one step less, one token more.
    """
    ahead = 0.0 if profile.first_token is Role.DECODE else 1.0
    steps = lengths.output_tokens - ahead
    start = lengths.input_tokens + ahead
    tokens = np.maximum(lengths.weights * steps, 1e-12)  # of outputs of one token nothing is left
    share = tokens / tokens.sum()
    span = np.maximum(steps - 1, 0.0)
    middle = start + span / 2
    context = float(share @ middle)
    square = float(share @ (start**2 + start * span + span * (2 * span + 1) / 6))
    cost = profile.decode
    resident_s = max(cost.beta_s_per_sequence + cost.gamma_s_per_token * context, 1e-12)
    variance = max(0.0, square - context**2)
    held = context + profile.kv.block_tokens / 2
    room = max(profile.kv.capacity_tokens - FREE * lengths.prompt_tokens, held)
    growth = float(tokens.sum()) / lengths.mean_input
    prompt_s = max(profile.prefill.a_s - cost.alpha_s, 0.0)  # a step pays the larger of both once
    prompt_s += profile.prefill.b_s_per_token * lengths.mean_input
    prompt_s += profile.prefill.c_s_per_token2 * lengths.prompt_tokens * lengths.mean_input
    held_steps = tokens * middle
    held_mean = float(held_steps.sum())
    return DecodeWork(
        steps=steps,
        own_s=cost.gamma_s_per_token * (middle - context),
        mean_steps=float(tokens.sum()),
        residual_steps=float(share @ steps) / 2,
        fixed_s=cost.alpha_s,
        resident_s=resident_s,
        heavy_s=resident_s + cost.gamma_s_per_token**2 * variance / resident_s,
        context_tokens=held,
        context_variance=variance,
        batch_cap=float(profile.batch_cap),
        capacity=max(1.0, min(profile.batch_cap, room / held)),
        kv_tokens=room,
        preemptions=PREEMPTIONS * growth,
        prompt_s=prompt_s,
        preempted=growth * -expm1(-1 / growth),
        variation=float(held_steps @ (steps * middle)) / held_mean**2 - 1,
    )

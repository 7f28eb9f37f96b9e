"""Decode: one iteration for all residents, so each slows the others (state-dependent sharing).

An iteration of n residents takes τ(n) = α + b·n, b = β + γC₁, with C₁ the context of a resident at a
random moment: E[O(L + O/2)] / E[O]. Requests that bring λ·E[O] = a tokens a second to a replica hold

    n* = aα / (1 − ρ),  τ* = α / (1 − ρ),  ρ = ab,

and the number of residents has the product form of processor sharing, whatever the law of lengths
(Cohen 1979, Kelly 1979): π(n) ∝ Π_{k≤n} a·τ(k)/k.

Three refinements, derived here or as cited and checked against `perf.engine` (docs/concepts/queueing-model.md):

- Contexts differ. Each resident adds bᵢ = β + γCᵢ, and the spread of Σbᵢ is that of fewer, heavier
  residents of E[b²]/b each (a compound Poisson law by two moments); their slow drift is amplified by
  1/(1 − ρ) just as that of n is: Var τ = n*·E[b²]/(1 − ρ).
- Bursts come in together and leave one by one: with arrivals of variation Ca² the variance of n grows by
  the peakedness (1 + Ca²)/2 (Fredericks 1980, for exponential stays), once more as heavier residents.
- Requests go to the replica with the shortest step, so D replicas keep level and fluctuate as one pool:
  the variance is 1/D of a replica's alone.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np
from scipy.special import gammaincc

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import RECENT, Floats, LengthMix
from tandem.planner.queueing.sharing import Sharing
from tandem.planner.queueing.wait import ENDLESS, NO_WAIT, Wait

# Requests that wait for KV, over P(K > M) with M the room less one prompt: the first in the queue keeps
# smaller ones out. Simulations at 55 to 93 % of mean use gave 0.7 to 2.2 (benchmarks/planner/errors.py); the
# upper end is taken, because what preemption costs besides is not modelled.
HEAD_OF_LINE = 2.0
LEAST_DISTANCE2 = 0.75  # z² of KV that is full on average: measured waits are then 1.3 stays
LEAST_TOKENS_PER_S = 1e-9  # an idle pool, without a division by zero


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
        kv_tokens: KV that residents can fill, less the prompt for which the first in the queue waits.

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

    def step_s(self, residents: float) -> float:
        """Seconds of an iteration of so many mean residents."""
        return self.fixed_s + self.resident_s * residents


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodePool:
    """The steady state of replicas that share the load.

    Attributes:
        step_s, shares: iteration times that requests see, ascending, and their probabilities.
        residents: mean number in a replica.
        busy: share of requests whose replica is in the middle of an iteration when they come.
        relaxation_s: how long a fluctuation lasts.
        admission: wait for a place in the batch and for KV.
        kv_tokens: mean KV in use in a replica.

    """

    step_s: Floats
    shares: Floats
    residents: float
    busy: float
    relaxation_s: float
    admission: Wait
    kv_tokens: float

    @property
    def mean_step_s(self) -> float:
        """Mean iteration time over requests: the mean TPOT."""
        return float(self.step_s @ self.shares)


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
    prompts = float(lengths.weights @ lengths.input_tokens**2) / lengths.mean_input
    room = max(profile.kv.capacity_tokens - prompts, held)
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
    )


def pool(
    work: DecodeWork,
    rate_rps: float,
    replicas: int,
    *,
    arrival_ca2: float = 1.0,
    loading_tokens: float = 0.0,
) -> DecodePool:
    """The steady state of `replicas` under all of the load; `loading_tokens` of KV are on their way."""
    tokens_per_s = max(rate_rps * work.mean_steps, LEAST_TOKENS_PER_S)
    if tokens_per_s * work.step_s(work.capacity) >= work.capacity * replicas:
        return _overloaded(work)
    peaks = (1 + arrival_ca2) / 2
    heavy_s = work.heavy_s * peaks
    scale = work.resident_s / heavy_s  # heavy residents for each mean one
    sharing = Sharing(
        rate=tokens_per_s * scale,
        fixed_s=work.fixed_s,
        each_s=heavy_s,
        alone_s=work.resident_s,
        replicas=replicas,
        most=work.batch_cap * replicas * scale,
    )
    states, shares, full = sharing.states()
    others_s = states * heavy_s / replicas
    step_s = work.fixed_s + np.maximum(others_s + work.resident_s / replicas, work.resident_s)
    residents = tokens_per_s * float(step_s @ shares) / replicas  # Little's law
    free = work.fixed_s / work.step_s(residents)  # 1 − ρ
    kv = _Kv(
        mean_tokens=residents * work.context_tokens + loading_tokens / replicas,
        variance=peaks
        * residents
        / free
        / replicas
        * (work.context_tokens**2 + work.context_variance),
        room_tokens=work.kv_tokens,
    )
    stay_s = work.residual_steps * work.step_s(residents)
    most_rps = work.capacity * replicas / (work.mean_steps * work.step_s(work.capacity))
    return DecodePool(
        step_s=step_s,
        shares=shares,
        residents=residents,
        busy=float(shares @ (others_s >= work.resident_s)),
        relaxation_s=stay_s / free,
        admission=_likelier(_wait(full, most_rps - rate_rps), kv.wait(stay_s, most_rps - rate_rps)),
        kv_tokens=kv.mean_tokens,
    )


def idle(work: DecodeWork) -> DecodePool:
    """Replicas so many that every request has one for itself."""
    alone_s = work.step_s(1.0)
    return DecodePool(
        step_s=np.array([alone_s]),
        shares=np.ones(1),
        residents=0.0,
        busy=0.0,
        relaxation_s=work.residual_steps * alone_s,
        admission=NO_WAIT,
        kv_tokens=0.0,
    )


def averaging(pool: DecodePool, steps: Floats) -> Floats:
    """How much of the spread of τ is left in its mean over so many steps, as a share of deviations.

    Of an Ornstein-Uhlenbeck process of relaxation T_c averaged over T_r, with u = T_r/T_c, the variance
    that is left is (2/u)(1 − (1 − e⁻ᵘ)/u).
    """
    u = np.maximum(steps * pool.mean_step_s / pool.relaxation_s, 1e-6)
    return np.sqrt(np.minimum(1.0, 2 / u * (1 + np.expm1(-u) / u)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kv:
    """KV in use in a replica, taken as a gamma variable, and the room that it has."""

    mean_tokens: float
    variance: float
    room_tokens: float

    def wait(self, stay_s: float, spare_rps: float) -> Wait:
        """Wait of a request that finds too little KV free.

        It lasts as long as KV stays above its room: a fluctuation z standard deviations out goes back in
        T/z², T being how long residents stay on, since none is admitted meanwhile; and never sooner than
        full replicas serve.
        """
        if self.mean_tokens <= 0 or self.variance <= 0:
            return NO_WAIT
        shape = self.mean_tokens**2 / self.variance
        beyond = float(gammaincc(shape, shape * self.room_tokens / self.mean_tokens))
        z = max(self.room_tokens - self.mean_tokens, 0.0) / sqrt(self.variance)
        decay_per_s = min(spare_rps, (z**2 + LEAST_DISTANCE2) / stay_s)
        return _wait(min(1.0, HEAD_OF_LINE * beyond), decay_per_s)


def _wait(probability: float, decay_per_s: float) -> Wait:
    return Wait(probability, decay_per_s) if probability > 0 else NO_WAIT


def _likelier(one: Wait, other: Wait) -> Wait:
    """A place in the batch and KV are waited for at the same time."""
    return one if one.probability >= other.probability else other


def _overloaded(work: DecodeWork) -> DecodePool:
    """Every replica full, and a queue without end."""
    return DecodePool(
        step_s=np.array([work.step_s(work.capacity)]),
        shares=np.ones(1),
        residents=work.capacity,
        busy=1.0,
        relaxation_s=work.residual_steps * work.step_s(work.capacity),
        admission=ENDLESS,
        kv_tokens=min(work.capacity * work.context_tokens, work.kv_tokens),
    )

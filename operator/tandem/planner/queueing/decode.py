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

KV makes requests wait, and be computed again: `kv`.
"""

from dataclasses import dataclass

import numpy as np

from tandem.planner.demand import Floats
from tandem.planner.queueing.decode_work import DecodeWork, work
from tandem.planner.queueing.kv import LEAST_TOKENS_PER_S, Kv, most_rps, waiting
from tandem.planner.queueing.sharing import Sharing
from tandem.planner.queueing.wait import ENDLESS, NO_WAIT, Wait

__all__ = ["DecodePool", "DecodeWork", "averaging", "idle", "most_rps", "pool", "work"]


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
        preempted: share of requests that are preempted for KV at least once.

    """

    step_s: Floats
    shares: Floats
    residents: float
    busy: float
    relaxation_s: float
    admission: Wait
    kv_tokens: float
    preempted: float = 0.0

    @property
    def mean_step_s(self) -> float:
        """Mean iteration time over requests: the mean TPOT."""
        return float(self.step_s @ self.shares)


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
    kv = Kv.of(work, rate_rps, replicas, arrival_ca2, loading_tokens / replicas)
    held_up = kv.full()
    if kv.is_lost(held_up):
        return _overloaded(work)
    heavy_s = work.heavy_s * peaks
    scale = work.resident_s / heavy_s  # heavy residents for each mean one
    sharing = Sharing(
        rate=tokens_per_s * scale,
        fixed_s=work.fixed_s,
        each_s=heavy_s,
        alone_s=work.resident_s,
        replicas=replicas,
        most=work.capacity * replicas * scale,
    )
    states, shares, full = sharing.states()
    others_s = states * heavy_s / replicas
    step_s = work.fixed_s + np.maximum(others_s + work.resident_s / replicas, work.resident_s)
    if held_up > 0 and rate_rps < kv.full_rps:
        step_s, shares = kv.slowed(held_up, step_s, shares)
    residents = tokens_per_s * float(step_s @ shares) / replicas  # Little's law
    free = work.fixed_s / work.step_s(residents)  # 1 − ρ
    stay_s = work.residual_steps * work.step_s(residents)
    admission = kv.wait(held_up)
    if work.capacity >= work.batch_cap:
        served_rps = work.capacity * replicas / (work.mean_steps * work.step_s(work.capacity))
        admission = _likelier(admission, waiting(full, served_rps - rate_rps))
    return DecodePool(
        step_s=step_s,
        shares=shares,
        residents=residents,
        busy=float(shares[: len(states)] @ (others_s >= work.resident_s)),
        relaxation_s=stay_s / free,
        admission=admission,
        kv_tokens=residents * work.context_tokens + loading_tokens / replicas,
        preempted=held_up * work.preempted,
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
    u = np.maximum(steps * (pool.mean_step_s / pool.relaxation_s), 1e-6)
    return np.sqrt(np.minimum(1.0, 2 / u * (1 + np.expm1(-u) / u)))


def _likelier(one: Wait, other: Wait) -> Wait:
    """A place in the batch and KV are waited for at the same time."""
    return one if one.probability >= other.probability else other


def _overloaded(work: DecodeWork) -> DecodePool:
    """Every replica full, and a queue without end; where KV is what is full, prompts are preempted too."""
    step_s, by_kv = work.step_s(work.capacity), work.capacity < work.batch_cap
    if by_kv:
        step_s += work.capacity * work.preemptions * work.prompt_s / work.mean_steps
    return DecodePool(
        step_s=np.array([step_s]),
        shares=np.ones(1),
        residents=work.capacity,
        busy=1.0,
        relaxation_s=work.residual_steps * step_s,
        admission=ENDLESS,
        kv_tokens=min(work.capacity * work.context_tokens, work.kv_tokens),
        preempted=work.preempted if by_kv else 0.0,
    )

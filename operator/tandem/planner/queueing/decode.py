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

KV makes requests wait. An engine that admits a prompt as soon as its own blocks are free fills its KV but
for half a prompt (the first in the queue waits for as much as it needs), and then each finisher's room
goes to the next prompt, while those who stay grow by E[O] tokens from one finisher to the next. So a full
engine preempts E[O]/E[L] times a request, each a prompt to compute again, and serves at most

    μ = D / (E[O]·τ(n_M)/n_M + recomputing),    n_M = (M − E[L²]/2E[L]) / C₁

requests a second. In front of it stands a queue: π(n) of residents that weigh E[C²]/E[C] tokens each, cut at
M, with the geometric tail λ/μ; waits decay as in heavy traffic, at 2(μ − λ)/(Ca² + Cw²), w = O(L + O/2) being
the KV that a request holds, over its steps. Where μ < λ although free replicas would do, one that was full
once does not get free again.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import RECENT, Floats, LengthMix
from tandem.planner.queueing.sharing import Sharing
from tandem.planner.queueing.wait import ENDLESS, NO_WAIT, Wait

FREE = 0.5  # of E[L²]/E[L], free in a full engine: uniform up to what the first in the queue needs
# Two constants fitted to 82 pools of `benchmarks/planner/pools.py` and checked on others: preemptions a
# request of a full engine, over E[O]/E[L] (counted: 0.9 to 1.0), and the decay of waits over heavy traffic's.
PREEMPTIONS = 0.92
DECAY = 0.95
ATOM = 1.001  # width of what is an atom among iteration times
EPISODE_S = 3600.0  # how long an engine is looked at that does not get free again by itself
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
    squares = float(lengths.weights @ lengths.input_tokens**2)
    room = max(profile.kv.capacity_tokens - FREE * squares / lengths.mean_input, held)
    growth = float(tokens.sum()) / lengths.mean_input
    prompt_s = max(profile.prefill.a_s - cost.alpha_s, 0.0)  # a step pays the larger of both once
    prompt_s += profile.prefill.b_s_per_token * lengths.mean_input
    prompt_s += profile.prefill.c_s_per_token2 * squares
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
        preempted=growth * -np.expm1(-1 / growth),
        variation=float(held_steps @ (steps * middle)) / held_mean**2 - 1,
    )


def most_rps(work: DecodeWork, replicas: int) -> float:
    """Requests a second that replicas serve at most, for the room of their KV."""
    return _Kv.of(work, 0.0, replicas, 1.0, 0.0).full_rps


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
    kv = _Kv.of(work, rate_rps, replicas, arrival_ca2, loading_tokens / replicas)
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
        most_rps = work.capacity * replicas / (work.mean_steps * work.step_s(work.capacity))
        admission = _likelier(admission, _wait(full, most_rps - rate_rps))
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
    u = np.maximum(steps * pool.mean_step_s / pool.relaxation_s, 1e-6)
    return np.sqrt(np.minimum(1.0, 2 / u * (1 + np.expm1(-u) / u)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kv:
    """KV of replicas as a pool of places for residents, each as heavy as the spread of contexts makes it.

    `free_rps` and `full_rps` are what replicas do whose KV has just filled and whose KV stays full;
    `places` are mean residents that KV has room for, `heaviness` how many of them a heavy one stands for.
    """

    work: DecodeWork
    rate_rps: float
    replicas: int
    arrival_ca2: float
    places: float
    heaviness: float
    free_rps: float
    full_rps: float

    @classmethod
    def of(
        cls,
        work: DecodeWork,
        rate_rps: float,
        replicas: int,
        arrival_ca2: float,
        loading_tokens: float,
    ) -> "_Kv":
        """Of replicas in each of which so many tokens are on their way."""
        places = max((work.kv_tokens - loading_tokens) / work.context_tokens, 1.0)
        request_s = work.mean_steps * work.step_s(places) / places
        return cls(
            work=work,
            rate_rps=rate_rps,
            replicas=replicas,
            arrival_ca2=arrival_ca2,
            places=places,
            heaviness=(1 + work.context_variance / work.context_tokens**2) * (1 + arrival_ca2) / 2,
            free_rps=replicas / request_s,
            full_rps=replicas / (request_s + work.preemptions * work.prompt_s),
        )

    def full(self) -> float:
        """Share of requests that find too little KV free; 1 where there is no end to it."""
        if self.rate_rps >= self.free_rps:
            return 1.0
        work = self.work
        tokens_per_s = max(self.rate_rps * work.mean_steps, LEAST_TOKENS_PER_S)
        sharing = Sharing(
            rate=tokens_per_s / self.heaviness,
            fixed_s=work.fixed_s,
            each_s=work.resident_s * self.heaviness,
            alone_s=work.resident_s,
            replicas=self.replicas,
            most=self.places * self.replicas / self.heaviness,
        )
        serves_rps = self.full_rps if self.rate_rps < self.full_rps else self.free_rps
        return sharing.beyond(self.rate_rps / serves_rps)

    def slowed(self, full: float, step_s: Floats, shares: Floats) -> tuple[Floats, Floats]:
        """Iterations with those among them that compute a preempted prompt, the last and longest.

        What recomputing takes of the time is amplified by 1/(1 − ρ), as all is that makes residents stay.
        """
        work, mean_s = self.work, float(step_s @ shares)
        victims_rps = full * self.rate_rps / self.replicas * work.preempted
        again_s = work.preemptions * work.prompt_s / work.preempted  # one step takes all there are
        free = work.fixed_s / mean_s  # 1 − ρ
        taken = min(victims_rps * again_s, 0.5 * free)
        slower_s = step_s * (free / (free - taken) * (1 - taken))
        share = min(victims_rps * float(slower_s @ shares), 0.5)
        last_s, longest_s = float(slower_s[-1]), float(slower_s[-1]) + again_s
        apart_s = [last_s * ATOM, longest_s / ATOM, longest_s]  # nothing between the two
        slower_s = np.append(slower_s, apart_s)
        shares = np.append(shares * (1 - share), [0.0, 0.0, share])
        most_s = self.places * self.replicas / (work.mean_steps * self.full_rps)
        return slower_s * min(1.0, most_s / float(slower_s @ shares)), shares

    def is_lost(self, full: float) -> bool:
        """Whether replicas that do not get free again fill their KV within an episode."""
        return self._caught(full) >= 1

    def wait(self, full: float) -> Wait:
        """The wait for KV; replicas that do not get free again make an episode's requests wait."""
        spare_rps = self.full_rps - self.rate_rps
        if spare_rps <= 0:
            return _wait(self._caught(full), 1 / EPISODE_S)
        variation = max(self.arrival_ca2 + self.work.variation, 1e-3)
        return _wait(full, DECAY * 2 * spare_rps / variation)

    def _caught(self, full: float) -> float:
        """Share of episodes in which KV fills, and stays so: it looks anew once a relaxation."""
        if self.rate_rps < self.full_rps:
            return 0.0
        work = self.work
        slowing = self.rate_rps / self.replicas * work.mean_steps * work.resident_s  # ρ
        alone_s = work.residual_steps * work.fixed_s
        return min(1.0, full * EPISODE_S * (1 - min(slowing, 1.0)) ** 2 / alone_s)


def _wait(probability: float, decay_per_s: float) -> Wait:
    return Wait(probability, decay_per_s) if probability > 0 else NO_WAIT


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

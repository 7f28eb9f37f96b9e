"""KV of decode: room that requests wait for, and are thrown out of.

An engine that admits a prompt as soon as its own blocks are free fills its KV but
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

import numpy as np

from tandem.planner.demand import Floats
from tandem.planner.queueing.decode_work import DecodeWork
from tandem.planner.queueing.sharing import Sharing
from tandem.planner.queueing.wait import NO_WAIT, Wait

DECAY = 0.95  # of waits over heavy traffic's; fitted to 82 pools of `benchmarks/planner/pools.py`, as PREEMPTIONS is
ATOM = 1.001  # width of what is an atom among iteration times
EPISODE_S = 3600.0  # how long an engine is looked at that does not get free again by itself
LEAST_TOKENS_PER_S = 1e-9  # an idle pool, without a division by zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Kv:
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
    ) -> "Kv":
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
            return waiting(self._caught(full), 1 / EPISODE_S)
        variation = max(self.arrival_ca2 + self.work.variation, 1e-3)
        return waiting(full, DECAY * 2 * spare_rps / variation)

    def _caught(self, full: float) -> float:
        """Share of episodes in which KV fills, and stays so: it looks anew once a relaxation."""
        if self.rate_rps < self.full_rps:
            return 0.0
        work = self.work
        slowing = self.rate_rps / self.replicas * work.mean_steps * work.resident_s  # ρ
        alone_s = work.residual_steps * work.fixed_s
        return min(1.0, full * EPISODE_S * (1 - min(slowing, 1.0)) ** 2 / alone_s)


def most_rps(work: DecodeWork, replicas: int) -> float:
    """Requests a second that replicas serve at most, for the room of their KV."""
    return Kv.of(work, 0.0, replicas, 1.0, 0.0).full_rps


def waiting(probability: float, decay_per_s: float) -> Wait:
    """An exponential wait of such a probability; none where that is 0."""
    return Wait(probability, decay_per_s) if probability > 0 else NO_WAIT

"""The three queues in tandem: what a fleet of (prefill, decode) replicas does with a demand.

First token by the decode leg (vLLM behind a proxy):

    TTFT = W_prefill + S + X + W_decode + U·τ + τ        TPOT = mean of the later steps

First token by the prefill leg:

    TTFT = W_prefill + S        TPOT = mean step + (X + W_decode + U·τ) / (O − 1)

U·τ is what is left of the iteration that runs when a request comes. Waits are summed by convolution;
what depends on lengths (S, X, a request's own context, how long it averages τ) is taken point by point,
so attainment is joint: requests that meet TTFT and TPOT both (`latency`). It is told for each class of
requests (`targets`), and where a role has several kinds of replica, over all of them (`mixed`).

The roles lean on each other: prefill pods share ports with what decode takes (`link`), and keep the KV that
decode has not taken yet (`pinned`).
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from operator import mul

import numpy as np

from tandem.api.role import Role
from tandem.planner import pools
from tandem.planner.demand import Demand, Floats
from tandem.planner.pools import Filling
from tandem.planner.queueing import link, mixed, pinned, targets, works
from tandem.planner.queueing.latency import Latency, flat
from tandem.planner.queueing.sides import Sides
from tandem.planner.queueing.stages import UNLIMITED, Counts, DecodeStage, PrefillStage
from tandem.planner.queueing.wait import Wait
from tandem.planner.spec import FleetSpec

SENDING = 0.25  # of a prefill: a transfer that is shorter (means over kinds) keeps no sender busy


class Tandem:
    """A demand on a kind of fleet; results per role are kept, since a search asks for them again."""

    def __init__(self, demand: Demand, spec: FleetSpec) -> None:
        self.demand = demand
        self.profiles = {role: spec.roles[role].profile for role in Role}
        self.fillings: Mapping[Role, Filling] = {
            role: pools.filling(spec.roles[role]) for role in Role
        }
        prefills, decodes = (self.fillings[role].profiles for role in Role)
        self._works = works.of(demand.lengths, prefills, decodes)
        self.lengths, self.served = self._works.lengths, self._works.served
        self.prefill_works, self.link_works = self._works.prefills, self._works.links
        self.decode_works = self._works.decodes
        self.targets = targets.of(demand, spec, self._works.kept, self.lengths)
        self.slo = targets.strictest(self.targets, spec.slo)
        self._prefill_kv = [each.kv.capacity_tokens for each in prefills]
        self._take_main()
        self.first_by_decode = self.profiles[Role.DECODE].first_token is Role.DECODE
        self._latency = Latency(self.lengths, self.targets, first_by_decode=self.first_by_decode)
        self.ttft_s = self._latency.ttft_s
        self._shares = np.array([each.share for each in self.targets])
        self._senders_matter = self._could_keep_busy()
        self._sides = Sides(self._works, self._latency, demand)

    def filled(self, fillings: Mapping[Role, Filling]) -> "Tandem":
        """The same kinds of replica taken in another order; what is known of a composition stays known."""
        other = copy.copy(self)
        other.fillings = fillings
        other._take_main()  # noqa: SLF001 - of its own class
        return other

    def shared(self, share: float) -> "Tandem":
        """The same fleet with a share of the arrivals, or more than all; a share is taken at random.

        The index of dispersion of such a share is 1 + share · (Ca² − 1) (Cox 1955, of a thinned stream).
        """
        other, rate_rps = copy.copy(self), share * self.demand.rate_rps
        ca2 = 1 + min(share, 1.0) * (self.demand.arrival_ca2 - 1)
        other.demand = replace(self.demand, rate_rps=rate_rps, arrival_ca2=ca2)
        other._sides = Sides(self._works, self._latency, other.demand)  # noqa: SLF001 - of its own class
        return other

    def _take_main(self) -> None:
        """The works of the kinds that others are measured by."""
        prefills, decodes = (self.fillings[role].main for role in Role)
        self.prefill_work, self.link_work = self.prefill_works[prefills], self.link_works[decodes]
        self.decode_work = self.decode_works[decodes]

    def _could_keep_busy(self) -> bool:
        """Whether prefill pods, who are at most always busy, could be kept busy by what they send."""
        moves_s, computes_s = (
            sum(work.mean_s for work in works) / len(works)
            for works in (self.link_works, self.prefill_works)
        )
        return moves_s > max(SENDING * computes_s, link.SEEN * self._latency.shortest_s)

    @property
    def rate_rps(self) -> float:
        """Requests a second that an engine can serve at all."""
        return self._sides.rate_rps

    @property
    def prompts_rps(self) -> float:
        """Prompts a second of these: as many, where the roles are not asked about different moments."""
        return self._sides.prompts_rps

    def attainment(self, prefills: int, decodes: int) -> float:
        """Share of requests that meet TTFT and TPOT both."""
        if not self._sides.is_plain:
            return min(self.served, float(self._shares @ self.attainments(prefills, decodes)))
        stage = self.decode(decodes, prefills)  # a search asks most often: no arrays of one
        met = float(stage.slack[0, 0] @ self._before(stage, prefills).within)
        return min(self.served, max(0.0, met))

    def attainments(self, prefills: int, decodes: int) -> Floats:
        """The same of each target's own requests, shape (targets,)."""
        stage = self.decode(decodes, prefills)
        ahead = self._before(stage, prefills)
        met: Floats = ahead.shares @ (stage.slack @ ahead.within)
        return np.minimum(np.maximum(met, 0.0), 1.0)

    def tpot_attainment(self, decodes: int, prefills: int = UNLIMITED) -> float:
        """Share of requests that meet their TPOT."""
        met = self.decode(decodes, prefills).tpot_met
        return sum(
            each.share * float((each.weights * met[each.slo.tpot_s]).sum()) for each in self.targets
        )

    def tpot_within(
        self, decodes: int, seconds: float | Floats, prefills: int = UNLIMITED
    ) -> Floats:
        """P(TPOT <= seconds) of each length point, shape (..., points); 1 where there is one token."""
        stage = self.decode(decodes, prefills)
        return self._latency.tpot_within(stage.work, stage.pool, stage.transfer_s, seconds)

    def path_s(self, decodes: int, prefills: int = UNLIMITED) -> Floats:
        """Seconds to the first token that a length point's own size costs, shape (points,).

        On the kind of prefill replica that most prompts meet, with its transfer at its mean.
        """
        stage = self.decode(decodes, prefills)
        ahead = self.prefill_works[int(np.argmax(self._before(stage, prefills).shares))]
        return self._latency.path_s(ahead, stage.work, stage.transfer_s)

    def paths(self, prefills: int, decodes: int) -> tuple[Floats, Floats]:
        """The same on every kind and for every case of a transfer, and the weights of all."""
        stage = self.decode(decodes, prefills)
        shares = self._before(stage, prefills).shares.tolist()
        ways = [
            flat(
                self._latency.path_s(ahead, stage.work, stage.cases_s), share * self.lengths.weights
            )
            for share, ahead in zip(shares, self.prefill_works, strict=True)
            if share > 0
        ]
        seconds, weights = zip(*ways, strict=True)
        return np.concatenate(seconds), np.concatenate(weights)

    def wait(self, prefills: int, decodes: int = UNLIMITED) -> Wait:
        """The wait for a prefill pod."""
        return self.prefill(prefills, decodes).wait

    def prefill(self, prefills: int, decodes: int = UNLIMITED) -> PrefillStage:
        """The prefill side with so many replicas, held up by what such a decode side does not take."""
        return self._before(self.decode(decodes, prefills), prefills)

    def decode(self, decodes: int, prefills: int = UNLIMITED) -> DecodeStage:
        """The decode side with so many replicas, and so many pods that send KV where that matters."""
        senders: Counts = ()
        if self._senders_matter and 0 < prefills < UNLIMITED:
            senders = self._counts(Role.PREFILL, prefills)
        return self._sides.decode(senders, self._counts(Role.DECODE, decodes))

    def idle(self, prefill_kind: int, decode_kind: int) -> Floats:
        """What idle replicas of two kinds attain of each target, shape (targets,)."""
        ends = tuple(UNLIMITED if k == decode_kind else 0 for k in range(len(self.decode_works)))
        met: Floats = self._sides.decode((), ends).slack[prefill_kind].sum(axis=-1)
        return met

    def most_rps(self, role: Role) -> tuple[float, ...]:
        """Requests a second that a replica of each kind can do, decode within the TPOT target."""
        if role is Role.PREFILL:
            return tuple(1 / work.mean_s for work in self.prefill_works)
        return tuple(
            mixed.most_rps(work, mixed.most_residents(work, self.slo.tpot_s))
            for work in self.decode_works
        )

    def pinned_share(self, stage: DecodeStage, prefills: int) -> float:
        """KV that decode has not taken yet, of all KV of prefill pods."""
        return stage.pinned_tokens / max(self._kv_tokens(self._counts(Role.PREFILL, prefills)), 1.0)

    def _kv_tokens(self, counts: Counts) -> float:
        """KV of prefill replicas."""
        return float(sum(map(mul, counts, self._prefill_kv)))

    def _counts(self, role: Role, replicas: int) -> Counts:
        """Replicas of each kind; without end those of the quickest, as nobody has to take another."""
        filling = self.fillings[role]
        if replicas < UNLIMITED or filling.is_plain:
            return filling.counts(replicas)
        alone_s = [work.mean_s for work in self.prefill_works]
        if role is Role.DECODE:
            alone_s = [work.step_s(1.0) for work in self.decode_works]
        quickest = alone_s.index(min(alone_s))
        return tuple(UNLIMITED if kind == quickest else 0 for kind in range(len(alone_s)))

    def _before(self, stage: DecodeStage, prefills: int) -> PrefillStage:
        """Prefill replicas in front of a decode side."""
        counts = self._counts(Role.PREFILL, prefills)
        kv_tokens = self._kv_tokens(counts)
        held_up = pinned.held_up(self.lengths, stage.pinned_tokens, prefills, kv_tokens)
        return self._sides.prefill(counts, held_up)

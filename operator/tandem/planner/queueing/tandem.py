"""The three queues in tandem: what a fleet of (prefill, decode) replicas does with a demand.

First token by the decode leg (vLLM behind a proxy):

    TTFT = W_prefill + S + X + W_decode + U·τ + τ        TPOT = mean of the later steps

First token by the prefill leg:

    TTFT = W_prefill + S        TPOT = mean step + (X + W_decode + U·τ) / (O − 1)

U·τ is what is left of the iteration that runs when a request comes. Waits are summed by convolution;
what depends on lengths (S, X, a request's own context, how long it averages τ) is taken point by point,
so attainment is joint: requests that meet TTFT and TPOT both. It is told for each class of requests
(`targets`), and where a role has several kinds of replica, over all of them (`mixed`).
"""

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.planner import pools
from tandem.planner.demand import Demand, Floats, LengthMix
from tandem.planner.pools import Filling
from tandem.planner.queueing import decode, link, mixed, prefill, targets
from tandem.planner.queueing.decode import DecodePool, DecodeWork
from tandem.planner.queueing.grid import Grid
from tandem.planner.queueing.mixed import Part
from tandem.planner.queueing.prefill import PrefillWork
from tandem.planner.queueing.stages import DecodeStage, PrefillStage
from tandem.planner.queueing.tokens import first_step, steps_within, tpot_within
from tandem.planner.queueing.wait import NO_WAIT, Wait
from tandem.planner.spec import FleetSpec

__all__ = ["LEAST_SHARE", "UNLIMITED", "Tandem", "first_step", "steps_within"]

UNLIMITED = 10**6  # replicas of a role so many that nobody waits for it
SLO_CELLS = 256  # resolution of TTFT up to its target: 2 ms of 500 ms
FINEST = 4.0  # times as many where targets differ
ONE = np.ones(1)
LEAST_SHARE = 1e-9  # of requests that wait for a place in decode: fewer are none


class Tandem:
    """A demand on a kind of fleet; results per role are kept, since a search asks for them again."""

    def __init__(self, demand: Demand, spec: FleetSpec) -> None:
        self.demand = demand
        self.profiles = {role: spec.roles[role].profile for role in Role}
        self.fillings: Mapping[Role, Filling] = {
            role: pools.filling(spec.roles[role]) for role in Role
        }
        kept = _fit(demand.lengths, self.fillings)
        self.lengths, self.served = demand.lengths.where(kept)
        self.targets = targets.of(demand, spec, kept, self.lengths)
        self.slo = targets.strictest(self.targets, spec.slo)
        prefills, decodes = (self.fillings[role].profiles for role in Role)
        self.prefill_works = tuple(prefill.work(each, self.lengths) for each in prefills)
        self.link_works = tuple(link.work(each, self.lengths) for each in decodes)
        self.decode_works = tuple(decode.work(each, self.lengths) for each in decodes)
        self._take_main()
        self.first_by_decode = self.profiles[Role.DECODE].first_token is Role.DECODE
        shortest_s, self._longest_s = targets.span_s(self.targets)
        finer = min(self._longest_s / shortest_s, FINEST)
        self._grid = Grid.over(self._longest_s, int(SLO_CELLS * finer))
        self._times_s = self._grid.times_s
        self.ttft_s: float | Floats = reduce(np.minimum, (each.ttft_s for each in self.targets))
        self._shares = np.array([each.share for each in self.targets])
        self._is_plain = len(self.targets) == len(prefills) == 1
        self._prefills: dict[tuple[int, ...], PrefillStage] = {}
        self._decodes: dict[tuple[int, ...], DecodeStage] = {}

    def filled(self, fillings: Mapping[Role, Filling]) -> "Tandem":
        """The same kinds of replica taken in another order; what is known of a composition stays known."""
        other = copy.copy(self)
        other.fillings = fillings
        other._take_main()  # noqa: SLF001 - of its own class
        return other

    def _take_main(self) -> None:
        """The works of the kinds that others are measured by."""
        prefills, decodes = (self.fillings[role].main for role in Role)
        self.prefill_work, self.link_work = self.prefill_works[prefills], self.link_works[decodes]
        self.decode_work = self.decode_works[decodes]

    @property
    def rate_rps(self) -> float:
        """Requests a second that an engine can serve at all."""
        return self.demand.rate_rps * self.served

    def attainment(self, prefills: int, decodes: int) -> float:
        """Share of requests that meet TTFT and TPOT both."""
        if self._is_plain:  # what a search asks most often, without arrays of one
            slack, within = self.decode(decodes).slack[0, 0], self.prefill(prefills).within
            return min(1.0, max(0.0, float(slack @ within)))
        return min(1.0, float(self._shares @ self.attainments(prefills, decodes)))

    def attainments(self, prefills: int, decodes: int) -> Floats:
        """The same of each target's own requests, shape (targets,)."""
        stage = self.prefill(prefills)
        met: Floats = stage.shares @ (self.decode(decodes).slack @ stage.within)
        return np.minimum(np.maximum(met, 0.0), 1.0)

    def path_s(self, decodes: int) -> Floats:
        """Seconds to the first token that a length point's own size costs, shape (points,)."""
        stage = self.decode(decodes)
        return self._path_s(self.prefill_work, stage.work, stage.transfer_s)

    def paths(self, prefills: int, decodes: int) -> tuple[Floats, Floats]:
        """The same for every kind of prefill replica that a prompt may meet, and the weights of all."""
        stage = self.decode(decodes)
        ways = [
            (share, self._path_s(ahead, stage.work, stage.transfer_s))
            for share, ahead in zip(self.prefill(prefills).shares, self.prefill_works, strict=True)
            if share > 0
        ]
        weights = [share * self.lengths.weights for share, _ in ways]
        return np.concatenate([seconds for _, seconds in ways]), np.concatenate(weights)

    def wait(self, prefills: int) -> Wait:
        """The wait for a prefill pod."""
        return self.prefill(prefills).wait

    def prefill(self, prefills: int) -> PrefillStage:
        """The prefill side with so many replicas."""
        counts = self._counts(Role.PREFILL, prefills)
        if counts not in self._prefills:
            self._prefills[counts] = self._prefill(counts)
        return self._prefills[counts]

    def decode(self, decodes: int) -> DecodeStage:
        """The decode side with so many replicas."""
        counts = self._counts(Role.DECODE, decodes)
        if counts not in self._decodes:
            self._decodes[counts] = self._decode(counts)
        return self._decodes[counts]

    def _counts(self, role: Role, replicas: int) -> tuple[int, ...]:
        """Replicas of each kind; without end those of the quickest, as nobody has to take another."""
        filling = self.fillings[role]
        if replicas < UNLIMITED or filling.is_plain:
            return filling.counts(replicas)
        alone_s = [work.mean_s for work in self.prefill_works]
        if role is Role.DECODE:
            alone_s = [work.step_s(1.0) for work in self.decode_works]
        quickest = alone_s.index(min(alone_s))
        return tuple(UNLIMITED if kind == quickest else 0 for kind in range(len(alone_s)))

    def tpot_within(self, decodes: int, seconds: float | Floats) -> Floats:
        """P(TPOT <= seconds) of each length point, shape (..., points); 1 where there is one token."""
        stage = self.decode(decodes)
        return self._tpot_within(stage.work, stage.pool, stage.transfer_s, seconds)

    def tpot_attainment(self, decodes: int) -> float:
        """Share of requests that meet their TPOT."""
        stage = self.decode(decodes)
        met = self._tpot_met(stage.work, stage.pool, stage.transfer_s)
        return sum(
            each.share * float((each.weights * met[each.slo.tpot_s]).sum()) for each in self.targets
        )

    def idle(self, prefill_kind: int, decode_kind: int) -> Floats:
        """What idle replicas of two kinds attain of each target, shape (targets,)."""
        ends = tuple(UNLIMITED if k == decode_kind else 0 for k in range(len(self.decode_works)))
        if ends not in self._decodes:
            self._decodes[ends] = self._decode(ends)
        met: Floats = self._decodes[ends].slack[prefill_kind].sum(axis=-1)
        return met

    def most_rps(self, role: Role) -> tuple[float, ...]:
        """Requests a second that a replica of each kind can do, decode within the TPOT target."""
        if role is Role.PREFILL:
            return tuple(1 / work.mean_s for work in self.prefill_works)
        return tuple(
            mixed.most_rps(work, mixed.most_residents(work, self.slo.tpot_s))
            for work in self.decode_works
        )

    def _prefill(self, counts: tuple[int, ...]) -> PrefillStage:
        works, replicas = self.prefill_works, sum(counts)
        work, shares = works[0], np.eye(len(works))[0] if len(works) > 1 else ONE
        if len(works) > 1 and replicas:
            shares = mixed.prefill_shares([each.mean_s for each in works], counts, self.rate_rps)
            work = mixed.prefill_work(works, shares, self.lengths.weights)
        wait = NO_WAIT
        if replicas < UNLIMITED:
            wait = prefill.wait(work, self.rate_rps, self.demand.arrival_ca2, replicas)
        within = 1 - wait.beyond(self._times_s)
        return PrefillStage(work=work, shares=shares, wait=wait, within=within)

    def _decode(self, counts: tuple[int, ...]) -> DecodeStage:
        there, work, shares = self._mixture(counts)
        replicas = sum(counts[kind] for kind in there)
        parts = tuple(
            self._part(kind, share, counts[kind]) for kind, share in zip(there, shares, strict=True)
        )
        busy = max(part.link for part in parts)
        transfer_s = parts[0].transfer_s
        if len(parts) > 1:
            transfer_s = np.sum([part.share * part.transfer_s for part in parts], axis=0)
        pool = self._pool(work, replicas, link.stretch(busy))
        return DecodeStage(
            parts=parts,
            work=work,
            replicas=replicas,
            pool=pool,
            link=busy,
            transfer_s=transfer_s,
            slack=self._slack(work, pool, transfer_s),
        )

    def _mixture(
        self, counts: tuple[int, ...]
    ) -> tuple[Sequence[int], DecodeWork, Sequence[float]]:
        """The decode kinds that get requests, the one that they are like together, and their shares."""
        there = [kind for kind, count in enumerate(counts) if count]
        if len(there) <= 1:
            kind = there[0] if there else 0
            return [kind], self.decode_works[kind], [1.0]
        replicas = [counts[kind] for kind in there]
        held = mixed.residents([self.decode_works[kind] for kind in there], replicas, self.rate_rps)
        used = [place for place in range(len(there)) if held[place] > 0]
        total = sum(replicas[place] * held[place] for place in used)
        work = mixed.decode_work(
            [self.decode_works[there[place]] for place in used],
            [replicas[place] for place in used],
        )
        shares = [float(replicas[place] * held[place] / total) for place in used]
        return [there[place] for place in used], work, shares

    def _part(self, kind: int, share: float, replicas: int) -> Part:
        """Replicas of a kind under their share of the load."""
        work = self.link_works[kind]
        busy = link.utilisation(work, share * self.rate_rps, replicas)
        return Part(kind=kind, share=share, link=busy, transfer_s=work.alone_s * link.stretch(busy))

    def _pool(self, work: DecodeWork, replicas: int, stretch: float) -> DecodePool:
        if replicas >= UNLIMITED:
            return decode.idle(work)
        return decode.pool(
            work,
            self.rate_rps,
            replicas,
            arrival_ca2=self.demand.arrival_ca2,
            loading_tokens=self.rate_rps * self._loading_token_s * min(stretch, 1e3),
        )

    @cached_property
    def _loading_token_s(self) -> float:
        """Token-seconds of KV that a request holds in decode while it is loading over an idle link."""
        return float(
            self.lengths.weights @ (self.lengths.input_tokens * self.link_works[0].alone_s)
        )

    def _slack(self, work: DecodeWork, pool: DecodePool, transfer_s: Floats) -> Floats:
        """What is left of the TTFT targets after all but the wait for prefill, of requests that meet TPOT."""
        delay, met = self._delay(pool), self._tpot_met(work, pool, transfer_s)
        found = np.empty((len(self.prefill_works), len(self.targets), self._grid.cells))
        for row, each in enumerate(self.targets):
            weights = each.weights * met[each.slo.tpot_s]
            for kind, ahead in enumerate(self.prefill_works):
                path_s = self._path_s(ahead, work, transfer_s)
                used = self._grid.points(path_s + (self._longest_s - each.ttft_s), weights)
                if delay is not None:
                    used = self._grid.summed(used, delay)
                found[kind, row] = used[::-1]
        return found

    def _tpot_met(
        self, work: DecodeWork, pool: DecodePool, transfer_s: Floats
    ) -> Mapping[float, Floats]:
        """P(TPOT within its target) of each length point, by target."""
        targets_s = sorted({each.slo.tpot_s for each in self.targets})
        if len(targets_s) == 1:
            return {targets_s[0]: self._tpot_within(work, pool, transfer_s, targets_s[0])}
        met = self._tpot_within(work, pool, transfer_s, np.array(targets_s)[:, None])
        return dict(zip(targets_s, met, strict=True))

    def _delay(self, pool: DecodePool) -> Floats | None:
        """Masses of what comes before the first token besides prefill and the KV transfer."""
        if not self.first_by_decode:
            return None
        step = first_step(pool, self._grid)
        if pool.admission.probability <= LEAST_SHARE:
            return step
        return self._grid.summed(self._grid.wait(pool.admission), step)

    def _path_s(self, ahead: PrefillWork, work: DecodeWork, transfer_s: Floats) -> Floats:
        if not self.first_by_decode:
            return ahead.service_s
        return ahead.service_s + work.own_s + transfer_s

    def _tpot_within(
        self, work: DecodeWork, pool: DecodePool, transfer_s: Floats, seconds: float | Floats
    ) -> Floats:
        later = self.lengths.output_tokens - 1
        gap_s = None if self.first_by_decode else transfer_s
        return tpot_within(work, pool, later, seconds, gap_s)


def _fit(lengths: LengthMix, fillings: Mapping[Role, Filling]) -> NDArray[np.bool_]:
    """Which requests fit the KV of every engine alone: the others are refused."""
    profiles = [profile for filling in fillings.values() for profile in filling.profiles]
    least = min(profile.kv.capacity_tokens for profile in profiles)
    fit: NDArray[np.bool_] = lengths.input_tokens + lengths.output_tokens <= least
    return fit

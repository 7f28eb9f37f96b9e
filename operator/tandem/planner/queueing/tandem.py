"""The three queues in tandem: what a fleet of (prefill, decode) replicas does with a demand.

First token by the decode leg (vLLM behind a proxy):

    TTFT = W_prefill + S + X + W_decode + U·τ + τ        TPOT = mean of the later steps

First token by the prefill leg:

    TTFT = W_prefill + S        TPOT = mean step + (X + W_decode + U·τ) / (O − 1)

U·τ is what is left of the iteration that runs when a request comes. Waits are summed by convolution;
what depends on lengths (S, X, a request's own context, how long it averages τ) is taken point by point,
so attainment is joint: requests that meet TTFT and TPOT both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import Demand, Floats, LengthMix
from tandem.planner.queueing import decode, link, prefill
from tandem.planner.queueing.decode import DecodePool
from tandem.planner.queueing.grid import Grid
from tandem.planner.queueing.wait import NO_WAIT, Wait
from tandem.planner.spec import FleetSpec

UNLIMITED = 10**6  # replicas of a role so many that nobody waits for it
SLO_CELLS = 256  # resolution of TTFT up to its target: 2 ms of 500 ms
THIRDS = (0.1823, 0.6931, 1.7918)  # exponential quantiles at the middles of its thirds
LEAST_SHARE = 1e-9  # of requests that wait for a place in decode: fewer are none
LATE = np.array(
    [1.0, *(1 + (np.arange(4) + 0.5) / 4)]
)  # 1 + U: at once, or U at the middles of quarters
LATE_SHARES = np.array(
    [[1.0, 0, 0, 0, 0], [-1.0, 0.25, 0.25, 0.25, 0.25]]
)  # that and with whom busy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodeStage:
    """Decode replicas with their links.

    Attributes:
        pool: the steady state.
        link: utilisation of a link.
        transfer_s: X of each length point, shape (points,).
        tpot_met: P(TPOT within its target) of each length point.
        slack: share of requests that meet TPOT and have so much left to wait for prefill, on the grid of
            the TTFT target.

    """

    pool: DecodePool
    link: float
    transfer_s: Floats
    tpot_met: Floats
    slack: Floats


class Tandem:
    """A demand on a kind of fleet; results per role are kept, since a search asks for them again."""

    def __init__(self, demand: Demand, spec: FleetSpec) -> None:
        self.demand = demand
        self.slo = spec.slo
        self.profiles = {role: spec.roles[role].profile for role in Role}
        self.lengths, self.served = demand.lengths.where(_fit(demand.lengths, self.profiles))
        self.prefill_work = prefill.work(self.profiles[Role.PREFILL], self.lengths)
        self.link_work = link.work(self.profiles[Role.DECODE], self.lengths)
        self.decode_work = decode.work(self.profiles[Role.DECODE], self.lengths)
        self.first_by_decode = self.profiles[Role.DECODE].first_token is Role.DECODE
        self._grid = Grid.over(self.slo.ttft_s, SLO_CELLS)
        self._times_s = self._grid.times_s
        self._waits: dict[int, tuple[Wait, Floats]] = {}
        self._decodes: dict[int, DecodeStage] = {}

    @property
    def rate_rps(self) -> float:
        """Requests a second that an engine can serve at all."""
        return self.demand.rate_rps * self.served

    def attainment(self, prefills: int, decodes: int) -> float:
        """Share of requests that meet TTFT and TPOT both."""
        met = self.served * float(self.decode(decodes).slack @ self._within(prefills))
        return min(1.0, max(0.0, met))

    def path_s(self, decodes: int) -> Floats:
        """Seconds to the first token that a length point's own size costs, shape (points,)."""
        return self._path_s(self.decode(decodes).transfer_s)

    def wait(self, prefills: int) -> Wait:
        """The wait for a prefill pod."""
        return self._prefill(prefills)[0]

    def decode(self, decodes: int) -> DecodeStage:
        """The decode side with so many replicas."""
        if decodes not in self._decodes:
            self._decodes[decodes] = self._decode(decodes)
        return self._decodes[decodes]

    def tpot_within(self, decodes: int, seconds: float | Floats) -> Floats:
        """P(TPOT <= seconds) of each length point, shape (..., points); 1 where there is one token."""
        stage = self.decode(decodes)
        return self._tpot_within(stage.pool, stage.transfer_s, seconds)

    def _within(self, prefills: int) -> Floats:
        """P(W_prefill <= t) at the points of the grid."""
        return self._prefill(prefills)[1]

    def _prefill(self, prefills: int) -> tuple[Wait, Floats]:
        if prefills not in self._waits:
            wait = NO_WAIT
            if prefills < UNLIMITED:
                ca2 = self.demand.arrival_ca2
                wait = prefill.wait(self.prefill_work, self.rate_rps, ca2, prefills)
            self._waits[prefills] = wait, 1 - wait.beyond(self._times_s)
        return self._waits[prefills]

    def _decode(self, decodes: int) -> DecodeStage:
        busy = link.utilisation(self.link_work, self.rate_rps, decodes)
        stretch = link.stretch(busy)
        pool = self._pool(decodes, stretch)
        transfer_s = self.link_work.alone_s * stretch
        tpot_met = self._tpot_within(pool, transfer_s, self.slo.tpot_s)
        return DecodeStage(
            pool=pool,
            link=busy,
            transfer_s=transfer_s,
            tpot_met=tpot_met,
            slack=self._slack(pool, transfer_s, self.lengths.weights * tpot_met),
        )

    def _pool(self, decodes: int, stretch: float) -> DecodePool:
        if decodes >= UNLIMITED:
            return decode.idle(self.decode_work)
        return decode.pool(
            self.decode_work,
            self.rate_rps,
            decodes,
            arrival_ca2=self.demand.arrival_ca2,
            loading_tokens=self.rate_rps * self._loading_token_s * min(stretch, 1e3),
        )

    def _slack(self, pool: DecodePool, transfer_s: Floats, weights: Floats) -> Floats:
        """What is left of the TTFT target after all but the wait for prefill, of requests that weigh so."""
        used = self._grid.points(self._path_s(transfer_s), weights)
        if self.first_by_decode:
            used = self._grid.summed(used, first_step(pool, self._grid))
            if pool.admission.probability > LEAST_SHARE:
                used = self._grid.summed(used, self._grid.wait(pool.admission))
        return used[::-1]

    def _path_s(self, transfer_s: Floats) -> Floats:
        if not self.first_by_decode:
            return self.prefill_work.service_s
        return self.prefill_work.service_s + self.decode_work.own_s + transfer_s

    @cached_property
    def _loading_token_s(self) -> float:
        """Token-seconds of KV that a request holds in decode while it is loading over an idle link."""
        return float(self.lengths.weights @ (self.lengths.input_tokens * self.link_work.alone_s))

    def _tpot_within(self, pool: DecodePool, transfer_s: Floats, seconds: float | Floats) -> Floats:
        later = self.lengths.output_tokens - 1
        sharper = 1 / decode.averaging(pool, self.decode_work.steps)
        own_s = self.decode_work.own_s + pool.mean_step_s
        total: Floats = np.zeros(1)
        for share, gap_s in self._gaps(pool, transfer_s):
            mean_s = own_s if gap_s is None else own_s + gap_s / np.maximum(later, 1.0)
            step_s = seconds * sharper + (pool.mean_step_s - mean_s * sharper)
            total = total + share * steps_within(pool, step_s)
        return np.where(later > 0, total, 1.0)

    def _gaps(
        self, pool: DecodePool, transfer_s: Floats
    ) -> tuple[tuple[float, Floats | None], ...]:
        """Weighted seconds that TPOT holds besides its steps: the first gap, if prefill emits token 1."""
        if self.first_by_decode:
            return ((1.0, None),)
        wait = pool.admission
        at_once_s = transfer_s + pool.busy * pool.mean_step_s / 2
        if wait.probability == 0:
            return ((1.0, at_once_s),)
        third = wait.probability / len(THIRDS)
        waits = ((third, at_once_s + z / max(wait.decay_per_s, 1e-9)) for z in THIRDS)
        return ((1 - wait.probability, at_once_s), *waits)


def first_step(pool: DecodePool, grid: Grid) -> Floats:
    """Masses of U·τ + τ: a request that comes in mid-iteration waits for its end."""
    seconds = np.outer(LATE, pool.step_s).ravel()
    weights = np.outer(LATE_SHARES[0] + LATE_SHARES[1] * pool.busy, pool.shares).ravel()
    return grid.points(seconds, weights)


def steps_within(pool: DecodePool, seconds: Floats) -> Floats:
    """P(τ <= t): an atom where nobody else is in the replica, else each state spread over its cell."""
    share = np.cumsum(pool.shares)
    edges = np.append((pool.step_s[1:] + pool.step_s[:-1]) / 2, pool.step_s[-1])
    edges = np.concatenate([pool.step_s[:1], edges])
    within: Floats = np.interp(seconds, edges, np.concatenate([share[:1], share]), left=0.0)
    return within


def _fit(lengths: LengthMix, profiles: Mapping[Role, EngineProfile]) -> NDArray[np.bool_]:
    """Which requests fit an engine's KV alone: the others are refused."""
    least = min(profile.kv.capacity_tokens for profile in profiles.values())
    fit: NDArray[np.bool_] = lengths.input_tokens + lengths.output_tokens <= least
    return fit

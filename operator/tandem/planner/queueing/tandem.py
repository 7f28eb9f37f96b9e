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
from math import inf

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import Demand, Floats, LengthMix
from tandem.planner.queueing import decode, link, prefill
from tandem.planner.queueing.decode import DecodePool
from tandem.planner.queueing.grid import Grid
from tandem.planner.queueing.link import LinkState
from tandem.planner.queueing.wait import NO_WAIT, Wait
from tandem.planner.spec import FleetSpec

UNLIMITED = 10**6  # replicas of a role so many that nobody waits for it
SLO_CELLS = 256  # resolution of TTFT up to its target: 2 ms of 500 ms
THIRDS = (0.1823, 0.6931, 1.7918)  # exponential quantiles at the middles of its thirds
SENDING = 0.25  # of a prefill: a transfer that is shorter keeps no sender busy
SEEN = 0.005  # of the TTFT target: transfers that add less are taken at their mean
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
        link: the ports.
        transfer_s: what is waited for of each length point's transfer on average, shape (points,).
        pinned_tokens: KV that stays on prefill pods until decode has it, of the whole fleet.
        tpot_met: P(TPOT within its target) of each length point.
        slack: share of requests that meet TPOT and have so much left to wait for prefill, on the grid of
            the TTFT target.

    """

    pool: DecodePool
    link: LinkState
    transfer_s: Floats
    pinned_tokens: float
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
        self.link_work = link.work(self.profiles[Role.DECODE], self.lengths, self.prefill_work)
        self.decode_work = decode.work(self.profiles[Role.DECODE], self.lengths)
        self.first_by_decode = self.profiles[Role.DECODE].first_token is Role.DECODE
        self._grid = Grid.over(self.slo.ttft_s, SLO_CELLS)
        self._times_s = self._grid.times_s
        self._waits: dict[float, tuple[Wait, Floats]] = {}
        self._decodes: dict[tuple[int, int], DecodeStage] = {}

    @property
    def rate_rps(self) -> float:
        """Requests a second that an engine can serve at all."""
        return self.demand.rate_rps * self.served

    def attainment(self, prefills: int, decodes: int) -> float:
        """Share of requests that meet TTFT and TPOT both."""
        stage = self.decode(decodes, prefills)
        met = self.served * float(stage.slack @ self._prefill(self._open(prefills, stage))[1])
        return min(self.served, max(0.0, met))

    def path_s(self, decodes: int, prefills: int = UNLIMITED) -> Floats:
        """Seconds to the first token that a length point's own size costs, shape (points,)."""
        return self._path_s(self.decode(decodes, prefills).transfer_s)

    def wait(self, prefills: int, decodes: int = UNLIMITED) -> Wait:
        """The wait for a prefill pod, some of which may have no room for what decode does not take."""
        return self._prefill(self._open(prefills, self.decode(decodes, prefills)))[0]

    def decode(self, decodes: int, prefills: int = UNLIMITED) -> DecodeStage:
        """The decode side with so many replicas, and so many pods that send KV where that matters."""
        key = decodes, prefills if self._senders_matter else UNLIMITED
        if key not in self._decodes:
            self._decodes[key] = self._decode(*key)
        return self._decodes[key]

    def held_up(self, prefills: int, decodes: int) -> float:
        """Share of the time that a prefill pod has no room for a prompt, for what decode has not taken."""
        return 1 - self._open(prefills, self.decode(decodes, prefills)) / prefills

    def tpot_within(self, decodes: int, seconds: float | Floats) -> Floats:
        """P(TPOT <= seconds) of each length point, shape (..., points); 1 where there is one token."""
        stage = self.decode(decodes)
        return self._tpot_within(stage.pool, stage.transfer_s, seconds)

    def _open(self, prefills: int, stage: DecodeStage) -> float:
        """Prefill pods less what of them is held up by KV that decode has not taken."""
        pinned = stage.pinned_tokens / prefills
        if pinned <= link.LEAST_PINNED * self._prefill_room:
            return prefills
        return prefills * (1 - link.held_up(pinned, self._prompt_tokens, self._prefill_room))

    def _prefill(self, prefills: float) -> tuple[Wait, Floats]:
        if prefills not in self._waits:
            wait = NO_WAIT
            if prefills < UNLIMITED:
                ca2 = self.demand.arrival_ca2
                wait = prefill.wait(self.prefill_work, self.rate_rps, ca2, prefills)
            self._waits[prefills] = wait, 1 - wait.beyond(self._times_s)
        return self._waits[prefills]

    def _decode(self, decodes: int, prefills: int) -> DecodeStage:
        prefill_s = self.prefill_work.mean_s if prefills < UNLIMITED else 0.0
        ports = link.state(self.link_work, self.rate_rps, prefills, decodes, prefill_s)
        pool = self._pool(decodes, 1 + ports.excess)
        transfer_s = link.exposed_s(self.link_work, ports.excess)
        wait = pool.admission
        token_s = float(self._tokens @ transfer_s)
        if wait is not NO_WAIT:
            token_s += self.lengths.mean_input * wait.mean_s
        tpot_met = self._tpot_within(pool, transfer_s, self.slo.tpot_s)
        return DecodeStage(
            pool=pool,
            link=ports,
            transfer_s=transfer_s,
            pinned_tokens=self.rate_rps * token_s,
            tpot_met=tpot_met,
            slack=self._slack(
                pool, self.paths_s(ports, transfer_s, self.lengths.weights * tpot_met)
            ),
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

    def _slack(self, pool: DecodePool, paths: tuple[Floats, Floats]) -> Floats:
        """What is left of the TTFT target after all but the wait for prefill, of these paths and weights."""
        used = self._grid.points(*paths)
        if self.first_by_decode:
            used = self._grid.summed(used, first_step(pool, self._grid))
            if pool.admission.probability > LEAST_SHARE:
                used = self._grid.summed(used, self._grid.wait(pool.admission))
        return used[::-1]

    def paths_s(
        self, ports: LinkState, transfer_s: Floats, weights: Floats
    ) -> tuple[Floats, Floats]:
        """The same as `path_s`, each length point divided by how long its transfer takes; and weights."""
        if not self.first_by_decode or not self._spread_matters(ports):
            return self._path_s(transfer_s), weights
        parts = ports.excess * link.parts(ports.spread2)
        transfers_s = link.exposed_s(self.link_work, parts[:, None])
        return self._path_s(transfers_s).ravel(), np.tile(weights / len(parts), len(parts))

    def _spread_matters(self, ports: LinkState) -> bool:
        """Whether what transfers take more or less than on average is to be seen in TTFT."""
        return SEEN * self.slo.ttft_s < ports.excess * self.link_work.mean_s < inf

    @cached_property
    def _senders_matter(self) -> bool:
        """Whether prefill pods, who are at most always busy, could be kept busy by what they send."""
        matter = self.link_work.mean_s > SENDING * self.prefill_work.mean_s
        return matter and self.link_work.mean_s > SEEN * self.slo.ttft_s

    @cached_property
    def _prompt_tokens(self) -> float:
        """E[L²]/E[L], the prompt of a random token."""
        return float(self._tokens @ self.lengths.input_tokens) / self.lengths.mean_input

    @cached_property
    def _tokens(self) -> Floats:
        """Tokens of prompts by length point, shape (points,)."""
        return self.lengths.weights * self.lengths.input_tokens

    @cached_property
    def _prefill_room(self) -> float:
        """Tokens of KV of a prefill pod beside the prompt that it computes."""
        return self.profiles[Role.PREFILL].kv.capacity_tokens - self._prompt_tokens

    def _path_s(self, transfer_s: Floats) -> Floats:
        if not self.first_by_decode:
            return self.prefill_work.service_s
        return self.prefill_work.service_s + self.decode_work.own_s + transfer_s

    @cached_property
    def _loading_token_s(self) -> float:
        """Token-seconds of KV that a request holds in decode while it is loading over an idle link."""
        loading_s = self.link_work.alone_s
        if self.link_work.push_layers:
            loading_s = np.maximum(loading_s, self.prefill_work.service_s)
        return float(self.lengths.weights @ (self.lengths.input_tokens * loading_s))

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

"""Head-room: by how much load could grow before each stage alone uses up the error budget.

Closed forms of the models, one per stage, so that a bottleneck costs no search: each takes the other
stages as they are and asks at which rate its own quantile reaches what the SLO leaves it.
"""

from bisect import bisect_left
from collections.abc import Mapping
from functools import cache
from math import inf, sqrt

import numpy as np
from scipy.special import ndtri

from tandem.planner.model import Bottleneck
from tandem.planner.queueing import mixed, prefill
from tandem.planner.queueing.stages import DecodeStage
from tandem.planner.queueing.tandem import Tandem

AMPLE = 2.0  # a fleet whose tightest stage could carry twice the load has no bottleneck
LEAST_RATE_RPS = 1e-9  # nobody comes: everything could grow without end
LEAST_PINNED = 1e-6  # of prefill KV: nothing, without a division by zero
USES = tuple(
    (1 - np.geomspace(1, 1e-3, 17)[1:]).tolist()
)  # of prefill pods, at which their wait is looked at


def growth(tandem: Tandem, prefills: int, decodes: int) -> Mapping[Bottleneck, float]:
    """The factor by which the rate could grow, per stage; below 1 the stage is too small already."""
    if tandem.rate_rps < LEAST_RATE_RPS:
        return dict.fromkeys(_STAGES, inf)
    stage = tandem.decode(decodes, prefills)
    slack_s, work = _ttft_slack_s(tandem, stage), stage.work
    contexts = 1 + work.context_variance / work.context_tokens**2
    holds_back = _pinned(tandem, stage, prefills)
    return {
        Bottleneck.PREFILL_COMPUTE: _prefill(tandem, prefills, decodes, slack_s),
        Bottleneck.KV_TRANSFER: min(
            _link(tandem, stage, slack_s), holds_back[Bottleneck.KV_TRANSFER]
        ),
        Bottleneck.DECODE_COMPUTE: _held(
            tandem, stage, most_residents(tandem, stage), work.heavy_s / work.resident_s
        ),
        Bottleneck.DECODE_KV: min(
            _held(tandem, stage, work.kv_tokens / work.context_tokens, contexts),
            holds_back[Bottleneck.DECODE_KV],
        ),
    }


def most_residents(tandem: Tandem, stage: DecodeStage) -> float:
    """Residents of a replica whose iteration takes the TPOT target, within its batch cap."""
    return mixed.most_residents(stage.work, tandem.slo.tpot_s)


def bottleneck(growth: Mapping[Bottleneck, float]) -> Bottleneck:
    """The stage that gives way first, or none when all could carry twice the load."""
    tightest = min(growth, key=lambda stage: growth[stage])
    return tightest if growth[tightest] < AMPLE else Bottleneck.NONE


_STAGES = tuple(stage for stage in Bottleneck if stage is not Bottleneck.NONE)


def _ttft_slack_s(tandem: Tandem, stage: DecodeStage) -> float:
    """What TTFT leaves for waiting, on average over the prompts that can make it at all."""
    path_s = tandem.prefill_work.service_s
    if tandem.first_by_decode:
        path_s = path_s + tandem.link_work.alone_s + 1.5 * stage.pool.mean_step_s
    slack_s = tandem.ttft_s - path_s
    weights = tandem.lengths.weights * (slack_s > 0)
    return float(weights @ slack_s / weights.sum()) if weights.any() else 0.0


def _prefill(tandem: Tandem, prefills: int, decodes: int, slack_s: float) -> float:
    """The growth at which P(W > slack) reaches the error budget."""
    work, ca2 = tandem.prefill(prefills, decodes).work, tandem.demand.arrival_ca2
    most_rps, budget = prefills / work.mean_s, 1 - tandem.slo.attainment

    @cache
    def missed(use: float) -> float:
        return prefill.wait(work, use * most_rps, ca2, prefills).miss(slack_s)

    place = bisect_left(USES, budget, key=missed)
    around = USES[max(place - 1, 0) : place + 1]
    use = float(np.interp(budget, [missed(use) for use in around], around))
    return use * most_rps / tandem.rate_rps


def _link(tandem: Tandem, stage: DecodeStage, slack_s: float) -> float:
    """The growth at which stretching the mean transfer, x/(1 − ρ), uses up the slack."""
    if not tandem.first_by_decode:
        slack_s = tandem.slo.tpot_s * max(tandem.lengths.mean_output - 1, 0.0)
    mean_s = tandem.link_work.mean_s
    return slack_s / (slack_s + mean_s) / stage.link.use


def _pinned(tandem: Tandem, stage: DecodeStage, prefills: int) -> Mapping[Bottleneck, float]:
    """The growth at which KV that decode has not taken fills prefill pods, by why it has not.

    Prefill stands still then, and is not what lacks: the transfer or the wait for decode's KV is,
    whichever is longer.
    """
    waits_s = stage.pool.admission.mean_s
    moves_s = float(tandem.lengths.weights @ stage.transfer_s)
    growth = 1 / max(tandem.pinned_share(stage, prefills), LEAST_PINNED)
    by_wait = waits_s > moves_s
    return {
        Bottleneck.KV_TRANSFER: inf if by_wait else growth,
        Bottleneck.DECODE_KV: growth if by_wait else inf,
    }


def _held(tandem: Tandem, stage: DecodeStage, most: float, spread: float) -> float:
    """The growth at which residents n + z·√Var reach `most`, Var = n · spread · τ/α / D."""
    work, replicas = stage.work, stage.replicas
    z = float(ndtri(tandem.slo.attainment))
    slowed = work.step_s(most) / work.fixed_s  # 1/(1 − ρ) at the limit
    sway = z * sqrt(spread * slowed / replicas)
    residents = ((sqrt(sway**2 + 4 * most) - sway) / 2) ** 2
    return replicas * residents / work.step_s(residents) / work.mean_steps / tandem.rate_rps

"""Prediction: percentiles, attainment, utilisation and bottleneck of a fleet of given size."""

from collections.abc import Mapping
from math import inf

import numpy as np

from tandem.api.role import Role
from tandem.planner.demand import Demand, Floats
from tandem.planner.model import QUANTILES, Bottleneck, Prediction
from tandem.planner.queueing import headroom
from tandem.planner.queueing.grid import Grid
from tandem.planner.queueing.latency import LEAST_SHARE
from tandem.planner.queueing.stages import DecodeStage
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.queueing.tokens import first_step
from tandem.planner.spec import FleetSpec

TTFT_CELLS = 512
TPOT_CELLS = 27  # between the least and the most TPOT
REACH = 0.9995  # grids reach this quantile of each of their parts


def predict(demand: Demand, spec: FleetSpec, replicas: Mapping[Role, int]) -> Prediction:
    """What a fleet of this size does with this demand; about 0.7 ms."""
    return of(Tandem(demand, spec), replicas[Role.PREFILL], replicas[Role.DECODE])


def of(tandem: Tandem, prefills: int, decodes: int) -> Prediction:
    """The prediction for a pair whose stages may be known already."""
    if min(prefills, decodes) < 1:
        return NOTHING
    growth = headroom.growth(tandem, prefills, decodes)
    return Prediction(
        attainment=tandem.attainment(prefills, decodes),
        classes=classes(tandem, prefills, decodes),
        ttft_s=ttft_quantiles_s(tandem, prefills, decodes),
        tpot_s=tpot_quantiles_s(tandem, prefills, decodes),
        utilisation=utilisation(tandem, prefills, decodes),
        bottleneck=headroom.bottleneck(growth),
        preempted=tandem.decode(decodes, prefills).pool.preempted,
        held_up=tandem.prefill(prefills, decodes).held_up,
    )


def classes(tandem: Tandem, prefills: int, decodes: int) -> Mapping[str, float]:
    """The attainment of each class by its name, where there are several; those of none are `others`."""
    if len(tandem.targets) == 1:
        return {}
    attained = tandem.attainments(prefills, decodes).tolist()
    return {each.name: share for each, share in zip(tandem.targets, attained, strict=True)}


def ttft_quantiles_s(tandem: Tandem, prefills: int, decodes: int) -> tuple[float, ...]:
    """TTFT at `QUANTILES`, from the convolution of all its parts."""
    wait, stage = tandem.wait(prefills, decodes), tandem.decode(decodes, prefills)
    path_s, weights = tandem.paths(prefills, decodes)
    waits = [wait, stage.pool.admission] if tandem.first_by_decode else [wait]
    if any(each.is_endless for each in waits) or stage.link.excess == inf:
        return (inf,) * len(QUANTILES)
    longest_s = weighted_quantile(path_s, weights, REACH)
    span_s = longest_s + sum(each.quantile_s(REACH) for each in waits)
    grid = Grid.over(span_s + 2 * float(stage.pool.step_s[-1]), TTFT_CELLS)
    total = grid.summed(grid.points(path_s, weights), grid.wait(waits[0]))
    if tandem.first_by_decode:
        total = grid.summed(total, first_step(stage.pool, grid))
    for each in waits[1:]:
        if each.probability > LEAST_SHARE:
            total = grid.summed(total, grid.wait(each))
    return _tuple(grid.quantile_s(total, np.array(QUANTILES)))


def tpot_quantiles_s(tandem: Tandem, prefills: int, decodes: int) -> tuple[float, ...]:
    """TPOT at `QUANTILES`, over requests of two tokens and more."""
    stage, weights = tandem.decode(decodes, prefills), tandem.lengths.weights
    long = weights * (tandem.lengths.output_tokens > 1)
    if not long.any():
        return (0.0,) * len(QUANTILES)
    is_endless = stage.pool.admission.is_endless or stage.link.excess == inf
    if is_endless and not tandem.first_by_decode:
        return (inf,) * len(QUANTILES)
    weight = long / long.sum()
    low_s, high_s = _tpot_range_s(tandem, stage)
    seconds = low_s + (high_s - low_s) / TPOT_CELLS * np.arange(TPOT_CELLS + 1, dtype=np.float64)
    within = tandem.tpot_within(decodes, seconds[:, None], prefills) @ weight
    return _tuple(np.interp(QUANTILES, np.maximum.accumulate(within), seconds))


def utilisation(tandem: Tandem, prefills: int, decodes: int) -> Mapping[str, float]:
    """Shares: prefill and link of time, decode of the tokens it can give at the TPOT target, KV of room."""
    stage = tandem.decode(decodes, prefills)
    work, residents = stage.work, max(headroom.most_residents(tandem, stage), 1.0)
    most_tokens_per_s = stage.replicas * residents / work.step_s(residents)
    profiles = tandem.fillings[Role.DECODE].profiles
    capacity = sum(part.share * profiles[part.kind].kv.capacity_tokens for part in stage.parts)
    return {
        "prefill": tandem.rate_rps * tandem.prefill(prefills, decodes).work.mean_s / prefills,
        "link": stage.link.use,
        "decode": tandem.rate_rps * work.mean_steps / most_tokens_per_s,
        "kv": stage.pool.kv_tokens / capacity,
    }


def _tpot_range_s(tandem: Tandem, stage: DecodeStage) -> tuple[float, float]:
    """Between which times TPOT lies, but for one request in a thousand."""
    own_s, weights = stage.work.own_s, tandem.lengths.weights
    share = stage.pool.shares.cumsum()
    low, high = np.interp([1 - REACH, REACH], share, stage.pool.step_s)
    least_s, most_s = (weighted_quantile(own_s, weights, part) for part in (1 - REACH, REACH))
    if not tandem.first_by_decode:
        gap_s = stage.transfer_s + stage.pool.admission.quantile_s(REACH) + high
        high += float(np.max(gap_s / np.maximum(tandem.lengths.output_tokens - 1, 1.0)))
    return float(low + least_s) * (1 - 1e-6), float(high + most_s) * (1 + 1e-6)


def weighted_quantile(values: Floats, weights: Floats, share: float) -> float:
    """The least of the values that so much of the weight, 1 in all, does not exceed."""
    order = values.argsort()
    place = int(weights[order].cumsum().searchsorted(share - 1e-12))
    return float(values[order[min(place, len(values) - 1)]])


def _tuple(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


_NEVER = (inf,) * len(QUANTILES)
NOTHING = Prediction(  # a role without replicas serves nobody
    attainment=0.0,
    ttft_s=_NEVER,
    tpot_s=_NEVER,
    utilisation=dict.fromkeys(("prefill", "link", "decode", "kv"), inf),
    bottleneck=Bottleneck.PREFILL_COMPUTE,
)

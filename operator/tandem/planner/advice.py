"""Advice: what more, and what less, would bring; worked out only when somebody asks.

Pure functions over a sizing: the worth of one more pod of each role, what breaks the bottleneck, and the
cheapest SLO that a budget can meet where it can't meet the one that was asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tandem.api.role import Role
from tandem.planner import packing, placement, staircase
from tandem.planner.demand import Demand
from tandem.planner.model import Bottleneck
from tandem.planner.queueing import headroom
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.region import Pair, counts
from tandem.planner.sizing import Sizing, size
from tandem.planner.spec import FleetSpec

PRECISE = 0.01  # of a rate or of targets; the model itself is not better
LOOSEST = 2.0**12  # times the targets: what that does not meet is overload and no question of time
MOST_MORE = 64  # replicas that are tried to break a bottleneck


@dataclass(frozen=True, slots=True, kw_only=True)
class Marginal:
    """What one more pod of a role is worth: attainment gained, and requests a second more within the SLO."""

    attainment: float
    rate_rps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Relief:
    """So many more replicas of a role after which another stage gives way first, at such a growth of load."""

    bottleneck: Bottleneck
    role: Role
    replicas: int
    then: Bottleneck
    growth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttainableSlo:
    """Targets so many times as long as asked, and the pair that meets them within bounds and budget."""

    factor: float
    ttft_s: float
    tpot_s: float
    replicas: Pair


def marginal(sizing: Sizing) -> Mapping[Role, Marginal]:
    """The worth of one more pod of each role, the other as it is; of roles for which domains have room."""
    pair = sizing.replicas
    attained, served_rps = _attained(sizing, pair), most_rps(sizing, pair)
    more = {role: {**pair, role: pair[role] + 1} for role in Role}
    own = packing.of(sizing.spec)
    more = {role: other for role, other in more.items() if own is None or own.holds(*counts(other))}
    return {
        role: Marginal(
            attainment=_attained(sizing, other) - attained,
            rate_rps=most_rps(sizing, other) - served_rps,
        )
        for role, other in more.items()
    }


def most_rps(sizing: Sizing, pair: Pair) -> float:
    """The highest rate that a pair serves within the SLO, to a hundredth; 0 where it serves none."""
    tandem = sizing.tandem
    if sizing.spec.domains:
        return placement.most_rps(tandem, sizing.spec, pair)
    low_rps, high_rps = 0.0, min(_busy_rps(tandem, role, pair[role]) for role in Role)
    shares, least_rps = staircase.shares_of(tandem), PRECISE * high_rps
    while high_rps - low_rps > least_rps:
        middle_rps = (low_rps + high_rps) / 2
        other = Tandem(replace(tandem.demand, rate_rps=middle_rps), sizing.spec)
        if staircase.meets(other, shares, pair[Role.PREFILL], pair[Role.DECODE]):
            low_rps = middle_rps
        else:
            high_rps = middle_rps
    return low_rps


def relief(sizing: Sizing) -> Relief | None:
    """What breaks the bottleneck; None where there is none, or where no number of pods would.

    None too of a fleet whose pods lie in domains: each of these has a bottleneck of its own.
    """
    if sizing.placement is not None:
        return None
    tandem, pair = sizing.tandem, dict(sizing.replicas)
    now = headroom.bottleneck(headroom.growth(tandem, *counts(pair)))
    if now is Bottleneck.NONE:
        return None
    role = Role.PREFILL if now is Bottleneck.PREFILL_COMPUTE else Role.DECODE
    for more in range(1, MOST_MORE + 1):
        growth = headroom.growth(tandem, *counts({**pair, role: pair[role] + more}))
        then = min(growth, key=lambda stage: growth[stage])
        if then is not now or growth[then] >= headroom.AMPLE:
            then = headroom.bottleneck(growth)
            least = min(growth.values())
            return Relief(bottleneck=now, role=role, replicas=more, then=then, growth=least)
    return None


def attainable(demand: Demand, spec: FleetSpec) -> AttainableSlo | None:
    """The cheapest SLO that bounds and budget can meet: TTFT and TPOT as short as can be, in proportion.

    None where they are overloaded, however long requests may take.
    """
    high, met = 1.0, _met(demand, spec, 1.0)
    while met is None:
        high *= 2
        if high > LOOSEST:
            return None
        met = _met(demand, spec, high)
    low = high / 2
    while high > 1 and high - low > PRECISE * low:
        middle = (low + high) / 2
        found = _met(demand, spec, middle)
        low, high, met = (low, middle, found) if found is not None else (middle, high, met)
    return AttainableSlo(
        factor=high,
        ttft_s=spec.slo.ttft_s * high,
        tpot_s=spec.slo.tpot_s * high,
        replicas=met.replicas,
    )


def _met(demand: Demand, spec: FleetSpec, factor: float) -> Sizing | None:
    """The answer where targets are so many times as long; None where it does not meet them."""
    classes = tuple(replace(each, slo=each.slo.times(factor)) for each in spec.classes)
    looser = replace(spec, slo=spec.slo.times(factor), classes=classes)
    found = size(demand, looser)
    return found if found.feasible else None


def _busy_rps(tandem: Tandem, role: Role, replicas: int) -> float:
    """Requests a second at which replicas are never idle, those that are refused among them."""
    counts = tandem.fillings[role].counts(replicas)
    busy_rps = sum(n * each for n, each in zip(counts, tandem.most_rps(role), strict=True))
    return busy_rps / max(tandem.served, PRECISE)


def _attained(sizing: Sizing, pair: Pair) -> float:
    return placement.attainment(sizing.tandem, sizing.spec, pair)

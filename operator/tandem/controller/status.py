"""What a person is told of a fleet: one tick as a status. Pure; the status is never read back.

What a tick that failed can't tell stays as it was told before; the conditions say that it failed.
"""

import datetime as dt
from collections.abc import Sequence
from math import isfinite
from typing import Any

from tandem.api import duration
from tandem.api.autoscaling import Mode
from tandem.api.base import GROUP, VERSION
from tandem.api.condition import Condition, ConditionState
from tandem.api.fleet import DisaggregatedLLM
from tandem.api.fleet_status import (
    CostStatus,
    FleetStatus,
    Phase,
    RatioStatus,
    RolesStatus,
    RoleStatus,
    SloStatus,
)
from tandem.api.role import Role
from tandem.controller import decision, inputs, learnt
from tandem.controller.conditions import Look, conditions
from tandem.controller.figures import exactness
from tandem.controller.loop import Tick
from tandem.controller.reasons import SPEC, Trouble, Type
from tandem.controller.recent import Recent
from tandem.planner.model import QUANTILES, Plan, Prediction
from tandem.planner.observation import Observation
from tandem.planner.region import Pair
from tandem.planner.spec import FleetSpec
from tandem.planner.words import DIGITS

WRITE_EVERY_S = 30.0
ROUNDING = 1e-6  # 100 × 0.991 is 99.1
LONGEST_S = 24 * 3600.0  # of a latency that is worth telling


def fleet_status(
    fleet: DisaggregatedLLM | None,
    tick: Tick | None,
    before: FleetStatus | None,
    generation: int | None,
    now: dt.datetime,
    *,
    spec: FleetSpec | None = None,
    recent: Recent | None = None,
    troubles: Sequence[Trouble] = (),
    whole: bool = True,
) -> FleetStatus:
    """The status after a tick; where it is not `whole`, figures that decide nothing stay as they were told.

    `fleet` and `spec` are None where the resource can't be carried out, `tick` where none was made;
    `recent` has this tick in it already; `before` is what was told last.
    """
    now, told = now.replace(microsecond=0), before or FleetStatus()
    if recent is None:
        recent = Recent() if tick is None else Recent().after(tick)
    look = Look(
        fleet=fleet,
        tick=tick,
        now=now,
        troubles=troubles,
        recent=recent,
    )
    claims = conditions(look, told.conditions, generation)
    changed: dict[str, Any] = {
        "observed_generation": generation,
        "phase": _phase(look, claims),
        "conditions": claims,
        **_seen(look, told, spec, whole=whole),
    }
    return told.model_copy(update=changed)


def should_write(
    before: FleetStatus | None,
    after: FleetStatus,
    last_written: dt.datetime | None,
    now: dt.datetime,
) -> bool:
    """At once when a decision, the phase or a condition changed, else every half minute."""
    if before is None or last_written is None or _gist(before) != _gist(after):
        return True
    return (now - last_written).total_seconds() >= WRITE_EVERY_S


def written(status: FleetStatus, namespace: str, name: str) -> dict[str, Any]:
    """The body of an apply of the status."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "DisaggregatedLLM",
        "metadata": {"name": name, "namespace": namespace},
        "status": status.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def _gist(status: FleetStatus) -> object:
    last = status.last_decision
    return (
        status.observed_generation,
        status.phase,
        last and last.final,
        status.history,
        [(claim.type, claim.status, claim.reason) for claim in status.conditions],
    )


def _phase(look: Look, claims: Sequence[Condition]) -> Phase | None:
    if any(trouble.reason in SPEC for trouble in look.troubles):
        return Phase.INVALID
    if look.fleet is not None and look.fleet.spec.autoscaling.mode is Mode.PAUSED:
        return Phase.PAUSED
    ready = next(claim for claim in claims if claim.type == Type.READY)
    return Phase.READY if ready.status is ConditionState.TRUE else Phase.STARTING


def _seen(look: Look, told: FleetStatus, spec: FleetSpec | None, *, whole: bool) -> dict[str, Any]:
    """The blocks that a whole tick fills; none after one that failed."""
    tick, fleet = look.tick, look.fleet
    if fleet is None or tick is None or tick.observation is None or tick.plan is None:
        return {}
    decided = {
        "last_decision": decision.of(tick.observation, tick.plan, look.now),
        "history": decision.history(tick.changes, told.history, look.now),
    }
    return decided | (_figures(look, fleet, tick.observation, tick.plan, spec) if whole else {})


def _figures(
    look: Look, fleet: DisaggregatedLLM, seen: Observation, plan: Plan, spec: FleetSpec | None
) -> dict[str, Any]:
    """Those that decide nothing."""
    wishes = {role: each.unclamped for role, each in plan.roles.items()}
    ready = {role: pods.ready for role, pods in seen.pods.items()}
    return {
        "roles": _roles(seen, plan, paused=fleet.spec.autoscaling.mode is Mode.PAUSED),
        "ratio": RatioStatus(current=_ratio(ready), optimal=_ratio(wishes)),
        "slo": _slo(fleet, seen, plan.prediction, look.recent),
        "bottleneck": plan.bottleneck.value,
        "model": learnt.of(plan.memory, spec),
        "cost": _cost(seen, plan, spec),
    }


def _roles(seen: Observation, plan: Plan, *, paused: bool) -> RolesStatus:
    each = {
        role: RoleStatus.of(
            desired=pods.desired if paused else plan.roles[role].target,
            ready=pods.ready,
            starting=pods.starting,
            draining=pods.draining,
        )
        for role, pods in seen.pods.items()
    }
    return RolesStatus(prefill=each[Role.PREFILL], decode=each[Role.DECODE])


def _ratio(pair: Pair) -> str:
    return f"{pair[Role.PREFILL]}:{pair[Role.DECODE]}"


def _slo(
    fleet: DisaggregatedLLM, seen: Observation, prediction: Prediction | None, recent: Recent
) -> SloStatus:
    attained = recent.attainment
    quantiles: dict[str, str | None] = {}
    if prediction is not None:
        for name, values in (("ttft", prediction.ttft_s), ("tpot", prediction.tpot_s)):
            quantiles |= {
                f"{name}_p{round(100 * at)}": latency(value_s)
                for at, value_s in zip(QUANTILES, values, strict=True)
                if f"{name}_p{round(100 * at)}" in SloStatus.model_fields
            }
    return SloStatus(
        attainment=None if attained is None else round(attained, 5),
        attainment_percent=None if attained is None else percent(attained),
        exactness=exactness(seen.traffic, duration.seconds(fleet.spec.metrics.max_age)),
        **quantiles,
    )


def latency(value_s: float) -> str | None:
    """Seconds as a duration; None where a stage is overloaded and there is no end."""
    return duration.text(value_s) if 0 <= value_s < LONGEST_S else None


def percent(attained: float) -> str:
    """A share such as 99.5%, finer near all of it; rounded down, so that a miss is never 100%."""
    per_cent = 100 * attained
    scale = 10 ** next((digits for least, digits in DIGITS if per_cent >= least), 1)
    floored = int(per_cent * scale + ROUNDING) / scale
    return f"{floored:.3f}".rstrip("0").rstrip(".") + "%"


def _cost(seen: Observation, plan: Plan, spec: FleetSpec | None) -> CostStatus | None:
    """What all pods that are not yet gone cost; None where nobody said a price."""
    per_hour = None if spec is None else cost_per_hour(seen, spec)
    if per_hour is None:
        return None
    tokens = inputs.output_tokens_per_hour(plan.memory)
    per_token = per_hour / tokens * 1000 if tokens else 0.0
    per_1k = f"{per_token:.6f}" if 0 < per_token < 1e6 else None  # noqa: PLR2004 - a price
    return CostStatus(per_hour=f"{per_hour:.2f}", per1k_tokens=per_1k)


def cost_per_hour(seen: Observation, spec: FleetSpec) -> float | None:
    """What all pods that are not yet gone cost an hour; None where nobody said a price."""
    prices = {role: given.profile.cost_per_hour for role, given in spec.roles.items()}
    if not any(prices.values()):
        return None
    pods = (
        (role, counts.ready + counts.starting + counts.draining)
        for role, counts in seen.pods.items()
    )
    cost = sum(prices[role] * count for role, count in pods)
    return cost if isfinite(cost) else None

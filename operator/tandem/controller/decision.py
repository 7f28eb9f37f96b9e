"""A plan as a status tells it: the decision with all that led to it, and the changes it made."""

import datetime as dt
from collections.abc import Sequence

from tandem.api.decision_status import (
    MOST_CHANGES,
    MOST_CLAMPS,
    ChangeStatus,
    ClampStatus,
    CounterfactualStatus,
    DecisionStatus,
    ReplicaPair,
)
from tandem.api.role import Role
from tandem.controller import inputs
from tandem.controller.loop import Change
from tandem.planner.model import Clamp, Plan, RunnerUp
from tandem.planner.observation import Observation
from tandem.planner.region import Pair


def of(seen: Observation, plan: Plan, now: dt.datetime) -> DecisionStatus:
    """The decision of a tick."""
    clamps = [clamp for role in Role for clamp in plan.roles[role].clamps]
    return DecisionStatus(
        time=now,
        inputs=inputs.of(seen, plan.memory),
        unclamped=_pair({role: plan.roles[role].unclamped for role in Role}),
        clamps=tuple(_clamp(clamp) for clamp in clamps[:MOST_CLAMPS]),
        final=_pair({role: plan.roles[role].target for role in Role}),
        reason=reason(plan),
        counterfactual=_counterfactual(plan.runner_up),
        next_review=now + dt.timedelta(seconds=plan.look_again_s),
    )


def reason(plan: Plan) -> str:
    """Why each role has its target; once where the roles share the reason."""
    reasons = {role: plan.roles[role].reason for role in Role}
    if len(set(reasons.values())) == 1:
        return reasons[Role.PREFILL]
    return " | ".join(f"{role}: {text}" for role, text in reasons.items())


def history(
    changes: Sequence[Change], told: Sequence[ChangeStatus], now: dt.datetime
) -> tuple[ChangeStatus, ...]:
    """The changes of a tick before those that were told of already, the newest first."""
    new = (
        ChangeStatus(
            time=now,
            role=change.role,
            before=change.before,
            after=change.after,
            reason=change.reason,
        )
        for change in changes
    )
    return (*new, *told)[:MOST_CHANGES]


def _clamp(clamp: Clamp) -> ClampStatus:
    return ClampStatus(
        limit=clamp.limit,
        role=clamp.role,
        before=clamp.before,
        after=clamp.after,
        reason=clamp.reason,
    )


def _counterfactual(loser: RunnerUp | None) -> CounterfactualStatus | None:
    if loser is None:
        return None
    return CounterfactualStatus(replicas=_pair(loser.replicas), reason=loser.reason)


def _pair(replicas: Pair) -> ReplicaPair:
    return ReplicaPair(prefill=replicas[Role.PREFILL], decode=replicas[Role.DECODE])

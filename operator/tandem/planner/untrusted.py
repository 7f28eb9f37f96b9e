"""What a policy that asks a model wishes for while the model is not believed, as the fleet says."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from tandem.api.fallback import OnUntrusted
from tandem.api.role import Role
from tandem.planner import bands
from tandem.planner.observation import Observation
from tandem.planner.policies.proposal import Proposal, current
from tandem.planner.region import Pair
from tandem.planner.spec import FleetSpec

Instead = Callable[[Proposal, Observation, FleetSpec, str], Proposal]


def instead(proposal: Proposal, observation: Observation, spec: FleetSpec, why: str) -> Proposal:
    """The proposal without what the model said; `why` it is not believed."""
    return _INSTEAD[spec.on_untrusted](proposal, observation, spec, why)


def _hold(proposal: Proposal, observation: Observation, spec: FleetSpec, why: str) -> Proposal:  # noqa: ARG001
    """Every role as it is."""
    now = {role: current(observation, role) for role in Role}
    return _fixed(proposal, now, "held", f"{why}: held until it is believed again")


def _most(proposal: Proposal, observation: Observation, spec: FleetSpec, why: str) -> Proposal:  # noqa: ARG001
    """Every role at its maximum; back from it no sooner than from bands."""
    most = _fixed(proposal, spec.most, "the most", f"{why}: the most until it is believed again")
    return replace(most, hold_s=max(proposal.hold_s, bands.DOWN_S))


def _fixed(proposal: Proposal, wishes: Pair, reason: str, note: str) -> Proposal:
    return replace(
        proposal,
        wishes=wishes,
        ideal=wishes,
        reasons=dict.fromkeys(Role, f"{reason}, the model is not believed"),
        notes=(note,),
        runner_up=None,
        goal=0.0,
    )


_INSTEAD: Mapping[OnUntrusted, Instead] = MappingProxyType(
    {OnUntrusted.BANDS: bands.instead, OnUntrusted.HOLD: _hold, OnUntrusted.MAX: _most}
)

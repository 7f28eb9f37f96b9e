"""A fleet's resource and the profiles it names, as the planner sees them: in SI units."""

from collections.abc import Mapping
from dataclasses import replace

from tandem.api import autoscaling, duration, quantity
from tandem.api.engine_profile import EngineProfile as ProfileResource
from tandem.api.fleet import DisaggregatedLLM
from tandem.api.role import Role
from tandem.api.role_spec import Pool
from tandem.api.role_spec import RoleSpec as RoleResource
from tandem.api.schedule import Schedule as ScheduleResource
from tandem.errors import InvalidInputError
from tandem.perf import from_resource
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.spec import (
    Behavior,
    Budget,
    FleetSpec,
    RatioBounds,
    RoleSpec,
    Schedule,
    Slo,
)


def fleet_spec(fleet: DisaggregatedLLM, profiles: Mapping[str, ProfileResource]) -> FleetSpec:
    """What the planner is asked to hold; `profiles` are those of the fleet's namespace, by name."""
    spec = fleet.spec
    scaling = spec.autoscaling
    roles = {
        role: _role(given, _profile(given.pool, spec.model.name, profiles, f"spec.{role}.pools[0]"))
        for role, given in spec.roles.items()
    }
    return FleetSpec(
        slo=Slo(
            ttft_s=duration.seconds(spec.slo.ttft.target),
            tpot_s=duration.seconds(spec.slo.tpot.target),
            attainment=spec.slo.attainment,
        ),
        roles=roles,
        ratio=_ratio(scaling.ratio),
        budget=_budget(scaling.budget, roles),
        behavior=Behavior(
            up_max_step=scaling.behavior.scale_up.max_step,
            down_window_s=duration.seconds(scaling.behavior.scale_down.window),
            down_max_step=scaling.behavior.scale_down.max_step,
            stale_after_s=duration.seconds(spec.metrics.max_age),
        ),
        policy=scaling.policy.name,
        parameters=scaling.policy.parameters,
        interval_s=duration.seconds(scaling.interval),
        paused=scaling.mode is autoscaling.Mode.PAUSED,
        schedules=tuple(_schedule(given) for given in scaling.schedules),
        on_stale=scaling.on_stale,
        on_untrusted=scaling.on_untrusted,
    )


def _role(given: RoleResource, profile: EngineProfile) -> RoleSpec:
    bounds = RoleSpec(
        profile=profile, min_replicas=given.replicas.min, max_replicas=given.replicas.max
    )
    if not profile.cold_start_s:
        return bounds  # nobody measured it: the planner's own assumption holds
    return replace(bounds, lead_time_s=profile.cold_start_total_s)


def _profile(
    pool: Pool, model: str, profiles: Mapping[str, ProfileResource], field: str
) -> EngineProfile:
    """The profile that a pool names, at the pool's price; it must be of the pool's replicas."""
    if pool.profile_ref not in profiles:
        allowed = f"the name of an EngineProfile: {', '.join(sorted(profiles)) or 'there is none'}"
        raise InvalidInputError(f"{field}.profileRef", pool.profile_ref, allowed)
    profile = from_resource.engine_profile(profiles[pool.profile_ref])
    measured = f"{profile.accelerators} x {profile.accelerator}, as profile {profile.name}"
    if (pool.accelerator.name, pool.accelerator.count) != (
        profile.accelerator,
        profile.accelerators,
    ):
        given = f"{pool.accelerator.count} x {pool.accelerator.name}"
        raise InvalidInputError(f"{field}.accelerator", given, measured)
    if profile.model != model:
        raise InvalidInputError(
            f"{field}.profileRef",
            pool.profile_ref,
            f"a profile of {model}; it is of {profile.model}",
        )
    if pool.accelerator.cost_per_hour is None:
        return profile
    return replace(profile, cost_per_hour=from_resource.replica_cost_per_hour(pool.accelerator))


def _ratio(given: autoscaling.Ratio | None) -> RatioBounds:
    if given is None:
        return RatioBounds()
    return RatioBounds(lowest=_pair(given.min), highest=_pair(given.max))


def _pair(given: autoscaling.RatioPair | None) -> tuple[int, int] | None:
    return None if given is None else (given.prefill, given.decode)


def _schedule(given: ScheduleResource) -> Schedule:
    return Schedule(
        cron=given.cron,
        timezone=given.timezone,
        lasts_s=duration.seconds(given.lasts),
        floors=given.floors,
    )


def _budget(given: autoscaling.Budget | None, roles: Mapping[Role, RoleSpec]) -> Budget:
    """The budget; that it pays for the minima shows only here, where the prices are known."""
    if given is None:
        return Budget()
    if given.cost_per_hour is None:
        return Budget(accelerators=given.accelerators)
    cost = float(quantity.amount(given.cost_per_hour))
    minima = sum(role.min_replicas * role.profile.cost_per_hour for role in roles.values())
    if cost < minima:
        field = "spec.autoscaling.budget.costPerHour"
        allowed = f"at least {minima:g}, which replicas.min of all roles together cost"
        raise InvalidInputError(field, given.cost_per_hour, allowed)
    return Budget(accelerators=given.accelerators, cost_per_hour=cost)

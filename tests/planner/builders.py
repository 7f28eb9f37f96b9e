"""Specs, demands and observations with calm defaults, so that a case shows only what matters."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from tandem.api.role import Role
from tandem.perf.engine_profile import (
    DecodeCost,
    EngineProfile,
    KvCache,
    PrefillCost,
    TransferCost,
)
from tandem.planner.cells import Cells
from tandem.planner.demand import Demand, from_means
from tandem.planner.observation import (
    Figure,
    LengthCounts,
    Missing,
    Observation,
    PodCounts,
    Reading,
    Traffic,
)
from tandem.planner.spec import Behavior, FleetSpec, RoleSpec, Slo

P, D = Role.PREFILL, Role.DECODE

# 100 ms for 1000 tokens; a step of 10 ms + 0.16 ms for each resident of 1600 tokens.
ENGINE = EngineProfile(
    name="test-engine",
    model="test/model",
    accelerator="test",
    accelerators=1,
    prefill=PrefillCost(a_s=0.01, b_s_per_token=9e-5, c_s_per_token2=0.0),
    decode=DecodeCost(alpha_s=0.010, beta_s_per_sequence=6e-5, gamma_s_per_token=6e-8),
    kv=KvCache(bytes_per_token=1e5, capacity_tokens=1_000_000),
    transfer=TransferCost(latency_s=0.001, bandwidth_bytes_per_s=1e10),
)


def pair(prefill: int, decode: int) -> Mapping[Role, int]:
    return {P: prefill, D: decode}


def counts(replicas: Mapping[Role, int]) -> tuple[int, int]:
    return replicas[P], replicas[D]


def spec(
    *,
    ttft_s: float = 1.0,
    tpot_s: float = 0.03,
    attainment: float = 0.99,
    profile: EngineProfile = ENGINE,
    low: tuple[int, int] = (1, 1),
    high: tuple[int, int] = (64, 64),
    lead_time_s: float = 60.0,
    behavior: Behavior = Behavior(down_window_s=0.0, down_max_step=64, up_max_step=64),  # noqa: B008
    **rest: Any,
) -> FleetSpec:
    bounds = zip(Role, low, high, strict=True)
    roles = {
        role: RoleSpec(
            profile=profile, min_replicas=least, max_replicas=most, lead_time_s=lead_time_s
        )
        for role, least, most in bounds
    }
    return FleetSpec(
        slo=Slo(ttft_s=ttft_s, tpot_s=tpot_s, attainment=attainment),
        roles=MappingProxyType(roles),
        behavior=behavior,
        **rest,
    )


def demand(
    rate_rps: float = 20.0,
    input_tokens: float = 1000.0,
    output_tokens: float = 200.0,
    *,
    input_cv: float = 0.0,
    output_cv: float = 0.0,
    ca2: float = 1.0,
) -> Demand:
    lengths = from_means(input_tokens, output_tokens, input_cv=input_cv, output_cv=output_cv)
    return Demand(rate_rps=rate_rps, lengths=lengths, arrival_ca2=ca2)


def observation(
    now_s: float,
    *,
    rate_rps: float | Reading = 20.0,
    pods: Mapping[Role, int | PodCounts] | None = None,
    interval_s: float = 5.0,
    lengths: tuple[int, int, int] = (1000, 0, 200),
    **traffic: Any,
) -> Observation:
    """A tick of a fleet whose pods are all ready, `rate_rps` requests a second coming in and ending."""
    arrivals = rate_rps
    cells: LengthCounts | Missing = Missing("no traffic")
    prompts: LengthCounts | Missing = Missing("no traffic")
    if isinstance(rate_rps, int | float):
        arrivals = Figure(rate_rps * interval_s)
        cells = LengthCounts(cells=Cells.of((*lengths, rate_rps * interval_s)))
        prompts = LengthCounts(cells=Cells.of((*lengths[:2], 1, rate_rps * interval_s)))
    seen = Traffic(
        **{
            "interval_s": interval_s,
            "arrivals": arrivals,
            "dispersion": Figure(1.0),
            "lengths": cells,
            "prompts": prompts,
            "queued_requests": Figure(0.0),
            "queued_tokens": Figure(0.0),
            **traffic,
        }
    )
    return Observation(
        now_s=now_s,
        pods={role: _counts(count) for role, count in (pods or pair(1, 1)).items()},
        traffic=seen,
    )


def costing(profile: EngineProfile, cost_per_hour: float, accelerators: int = 1) -> EngineProfile:
    return replace(profile, cost_per_hour=cost_per_hour, accelerators=accelerators)


def _counts(count: int | PodCounts) -> PodCounts:
    return count if isinstance(count, PodCounts) else PodCounts(desired=count, ready=count)

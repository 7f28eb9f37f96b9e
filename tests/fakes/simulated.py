"""Builders for simulated fleets with numbers that a person can add up."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tandem.api.role import Role
from tandem.perf.engine_profile import (
    DecodeCost,
    EngineProfile,
    KvCache,
    PrefillCost,
    TransferCost,
)
from tandem.planner.model import Decision, Memory, Plan
from tandem.planner.observation import Observation
from tandem.planner.spec import FleetSpec, RoleSpec, Slo
from tandem.simulator.scenario import Planner, Scenario
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

ROUND = EngineProfile(
    # prefill 10 ms + 1 ms a token; step 10 ms + 1 ms a sequence + 10 us a token of context;
    # transfer 5 ms + 1 ms a token
    name="round-numbers",
    model="none",
    accelerator="none",
    accelerators=2,
    prefill=PrefillCost(a_s=0.010, b_s_per_token=0.001, c_s_per_token2=0.0),
    decode=DecodeCost(alpha_s=0.010, beta_s_per_sequence=0.001, gamma_s_per_token=0.00001),
    kv=KvCache(bytes_per_token=1000, capacity_tokens=100_000),
    transfer=TransferCost(latency_s=0.005, bandwidth_bytes_per_s=1e6),
    cost_per_hour=3.0,
)


def requests(*rows: tuple[float, int, int]) -> Trace:
    """A trace of (arrival ms, input tokens, output tokens)."""
    return Trace(
        name="by-hand",
        requests=tuple(
            TraceRequest(arrival_s=ms / 1000, input_tokens=inputs, output_tokens=outputs)
            for ms, inputs, outputs in rows
        ),
    )


def with_kv(profile: EngineProfile, capacity_tokens: int) -> EngineProfile:
    """The profile with another KV capacity."""
    return replace(profile, kv=replace(profile.kv, capacity_tokens=capacity_tokens))


def scenario(
    trace: Trace,
    replicas: Mapping[Role, int] | None = None,
    *,
    profile: EngineProfile = ROUND,
    lead_time_s: float = 60.0,
    interval_s: float = 5.0,
    switch_s: float | None = None,
    **others: Any,
) -> Scenario:
    """A calm scenario: one pod a role, first come first served, no planner."""
    spec = FleetSpec(
        slo=Slo(ttft_s=2.0, tpot_s=0.05),
        roles={role: RoleSpec(profile=profile, lead_time_s=lead_time_s) for role in Role},
        policy="static",
        interval_s=interval_s,
        switch_s=switch_s,
    )
    replicas = replicas or dict.fromkeys(Role, 1)
    return Scenario(trace=trace, spec=spec, replicas=replicas, **{"order": "fcfs", **others})


def scripted(
    changes: Sequence[tuple[float, Role, int]],
    seen: list[Observation] | None = None,
    *,
    warm: Mapping[Role, int] | None = None,
    switches: Sequence[tuple[float, Role, Role]] = (),
) -> Planner:
    """A planner that wants what a script of (seconds, role, replicas) says; notes what it is shown.

    It keeps `warm` pods by, and lets a pod switch its role at each of `switches`, once.
    """
    left = list(switches)

    def plan(observation: Observation, memory: Memory, spec: FleetSpec) -> Plan:
        if seen is not None:
            seen.append(observation)
        targets = {role: pods.desired for role, pods in observation.pods.items()}
        due = [(role, replicas) for at_s, role, replicas in changes if at_s <= observation.now_s]
        targets.update(due)
        now = [(source, target) for at_s, source, target in left if at_s <= observation.now_s]
        left[:] = [switch for switch in left if switch[0] > observation.now_s]
        for source, target in now:
            if not due and observation.pods[source].ready:
                targets[source] -= 1
                targets[target] += 1
        return Plan(
            roles={
                role: Decision(target=target, unclamped=target, reason="the script says so")
                for role, target in targets.items()
            },
            memory=memory,
            predicted=lambda: None,
            reasons=(),
            runner_up=None,
            look_again_s=spec.interval_s,
            switches=() if due else tuple(now),
            warm=warm or {},
        )

    return plan

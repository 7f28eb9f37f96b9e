"""A fleet whose profile no calibration can mend is served by bands; one that it can mend by the model."""

from functools import partial
from random import Random

import pytest
from tests.planner.builders import ENGINE, spec
from tests.planner.builders import D as DECODE
from tests.planner.builders import P as PREFILL

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner import trust as trusts
from tandem.planner.calibration import scaled
from tandem.planner.model import Memory, Plan
from tandem.planner.observation import Observation
from tandem.planner.plan import plan
from tandem.planner.spec import FleetSpec
from tandem.simulator.run import simulate
from tandem.simulator.scenario import Scenario
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

LASTS_S, RATE_RPS = 2400.0, 4.0


def poisson() -> Trace:
    random, at_s, rows = Random(1), 0.0, []  # noqa: S311 - a trace
    while (at_s := at_s + random.expovariate(RATE_RPS)) < LASTS_S:
        rows.append(TraceRequest(arrival_s=at_s, input_tokens=1000, output_tokens=200))
    return Trace(name="poisson", requests=tuple(rows))


def slower(by_prefill: float, by_decode: float) -> EngineProfile:
    return scaled(ENGINE, by_prefill, (by_decode, by_decode, by_decode))


def played(true: EngineProfile) -> tuple[list[Plan], float]:
    """Plans of every tick, and attainment."""
    plans: list[Plan] = []

    def planner(seen: Observation, memory: Memory, asked: FleetSpec) -> Plan:
        plans.append(partial(plan, learns=False)(seen, memory, asked))
        return plans[-1]

    result = simulate(
        Scenario(
            trace=poisson(),
            spec=spec(ttft_s=4.0, tpot_s=0.05, lead_time_s=20.0, high=(16, 16)),
            replicas={PREFILL: 1, DECODE: 1},
            planner=planner,
            times=dict.fromkeys(Role, true),
        )
    )
    return plans, result.attainment


def lost(decided: Plan) -> bool:
    return bool(trusts.recalled(decided.memory)[0].is_lost)


@pytest.mark.parametrize("by", [0.5, 1.0, 2.0])
def test_a_profile_that_can_be_mended_is_never_set_aside(by: float) -> None:
    plans, attained = played(slower(by, by))
    assert not any(lost(each) for each in plans)
    assert attained > 0.95


def test_engines_eight_times_slower_than_told_are_served_by_bands() -> None:
    plans, _ = played(slower(8.0, 1.0))
    assert not lost(plans[20])
    assert lost(plans[-1])
    assert 4 <= plans[-1].roles[PREFILL].unclamped <= 8  # 3.2 pods are busy all of their time
    assert "bands" in plans[-1].roles[PREFILL].reason
    assert any("model of prefill is not believed" in reason for reason in plans[-1].reasons)

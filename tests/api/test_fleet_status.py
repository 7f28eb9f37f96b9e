import datetime as dt

import pytest
from jsonschema import Draft4Validator

from tandem.api import crd
from tandem.api.fleet_status import (
    ClampStatus,
    Condition,
    ConditionState,
    DecisionStatus,
    FleetStatus,
    Phase,
    RatioStatus,
    ReplicaPair,
    RolesStatus,
    RoleStatus,
    SloStatus,
)
from tandem.api.role import Role
from tandem.planner.model import Bottleneck

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


def status(reason: str = "queue wait 2.1 s over target") -> FleetStatus:
    role = RoleStatus.of(desired=4, ready=3, starting=1, draining=0)
    return FleetStatus(
        observed_generation=2,
        phase=Phase.READY,
        roles=RolesStatus(prefill=role, decode=role),
        ratio=RatioStatus(current="3:3", optimal="4:4"),
        slo=SloStatus(attainment=0.991, ttft_p50="230ms", tpot_p99="41ms"),
        bottleneck=Bottleneck.DECODE_KV,
        last_decision=DecisionStatus(
            time=NOW,
            reason=reason,
            unclamped=ReplicaPair(prefill=5, decode=4),
            clamps=(
                ClampStatus(limit="max", role=Role.PREFILL, before=5, after=4, reason="max is 4"),
            ),
            final=ReplicaPair(prefill=4, decode=4),
        ),
        conditions=(
            Condition(
                type="Ready",
                status=ConditionState.TRUE,
                reason="EnoughPods",
                last_transition_time=NOW,
            ),
        ),
    )


def written(value: FleetStatus) -> object:
    return value.model_dump(mode="json", by_alias=True, exclude_none=True)


@pytest.mark.parametrize(
    "value",
    [pytest.param(status(), id="full"), pytest.param(FleetStatus(), id="nothing known yet")],
)
def test_what_is_written_is_what_the_schema_takes(value: FleetStatus) -> None:
    schema = crd.schema(crd.FLEET.model)["properties"]["status"]

    Draft4Validator(schema).validate(written(value))


def test_a_status_reads_back_as_it_was_written() -> None:
    assert FleetStatus.model_validate_json(status().model_dump_json(by_alias=True)) == status()


def test_a_reason_that_is_too_long_is_cut_and_not_refused() -> None:
    decision = status(reason="x" * 5000).last_decision
    assert decision is not None

    assert decision.reason == "x" * 1023 + "…"


def test_a_role_shows_ready_pods_of_those_asked_for() -> None:
    assert RoleStatus.of(desired=4, ready=3, starting=1, draining=0).ready_of_desired == "3/4"

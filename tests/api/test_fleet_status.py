import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from pydantic import ValidationError

from tandem.api import crd
from tandem.api.condition import Condition, ConditionState
from tandem.api.cut import Cut
from tandem.api.decision_status import (
    ChangeStatus,
    ClampStatus,
    CounterfactualStatus,
    DecisionStatus,
    InputsStatus,
    ReplicaPair,
)
from tandem.api.fleet_status import (
    CostStatus,
    Exactness,
    FleetStatus,
    MissingFigure,
    Phase,
    RatioStatus,
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
        slo=SloStatus(
            attainment=0.991,
            attainment_percent="99.1%",
            ttft_p50="230ms",
            tpot_p99="41ms",
            exactness=Exactness(
                exact=("arrivals",),
                bounds=("metBoth",),
                missing=(MissingFigure(figure="lengths", reason="no scrape for 75 s"),),
            ),
        ),
        bottleneck=Bottleneck.DECODE_KV,
        cost=CostStatus(per_hour="28.70", per1k_tokens="0.000125"),
        last_decision=DecisionStatus(
            time=NOW,
            inputs=InputsStatus(arrivals_per_second=12.5, mean_input_tokens=1500.0),
            reason=reason,
            counterfactual=CounterfactualStatus(
                replicas=ReplicaPair(prefill=3, decode=4), reason="attains 98.2 %, short of 99 %"
            ),
            next_review=NOW + dt.timedelta(seconds=5),
            unclamped=ReplicaPair(prefill=5, decode=4),
            clamps=(
                ClampStatus(limit="max", role=Role.PREFILL, before=5, after=4, reason="max is 4"),
            ),
            final=ReplicaPair(prefill=4, decode=4),
        ),
        history=(ChangeStatus(time=NOW, role=Role.PREFILL, before=3, after=4, reason=reason),),
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

    assert decision.reason == "x" * (1024 - len(json.dumps("…"))) + "…"


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        pytest.param("short", "short", id="what fits stays"),
        pytest.param("two\n  lines\t", "two lines", id="lines become one"),
        pytest.param("a" * 16, "a" * 8 + "…", id="long"),
        pytest.param("ä" * 8, "ä…", id="what JSON escapes counts as it is written"),
        pytest.param('"' * 20, '"' * 4 + "…", id="quotes"),
        pytest.param("\ud800", "?", id="half a character"),
    ],
)
def test_a_text_is_cut_to_its_size_as_json(text: str, cut: str) -> None:
    assert Cut(16).cut(text) == cut


@given(st.text(max_size=200), st.integers(min_value=8, max_value=64))
def test_no_text_is_longer_than_its_size(text: str, size: int) -> None:
    assert len(json.dumps(Cut(size).cut(text))) <= size


def test_what_is_no_text_is_refused_with_its_field() -> None:
    with pytest.raises(ValidationError, match="reason"):
        status(reason=5)  # type: ignore[arg-type]


def test_a_role_shows_ready_pods_of_those_asked_for() -> None:
    assert RoleStatus.of(desired=4, ready=3, starting=1, draining=0).ready_of_desired == "3/4"

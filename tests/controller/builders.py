"""Fleets, ticks and statuses with calm values, so that a case shows only what matters."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from tests.api import documents
from tests.planner.builders import D, P, pair
from tests.planner.builders import observation as seen

from tandem.api.condition import Condition
from tandem.api.fleet import DisaggregatedLLM
from tandem.api.fleet_status import FleetStatus
from tandem.api.parse import parse_fleet
from tandem.api.role import Role
from tandem.controller.loop import Change, Tick
from tandem.planner.cells import Cells
from tandem.planner.model import Bottleneck, Clamp, Decision, Memory, Plan, Prediction, RunnerUp
from tandem.planner.observation import Figure, PodCounts

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
PREDICTION = Prediction(
    attainment=0.995,
    ttft_s=(0.2, 0.4, 0.45, 0.5),
    tpot_s=(0.02, 0.03, 0.031, float("inf")),
    utilisation={"prefill": 0.6, "link": 0.1, "decode": 0.7, "kv": float("inf")},
    bottleneck=Bottleneck.DECODE_COMPUTE,
)
CLAMP = Clamp(limit="max", role=D, before=5, after=4, reason="the role's maximum")
MEMORY = Memory(
    started_s=0.0,
    rates=((900.0, 5.0, 500.0), (980.0, 5.0, 40.0), (985.0, 5.0, 60.0)),
    cells=Cells.of((1000, 200, 100, 3.0), (2000, 0, 300, 1.0)),
    dispersion=1.25,
)


def later(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def fleet(**changes: object) -> DisaggregatedLLM:
    return parse_fleet(documents.fleet(**changes))


def plan(prediction: Prediction | None = PREDICTION, **changes: Any) -> Plan:
    return Plan(
        **{
            "roles": {
                P: Decision(target=3, unclamped=3, reason="10 requests/s now: 3 prefill"),
                D: Decision(target=4, unclamped=5, reason="max 5 -> 4", clamps=(CLAMP,)),
            },
            "memory": MEMORY,
            "predicted": lambda: prediction,
            "reasons": (),
            "runner_up": RunnerUp(replicas=pair(2, 5), reason="attains 98.2 %, short of 99 %"),
            "look_again_s": 5.0,
            **changes,
        }
    )


def tick(
    *,
    pods: dict[Role, PodCounts] | None = None,
    changes: Sequence[Change] = (),
    planned: Plan | None = None,
    now_s: float = 1000.0,
    **traffic: Any,
) -> Tick:
    counted = {"finished": Figure(100.0), "met_both": Figure(99.5), **traffic}
    pods = pods or {
        P: PodCounts(desired=2, ready=2, starting=1),
        D: PodCounts(desired=4, ready=4, draining=1),
    }
    return Tick(
        observation=seen(now_s, pods=dict(pods), **counted),
        plan=planned or plan(),
        changes=tuple(changes),
    )


def change(role: Role = P, before: int = 2, after: int = 3, reason: str = "more load") -> Change:
    return Change(at_s=1000.0, role=role, before=before, after=after, reason=reason)


FAILED = Tick(observation=None, error="Unreachable: PUT Deployment chat: no answer")


def condition(status: FleetStatus, type_: str) -> Condition:
    return next(each for each in status.conditions if each.type == type_)

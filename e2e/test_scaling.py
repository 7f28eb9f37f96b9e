"""Load through the gateway on a real Kubernetes: the role that is short gets replicas, the other none."""

from typing import Any

import pytest
from e2e.fleet import ROLES, Fleet, emulated, profile
from e2e.traffic import BRIEF, LONG_ANSWERS, LONG_PROMPTS, Kind, playing, traffic

from tandem.traces.request import TraceRequest

pytestmark = pytest.mark.e2e

CALM_RPS = 0.5
BUSY_S = (3.0, 21.0)  # when requests of the other kind come on top
OVER_S = 30.0
COLD_START_S = 1.0
BACK_S = 180.0  # a burst is stood ready for, for 36 cold starts and ages of figures


def test_longer_answers_scale_decode_alone_and_longer_prompts_prefill_alone(fleet: Fleet) -> None:
    answers, prompts = (Fleet(fleet.box, fleet.namespace, name) for name in ("answers", "prompts"))
    fleet.apply(
        profile(cold_start_s=COLD_START_S),
        emulated("answers", slo=slo("1500ms", "40ms")),
        emulated("prompts", slo=slo("1s", "80ms")),
    )
    for each in (answers, prompts):
        each.until_ready()
    # `tandem plan`: 1 prefill with 2 decode, and 3 times the load before a second prefill
    longer_answers = rising(LONG_ANSWERS, 2.0)
    # 2 prefill with 1 decode, and 3 times the load before a second decode
    longer_prompts = rising(LONG_PROMPTS, 2.5)
    with playing(answers, longer_answers) as read, playing(prompts, longer_prompts) as asked:
        prompts.until("a second prefill pod", lambda: ready(prompts)["prefill"] > 1)
        answers.until("a second decode pod", lambda: ready(answers)["decode"] > 1)
        for each in (prompts, answers):
            each.until("both roles are as before", lambda: each.replicas() == (1, 1), BACK_S)  # noqa: B023

    for each, role in ((answers, "decode"), (prompts, "prefill")):
        steps = told_steps(each)
        assert {step["role"] for step in steps} == {role}, steps
    for felt in (read, asked):
        assert sum(request.done for request in felt) > 0.95 * len(felt)


def slo(ttft: str, tpot: str) -> dict[str, Any]:
    """Targets for nine of ten requests."""
    return {"ttft": {"target": ttft}, "tpot": {"target": tpot}, "attainment": 0.9}


def rising(kind: Kind, rate_rps: float) -> list[TraceRequest]:
    """Few brief requests, and for a while many of one kind."""
    return traffic(BRIEF, CALM_RPS, 0.0, OVER_S) + traffic(kind, rate_rps, *BUSY_S)


def told_steps(fleet: Fleet) -> list[dict[str, Any]]:
    """Steps of the status, each with its reason and an Event that says the same."""
    history = list(fleet.status["history"])
    assert all(step["reason"] for step in history)
    steps = [f"{s['role']} {s['before']} -> {s['after']}: {s['reason']}" for s in history]
    assert sorted(fleet.events("ScaledUp") + fleet.events("ScaledDown")) == sorted(steps)
    return history


def ready(fleet: Fleet) -> dict[str, int]:
    """Ready pods of each role."""
    return {role: fleet.status["roles"][role]["ready"] for role in ROLES}

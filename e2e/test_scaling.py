"""Load through the gateway on a real Kubernetes: the role that is short gets replicas, the other none."""

from typing import Any

import pytest
from e2e.fleet import ROLES, Fleet, emulated, profile
from e2e.traffic import BRIEF, LONG_ANSWERS, LONG_PROMPTS, Kind, playing, traffic

pytestmark = pytest.mark.e2e

CALM_RPS = 0.5
BUSY_S = (5.0, 30.0)  # when requests of the other kind come on top
OVER_S = 50.0


def slo(ttft: str, tpot: str) -> dict[str, Any]:
    """Targets for nine of ten requests."""
    return {"ttft": {"target": ttft}, "tpot": {"target": tpot}, "attainment": 0.9}


@pytest.mark.parametrize(
    ("kind", "rate_rps", "targets", "short"),
    [
        # `tandem plan`: 1 prefill with 2 decode, and 3 times the load before a second prefill
        pytest.param(LONG_ANSWERS, 2.0, slo("1500ms", "40ms"), "decode", id="longer answers"),
        # 2 prefill with 1 decode, and 3 times the load before a second decode
        pytest.param(LONG_PROMPTS, 2.5, slo("1s", "80ms"), "prefill", id="longer prompts"),
    ],
)
def test_what_gets_longer_scales_its_own_role_and_not_the_other(
    fleet: Fleet, kind: Kind, rate_rps: float, targets: dict[str, Any], short: str
) -> None:
    fleet.apply(profile(cold_start_s=3.0), emulated(slo=targets))
    fleet.until_ready()
    load = traffic(BRIEF, CALM_RPS, 0.0, OVER_S) + traffic(kind, rate_rps, *BUSY_S)
    with playing(fleet, load) as felt:
        fleet.until(f"a second {short} pod takes requests", lambda: ready(fleet)[short] > 1, 50)
        fleet.until("both are as before", lambda: fleet.replicas() == (1, 1), 90)

    history = fleet.status["history"]
    assert {step["role"] for step in history} == {short}, history
    assert all(step["reason"] for step in history)
    steps = [f"{s['role']} {s['before']} -> {s['after']}: {s['reason']}" for s in history]
    assert sorted(fleet.events("ScaledUp") + fleet.events("ScaledDown")) == sorted(steps)
    assert sum(request.done for request in felt) > 0.95 * len(felt)


def ready(fleet: Fleet) -> dict[str, int]:
    """Ready pods of each role."""
    return {role: fleet.status["roles"][role]["ready"] for role in ROLES}

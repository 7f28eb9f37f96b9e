from typing import Any

import pytest
from tests.planner.builders import D, P, counts, observation, pair, spec

from tandem.api.fallback import OnUntrusted
from tandem.planner import bands, untrusted
from tandem.planner.model import Memory
from tandem.planner.observation import Figure
from tandem.planner.plan import plan
from tandem.planner.policies import state
from tandem.planner.policies.proposal import Proposal
from tandem.planner.spec import Behavior, Budget
from tandem.planner.trust import Trust, Window

MODEL = Proposal(wishes=pair(40, 40), ideal=pair(50, 50), reasons={P: "", D: ""}, goal=0.9)
LOST = Memory(
    started_s=0.0,
    facts=state.facts(trust=Trust(prefill=3.0, is_lost=1.0), window=Window()),
)
BUSY: dict[str, Any] = {"utilisation": {P: Figure(0.95), D: Figure(0.5)}}
SEEN = observation(5000.0, pods=pair(6, 4), kv_usage={D: Figure(0.3)}, **BUSY)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(OnUntrusted.BANDS, (10, 4), id="bands"),
        pytest.param(OnUntrusted.HOLD, (6, 4), id="hold"),
        pytest.param(OnUntrusted.MAX, (12, 9), id="max"),
    ],
)
def test_nothing_of_the_model_is_left(answer: OnUntrusted, expected: tuple[int, int]) -> None:
    found = untrusted.instead(MODEL, SEEN, spec(high=(12, 9), on_untrusted=answer), "it is off")

    assert counts(found.wishes) == expected
    assert found.ideal == found.wishes
    assert found.goal == 0
    assert found.runner_up is None
    assert found.notes[0].startswith("it is off: ")


def test_bands_are_what_nobody_chose() -> None:
    asked = spec()

    assert untrusted.instead(MODEL, SEEN, asked, "why") == bands.instead(MODEL, SEEN, asked, "why")


@pytest.mark.parametrize(
    ("answer", "expected", "reason"),
    [
        (OnUntrusted.BANDS, (10, 4), "bands: 95% of prefill in use"),
        (OnUntrusted.HOLD, (6, 4), "held, the model is not believed"),
        (OnUntrusted.MAX, (14, 9), "the most, the model is not believed; max"),
    ],
)
def test_a_plan_does_as_it_is_told_within_the_limits(
    answer: OnUntrusted, expected: tuple[int, int], reason: str
) -> None:
    pace = Behavior(up_max_step=8)
    asked = spec(high=(64, 9), on_untrusted=answer, behavior=pace, budget=Budget(accelerators=70))
    decided = plan(SEEN, LOST, asked)

    assert counts({role: each.target for role, each in decided.roles.items()}) == expected
    assert decided.roles[P].reason.startswith(reason.partition("; ")[0])
    assert any("not believed, users get 8.0 times worse" in each for each in decided.reasons)


def test_the_most_is_left_as_slowly_as_bands_are() -> None:
    most = untrusted.instead(MODEL, SEEN, spec(on_untrusted=OnUntrusted.MAX), "why")

    assert most.hold_s == bands.DOWN_S

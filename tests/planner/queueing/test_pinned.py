from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.planner.demand import from_means
from tandem.planner.queueing import pinned
from tandem.planner.queueing.wait import ENDLESS, NO_WAIT, Wait

PROMPTS = from_means(1000, 100)


def test_kv_is_pinned_while_it_waits_and_while_it_moves() -> None:
    """Little: 10 requests a second of 1000 tokens, for 0.2 s of transfer and half of them 1 s of wait."""
    moving_s = np.full(len(PROMPTS.weights), 0.2)

    assert pinned.tokens(PROMPTS, 10.0, moving_s, NO_WAIT) == pytest.approx(2000)
    assert pinned.tokens(PROMPTS, 10.0, moving_s, Wait(0.5, 1.0)) == pytest.approx(7000)
    assert pinned.tokens(PROMPTS, 10.0, moving_s, ENDLESS) == inf


@pytest.mark.parametrize(
    ("pinned_tokens", "held_up"),
    [
        pytest.param(0.0, 0.0, id="nothing pinned"),
        pytest.param(100.0, 0.0, id="little"),
        pytest.param(inf, 1.0, id="without end"),
    ],
)
def test_ends(pinned_tokens: float, held_up: float) -> None:
    assert pinned.held_up(PROMPTS, pinned_tokens, 1, 11_000) == held_up


def test_a_pod_without_room_for_two_prompts_is_held_up() -> None:
    assert pinned.held_up(PROMPTS, 1.0, 1, 1000) == 1.0


@given(st.floats(0.0, 1e6), st.floats(0.0, 1e5), st.integers(1, 64))
def test_more_pinned_never_holds_up_less_and_pods_are_alike(
    pinned_tokens: float, more: float, pods: int
) -> None:
    now = pinned.held_up(PROMPTS, pinned_tokens, 1, 11_000)

    assert 0 <= now <= pinned.held_up(PROMPTS, pinned_tokens + more, 1, 11_000) + 1e-12
    assert pinned.held_up(PROMPTS, pods * pinned_tokens, pods, pods * 11_000) == pytest.approx(
        now, abs=1e-9
    )

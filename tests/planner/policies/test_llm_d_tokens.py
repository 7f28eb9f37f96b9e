"""The guide's calibrated 15 928 tokens a second of Qwen3-32B on two H100: a backlog is seconds of wait."""

import pytest
from tests.planner.builders import D, P, counts, observation, pair, spec

from tandem.planner.cells import Cells
from tandem.planner.model import Memory
from tandem.planner.observation import Figure
from tandem.planner.policies import llm_d_tokens
from tandem.planner.policies.llm_d_tokens import backlog

MEMORY = Memory(cells=Cells.of((1000, 0, 200, 500.0)))


def test_tokens_over_velocity_are_seconds_and_over_the_threshold_replicas() -> None:
    """3 s of work; a prompt of 3186 tokens takes 0.2 s of a TTFT of 1.2 s, so 1 s of wait is a replica."""
    assert backlog(47_784, 15_928, 3185.6, ttft_s=1.2) == pytest.approx(3.0)
    assert backlog(47_784, 15_928, 3185.6, ttft_s=1.2, share=0.5) == pytest.approx(6.0)


def test_a_slow_fabric_asks_for_as_many_times_more() -> None:
    """2 696 tokens a second were measured of the same model: 5.9 times the seconds."""
    fast, slow = (backlog(1e5, velocity, 0.0, ttft_s=1.0) for velocity in (15_928, 2_696))

    assert slow / fast == pytest.approx(5.9, abs=0.01)


def test_roles_are_scaled_each_in_its_own_unit() -> None:
    """10 111 tokens/s: 0.09 s of a prompt, so 0.9 s of work a replica; KV of 4 at 0.7 is for 3.5."""
    seen = observation(
        5.0,
        pods=pair(2, 4),
        running={P: Figure(1.0), D: Figure(10.0)},
        kv_usage={D: Figure(0.7)},
        queued_tokens=Figure(60_000.0),
    )

    assert counts(llm_d_tokens.decide(seen, MEMORY, spec(ttft_s=1.0)).wishes) == (7, 4)


def test_prefill_that_keeps_up_looks_idle() -> None:
    """What fails: eight busy pods without a queue are work for one."""
    seen = observation(
        5.0,
        pods=pair(8, 4),
        running={P: Figure(1.0), D: Figure(10.0)},
        kv_usage={D: Figure(0.8)},
    )

    assert llm_d_tokens.decide(seen, MEMORY, spec(ttft_s=1.0)).wishes[P] == 1

"""One engine pod in virtual time."""

from dataclasses import replace

import pytest
from tests.fakes.simulated import ROUND, requests, scenario, with_kv

from tandem.api.role import Role
from tandem.simulator.run import Run, simulate

FREE_LINK = replace(ROUND, transfer=replace(ROUND.transfer, bandwidth_bytes_per_s=1e12))


def test_a_preempted_answer_pauses_and_its_pause_is_one_gap_between_tokens() -> None:
    """Two answers of 60 tokens in a cache of 96: one has to wait for the other to end."""
    trace = requests((0, 30, 60), (0, 30, 60))
    run = Run(scenario(trace, profile=with_kv(FREE_LINK, 96)))
    result = run.result()
    (decode,) = (pod for pod in run.fleet.pods if pod.role is Role.DECODE)
    spans_s = [(f.last_token_s or 0.0) - (f.first_token_s or 0.0) for f in result.flights]
    gaps = run.gateway.measured.gaps
    assert decode.engine.preemptions == 1
    assert [gaps.count, gaps.total_s] == pytest.approx([2 * 59, sum(spans_s)])
    usual_s = gaps.summary().p50
    assert usual_s is not None
    pause_s = spans_s[1] - 58 * usual_s
    assert pause_s > 0.3, "about the 24 steps that the other one still had, and the recomputing"


def test_a_request_waits_for_the_end_of_the_iteration_it_came_in() -> None:
    """A long batch decodes at 31.xx ms a step; a newcomer's first token takes up to two of them."""
    slow = replace(FREE_LINK, decode=replace(ROUND.decode, alpha_s=1.0))
    trace = requests((0, 90, 10), (1500, 90, 2))
    first, second = sorted(
        simulate(scenario(trace, profile=slow)).flights, key=lambda f: f.arrival_s
    )
    step_s = 1.0019
    waited_s = (second.first_token_s or 0.0) - (second.pulled_s or 0.0)
    assert first.tpot_s == pytest.approx(step_s, rel=0.01)
    assert step_s < waited_s < 2 * step_s


def test_blocks_freed_by_a_pull_let_a_waiting_prompt_begin() -> None:
    """Prompts of 40 tokens (3 blocks of 4): the second begins when the first one's KV was pulled."""
    trace = requests((0, 40, 2), (0, 40, 2))
    first, second = simulate(scenario(trace, profile=with_kv(ROUND, 64))).flights
    assert second.started_s == first.pulled_s == pytest.approx(0.050 + 0.045)


@pytest.mark.parametrize(("kernel", "decoding"), [("exact", 3), ("closed", 1)])
def test_an_idle_fleet_costs_no_events(kernel: str, decoding: int) -> None:
    """Two requests an hour apart: a dozen events, not one per step of an idle engine."""
    trace = requests((0, 90, 3), (3_600_000, 90, 3))
    run = Run(scenario(trace, kernel=kernel))
    run.result()
    events = run.clock.events
    assert events == 2 * (1 + 1 + 1 + decoding), "each: it comes, is prefilled, pulled, decodes"

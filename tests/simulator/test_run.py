"""Whole runs: which leg speaks first, closed loops, what is refused, cut off, and told twice alike."""

import json
from dataclasses import replace

import pytest
from tests.fakes.simulated import ROUND, requests, scenario, scripted, with_kv

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.simulator.flight import Outcome
from tandem.simulator.report import report
from tandem.simulator.result import Result
from tandem.simulator.run import simulate
from tandem.simulator.scenario import Scenario
from tandem.traces.generate import generate
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

PREFILL_FIRST = replace(ROUND, first_token=Role.PREFILL)


def only(result: Result) -> dict[str, float | None]:
    """The mean of each latency; with one request, its own."""
    return {name: figures.mean for name, figures in result.latencies().items()}


def test_the_decode_leg_speaks_first_by_default() -> None:
    """Prefill 100 ms, transfer 95, steps 11.90, 11.91, 11.92."""
    one = only(simulate(scenario(requests((0, 90, 3)))))
    assert one == pytest.approx(
        {
            "ttft_s": 0.2069,
            "tpot_s": 0.011915,
            "itl_s": 0.011915,
            "e2e_s": 0.23073,
            "encode_s": None,
            "queue_s": 0.0,
            "transfer_s": 0.095,
        }
    )


def test_the_prefill_leg_may_speak_first_and_the_transfer_is_then_a_gap() -> None:
    """First token at 100 ms; 95 of transfer and a step of 11.91 (its token is in the context), 11.92."""
    one = only(simulate(scenario(requests((0, 90, 3)), profile=PREFILL_FIRST)))
    assert one == pytest.approx(
        {
            "ttft_s": 0.100,
            "tpot_s": (0.095 + 0.01191 + 0.01192) / 2,
            "itl_s": (0.095 + 0.01191 + 0.01192) / 2,
            "e2e_s": 0.100 + 0.095 + 0.01191 + 0.01192,
            "encode_s": None,
            "queue_s": 0.0,
            "transfer_s": 0.095,
        }
    )


def test_one_token_of_the_prefill_leg_needs_no_decode_leg() -> None:
    result = simulate(scenario(requests((0, 90, 1)), profile=PREFILL_FIRST))
    one = only(result)
    assert [one["ttft_s"], one["e2e_s"]] == pytest.approx([0.1, 0.1])
    assert (one["transfer_s"], one["tpot_s"], one["itl_s"]) == (None, None, None)
    assert result.attainment == 1.0, "an answer of one token has no gap that could be too long"


def session(*rows: tuple[float, float]) -> Trace:
    """A closed loop: (recorded arrival s, think gap s)."""
    return Trace(
        name="loop",
        requests=tuple(
            TraceRequest(
                arrival_s=arrival_s, input_tokens=90, output_tokens=3, session="a", think_s=think_s
            )
            for arrival_s, think_s in rows
        ),
    )


def test_a_turn_comes_a_think_gap_after_the_end_of_the_one_before() -> None:
    """A turn lasts 230.73 ms; recorded arrivals of later turns do not matter."""
    result = simulate(scenario(session((0, 0), (0.1, 2.0), (50, 0.5))))
    arrivals = [flight.arrival_s for flight in result.flights]
    assert arrivals == pytest.approx([0.0, 2.23073, 2.23073 + 0.23073 + 0.5])


def test_turns_that_the_end_came_before_are_misses() -> None:
    result = simulate(scenario(session((0, 0), (1, 30.0), (2, 0.0)), drain_s=10.0))
    counts = {outcome: n for outcome in Outcome if (n := result.count(outcome))}
    assert counts == {Outcome.FINISHED: 1, Outcome.UNFINISHED: 2}
    assert result.attainment == pytest.approx(1 / 3)


def test_a_refused_turn_does_not_end_its_session() -> None:
    loop = session((0, 0), (0, 1.0), (0, 1.0))
    long = replace(loop.requests[1], input_tokens=999)
    trace = replace(loop, requests=(loop.requests[0], long, loop.requests[2]))
    result = simulate(scenario(trace, profile=with_kv(ROUND, 400)))
    assert [flight.outcome for flight in result.flights] == [
        Outcome.FINISHED,
        Outcome.REFUSED,
        Outcome.FINISHED,
    ]


def test_what_no_engine_could_hold_is_refused_and_a_miss() -> None:
    trace = requests((0, 90, 3), (1, 500, 3), (2, 90, 350))
    result = simulate(scenario(trace, profile=with_kv(ROUND, 400)))
    assert result.count(Outcome.REFUSED) == 2
    assert result.attainment == pytest.approx(1 / 3)


def test_a_trace_of_which_nothing_fits_is_the_users_mistake() -> None:
    with pytest.raises(InvalidInputError, match=r"500 \+ 3 tokens.*400 tokens of round-numbers"):
        simulate(scenario(requests((0, 500, 3)), profile=with_kv(ROUND, 400)))


def test_refused_cut_and_late_requests_all_count_against_attainment() -> None:
    """Two in time, one late for TTFT (3,000 ms of prefill), one refused, one cut off."""
    trace = requests(
        (0, 90, 2), (1000, 90, 2), (2000, 2990, 2), (9000, 9990, 2), (9000, 200_000, 1)
    )
    result = simulate(scenario(trace, dict.fromkeys(Role, 2), drain_s=5.0))
    counts = {outcome: n for outcome in Outcome if (n := result.count(outcome))}
    assert counts == {Outcome.FINISHED: 3, Outcome.REFUSED: 1, Outcome.UNFINISHED: 1}
    assert (result.met, result.attainment) == (2, 0.4)
    assert result.goodput_rps == pytest.approx(2 / 9)


def scaled(seed: int) -> Scenario:
    changes = [(20.0, Role.PREFILL, 3), (30.0, Role.DECODE, 1), (40.0, Role.PREFILL, 1)]
    return scenario(
        generate(rate_rps=2.0, duration_s=60.0, seed=seed),
        dict.fromkeys(Role, 2),
        planner=scripted(changes),
        lead_time_s=5.0,
        seed=seed,
    )


def test_the_same_seed_gives_the_same_report_byte_for_byte() -> None:
    first, second, other = (
        json.dumps(report(simulate(scaled(seed)), wall_s=1.0)) for seed in (7, 7, 8)
    )
    assert first == second
    assert first != other


def test_the_report_has_every_figure_of_its_contract() -> None:
    figures = report(simulate(scaled(1)), wall_s=2.0)
    latencies = ["ttft_s", "tpot_s", "itl_s", "e2e_s", "encode_s", "queue_s", "transfer_s"]
    assert list(figures) == [
        *("requests", "finished", "refused", "duration_s", "interrupted_at_s", "wall_s"),
        "requests_per_s",
        *("attainment", "goodput_rps", *latencies, "gpu_hours", "cost", "replicas"),
        *("switches", "decisions"),
        *("policy", "profile", "trace", "seed", "version"),
    ]
    assert all(list(figures[name]) == ["mean", "p50", "p90", "p95", "p99"] for name in latencies)
    assert set(figures["replicas"]) == {"prefill", "decode"}
    assert figures["requests_per_s"] == figures["requests"] / 2.0
    assert figures["decisions"][0] == {
        "t_s": 20.0,
        "role": "prefill",
        "from": 2,
        "to": 3,
        "reason": "the script says so",
    }


def test_the_drain_of_a_few_requests_can_be_stopped_too() -> None:
    """One answer of 50,000 tokens, iteration by iteration: asked for the fifth time, it is stopped."""
    asked: list[None] = []

    def stop() -> bool:
        asked.append(None)
        return len(asked) == 5

    result = simulate(scenario(requests((0, 90, 50_000)), kernel="exact"), stop=stop)
    assert len(asked) == 5
    assert result.count(Outcome.UNFINISHED) == 1
    assert result.cut_s is not None
    assert 0 < result.cut_s < 600, "the drain would be over then"


def test_progress_only_grows_and_stays_a_share() -> None:
    told: list[float] = []
    simulate(scenario(generate(20.0, 60.0, seed=1)), told.append)
    assert told == sorted(told)
    assert told
    assert 0 <= told[0] <= told[-1] <= 1

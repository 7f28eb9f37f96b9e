"""Whatever happens to the fleet, every request ends exactly once and leaves nothing behind."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.simulated import ROUND, scenario, scripted, with_kv

from tandem.api.role import Role
from tandem.simulator.features import Handover
from tandem.simulator.flight import Outcome
from tandem.simulator.run import Run
from tandem.simulator.scenario import Scenario
from tandem.simulator.table import Ended
from tandem.traces.model import Trace, from_first_arrival
from tandem.traces.request import TraceRequest

KV_TOKENS = 400  # 25 blocks: prompts press each other out, answers are preempted, some fit nowhere
# Prompts in chunks, batches that fill.
SMALL = replace(with_kv(ROUND, KV_TOKENS), batch_cap=8, batch_tokens=64)

REQUESTS = st.builds(
    TraceRequest,
    arrival_s=st.integers(0, 200).map(lambda tenths: tenths / 10),
    input_tokens=st.integers(1, 250),
    output_tokens=st.integers(1, 200),
    session=st.sampled_from(["", "", "a", "b"]),
    think_s=st.sampled_from([0.0, 0.5]),
)
TRACES = st.lists(REQUESTS, min_size=1, max_size=25).map(
    lambda requests: from_first_arrival("random", requests)
)
CHANGES = st.lists(
    st.tuples(st.integers(0, 30).map(float), st.sampled_from(list(Role)), st.integers(0, 3)),
    max_size=12,
).map(sorted)
BACK = [(31.0, Role.PREFILL, 1), (31.0, Role.DECODE, 1)]


def fleet(
    trace: Trace, first_token: Role, changes: list[tuple[float, Role, int]] | None = None
) -> Scenario:
    return scenario(
        trace,
        dict.fromkeys(Role, 2),
        profile=replace(SMALL, first_token=first_token),
        planner=scripted(changes) if changes is not None else None,
        lead_time_s=2.0,
        interval_s=0.7,
        handover=Handover(lease_s=1.5),
        drain_s=600.0,
    )


def is_too_long(request: TraceRequest) -> bool:
    """The KV of the last token is never written."""
    return request.input_tokens + request.output_tokens - 1 > KV_TOKENS


def some_fits(trace: Trace) -> bool:
    return not all(map(is_too_long, trace.requests))


def check_gaps_add_up(run: Run, flights: list[Ended]) -> None:
    """Gaps are counted by iteration; together they are each answer's time from first to last token."""
    gaps = run.gateway.measured.gaps
    spans_s = sum((f.last_token_s or 0.0) - (f.first_token_s or 0.0) for f in flights)
    assert gaps.count == sum(f.request.output_tokens - 1 for f in flights)
    assert gaps.total_s == pytest.approx(spans_s, abs=1e-6)


def check_everything_ended_once(run: Run) -> None:
    result = run.result()
    requests = result.scenario.trace.requests
    outcomes = Counter(flight.outcome for flight in result.flights)
    assert Counter(id(flight.request) for flight in result.flights) == Counter(map(id, requests))
    too_long = sum(map(is_too_long, requests))
    assert outcomes == Counter(
        {Outcome.REFUSED: too_long, Outcome.FINISHED: len(requests) - too_long}
    )
    check_gaps_add_up(run, [f for f in result.flights if f.outcome is Outcome.FINISHED])
    assert run.gateway.router.queued_requests == 0
    for pod in run.fleet.pods:
        assert (pod.engine.unfinished, pod.engine.blocks_free) == (0, pod.engine.blocks_total)
    for role in Role:
        loads = run.gateway.router.loads(role)
        assert all(not load.tokens and not load.pinned for load in loads)


@given(trace=TRACES.filter(some_fits), first_token=st.sampled_from(list(Role)))
def test_a_fixed_fleet_loses_no_request(trace: Trace, first_token: Role) -> None:
    check_everything_ended_once(Run(fleet(trace, first_token)))


@given(trace=TRACES.filter(some_fits), first_token=st.sampled_from(list(Role)), changes=CHANGES)
def test_scaling_at_random_times_loses_no_request(
    trace: Trace, first_token: Role, changes: list[tuple[float, Role, int]]
) -> None:
    """Down to nothing and back: at 31 s both roles have a pod again."""
    check_everything_ended_once(Run(fleet(trace, first_token, [*changes, *BACK])))


@given(trace=TRACES.filter(some_fits), cut_s=st.integers(0, 5).map(float))
def test_what_the_end_cuts_off_is_counted_as_unfinished(trace: Trace, cut_s: float) -> None:
    run = Run(replace(fleet(trace, Role.DECODE), drain_s=cut_s))
    result = run.result()
    counts = [result.count(outcome) for outcome in Outcome]
    assert sum(counts) == len(trace.requests)
    assert result.met <= result.count(Outcome.FINISHED)
    in_flight = [f for f in result.flights if f.outcome is Outcome.UNFINISHED]
    assert all(flight.ended_s is None for flight in in_flight)

"""What the simulated gateway does while pods come and go."""

from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.simulated import ROUND, requests, scenario, scripted

from tandem.api.role import Role
from tandem.simulator.features import Handover
from tandem.simulator.flight import Outcome
from tandem.simulator.run import Run, simulate
from tandem.simulator.table import Ended
from tandem.traces.model import Trace


def flights(trace: Trace, changes: list[tuple[float, Role, int]], **others: Any) -> list[Ended]:
    """Flights in order of arrival, of a fleet of one pod a role that a script scales every 10 ms."""
    asked = scenario(trace, planner=scripted(changes), interval_s=0.01, **others)
    return sorted(simulate(asked).flights, key=lambda flight: flight.position)


def test_a_draining_prefill_pod_keeps_its_kv_until_it_is_pulled() -> None:
    """Prefilled at 100 ms, pulled until 195: told to drain at 50, it is gone at 195."""
    run = Run(
        scenario(requests((0, 90, 3)), planner=scripted([(0.05, Role.PREFILL, 0)]), interval_s=0.05)
    )
    result = run.result()
    (flight,) = result.flights
    assert flight.outcome is Outcome.FINISHED
    (gone_s,) = (
        then.t_s
        for then in result.over_time
        if then.role is Role.PREFILL and then.t_s and not then.pods.draining
    )
    assert gone_s == pytest.approx(0.195)


def test_a_draining_decode_pod_finishes_what_it_has() -> None:
    (flight,) = flights(requests((0, 90, 3)), [(0.21, Role.DECODE, 0)])
    assert flight.ended_s == pytest.approx(0.23073)


def test_no_prompt_is_prefilled_while_no_pod_could_decode_it() -> None:
    """The decode pod goes at 10 ms; another one is asked for at 20 and Ready at 520."""
    changes = [(0.01, Role.DECODE, 0), (0.02, Role.DECODE, 1)]
    (flight,) = flights(requests((15, 90, 3)), changes, lead_time_s=0.5)
    assert flight.started_s == pytest.approx(0.52)


def test_kv_without_a_decode_pod_waits_and_is_sent_within_its_lease() -> None:
    """Decode goes at 50 ms, prefill ends at 100; the pod that comes at 560 pulls what was kept.

    The second request lets the run outlast the lease, whose end then means nothing.
    """
    changes = [(0.05, Role.DECODE, 0), (0.06, Role.DECODE, 1)]
    trace = requests((0, 90, 3), (2000, 90, 3))
    flight, _ = flights(trace, changes, lead_time_s=0.5, handover=Handover(lease_s=1.0))
    assert flight.prefilled_s == pytest.approx(0.100)
    assert flight.first_token_s == pytest.approx(0.560 + 0.095 + 0.0119)


def test_kv_past_its_lease_is_prefilled_again() -> None:
    """As above, but the lease ends at 300: prefilled anew from 560 to 660."""
    changes = [(0.05, Role.DECODE, 0), (0.06, Role.DECODE, 1)]
    (flight,) = flights(
        requests((0, 90, 3)), changes, lead_time_s=0.5, handover=Handover(lease_s=0.2)
    )
    assert flight.started_s == 0.0
    assert flight.prefilled_s == pytest.approx(0.660)
    assert flight.first_token_s == pytest.approx(0.660 + 0.095 + 0.0119)


def test_a_first_token_that_the_user_has_is_not_told_again_after_a_second_prefill() -> None:
    """As above with the prefill leg speaking first: at 100 ms, and the next token at 660 + 95 + 11.91."""
    changes = [(0.05, Role.DECODE, 0), (0.06, Role.DECODE, 1)]
    profile = replace(ROUND, first_token=Role.PREFILL)
    asked = scenario(
        requests((0, 90, 2)),
        planner=scripted(changes),
        profile=profile,
        interval_s=0.01,
        lead_time_s=0.5,
        handover=Handover(lease_s=0.2),
    )
    result = simulate(asked)
    (flight,) = result.flights
    assert flight.first_token_s == pytest.approx(0.100)
    assert result.itl_s.mean == pytest.approx(0.660 + 0.095 + 0.01191 - 0.100)


def test_a_pod_that_comes_up_takes_the_next_of_the_queue() -> None:
    """A second prefill pod, asked for at 10 ms, Ready at 50, ends the second prompt at 150, not 200."""
    trace = requests((0, 90, 3), (0, 90, 3))
    second = flights(trace, [(0.01, Role.PREFILL, 2)], lead_time_s=0.04)[1]
    assert [second.started_s, second.prefilled_s] == pytest.approx([0.05, 0.15])


def test_the_router_is_told_what_a_request_needs_before_its_first_token() -> None:
    """1,200 tokens need 1,210 ms of prefill, 1,205 of transfer and a step: late for 2 s on any fleet.

    Behind the first, 90 tokens that came after it are therefore served before it.
    """
    trace = requests((0, 90, 1), (10, 1200, 1), (20, 90, 1))
    _, hopeless, quick = flights(trace, [], order="feasible-first")
    assert quick.started_s == pytest.approx(0.100)
    assert hopeless.started_s == pytest.approx(0.200)


def test_the_order_of_the_queue_is_the_routers() -> None:
    """Behind 3,000 ms of prefill, the second is late for its 2 s whatever happens; the third is not."""
    trace = requests((0, 2990, 1), (900, 90, 1), (1500, 90, 1))
    started = {
        order: [
            flight.request.arrival_s
            for flight in sorted(
                simulate(scenario(trace, order=order)).flights,
                key=lambda flight: flight.started_s or 0.0,
            )
        ]
        for order in ("fcfs", "feasible-first")
    }
    assert started == {"fcfs": [0.0, 0.9, 1.5], "feasible-first": [0.0, 1.5, 0.9]}

"""Rebalance: when a pod of one role takes on the other one, and that nobody is robbed by it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.builders import D, P, counts, observation, pair, spec

from tandem.api.role import Role
from tandem.planner import rebalance, survivors, switches
from tandem.planner.cells import Cells
from tandem.planner.model import Memory, Plan
from tandem.planner.observation import Figure, Missing, Observation, PodCounts
from tandem.planner.plan import plan
from tandem.planner.policies import state
from tandem.planner.policies.proposal import Proposal
from tandem.planner.rebalance import Turn, moves, rebalanced
from tandem.planner.spec import Budget, FleetSpec, RatioBounds
from tandem.planner.switches import Switch

TO_PREFILL, TO_DECODE = (D, P), (P, D)
MINUTE_S, TICK_S, LEAD_S = 60.0, 10.0, 100.0
NOW_S = 600.0
SPEC = spec(lead_time_s=LEAD_S, switch_s=5.0, parameters={"switches": 1.0})
# 20 requests a second: 100 ms of prefill each, a step of 10 ms and 0.16 ms a resident.
MEMORY = Memory(
    started_s=0.0,
    rates=tuple((10.0 * i, 10.0, 200.0) for i in range(1, 60)),
    cells=Cells.of((1000, 0, 200, 500.0)),
)


def pods(prefill: tuple[int, int], decode: tuple[int, int]) -> Mapping[Role, PodCounts]:
    """Asked for and ready, of each role."""
    return {
        role: PodCounts(desired=asked, ready=ready, starting=asked - ready)
        for role, (asked, ready) in ((P, prefill), (D, decode))
    }


def proposal(prefill: int, decode: int, **others: Any) -> Proposal:
    settings = {"goal": 0.99, "hold_s": 2 * LEAD_S, **others}
    return Proposal(wishes=pair(prefill, decode), reasons=dict.fromkeys(Role, ""), **settings)


def serving(prefill: int, decode: int) -> rebalance.Serves:
    """So many of each role are enough."""
    return lambda role, count: count >= pair(prefill, decode)[role]


# -- the rule ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "wishes", "enough", "moved"),
    [
        pytest.param(pods((4, 4), (6, 6)), (6, 4), (1, 1), 2, id="what one lacks and one has over"),
        pytest.param(pods((4, 4), (6, 6)), (5, 3), (1, 1), 1, id="no more than is lacking"),
        pytest.param(pods((4, 4), (6, 6)), (8, 5), (1, 1), 1, id="no more than is over"),
        pytest.param(pods((4, 4), (6, 6)), (6, 4), (1, 5), 1, id="what the giver needs now stays"),
        pytest.param(pods((4, 4), (6, 6)), (6, 4), (1, 6), 0, id="nothing is spared"),
        pytest.param(pods((4, 4), (6, 6)), (6, 6), (1, 1), 0, id="a wish is no pod to spare"),
        pytest.param(pods((6, 4), (6, 6)), (6, 4), (1, 1), 0, id="what starts already comes"),
        pytest.param(pods((4, 4), (6, 1)), (6, 4), (0, 0), 1, id="only ready ones change"),
        pytest.param(pods((4, 4), (6, 6)), (4, 4), (1, 1), 0, id="nobody lacks"),
    ],
)
def test_how_many_move_to_prefill(
    there: Mapping[Role, PodCounts], wishes: tuple[int, int], enough: tuple[int, int], moved: int
) -> None:
    assert moves(there, pair(*wishes), TO_PREFILL, serving(*enough)) == moved


PODS = st.builds(
    lambda ready, starting: PodCounts(desired=ready + starting, ready=ready, starting=starting),
    st.integers(0, 20),
    st.integers(0, 5),
)


@given(
    st.fixed_dictionaries({P: PODS, D: PODS}),
    st.tuples(st.integers(0, 30), st.integers(0, 30)),
    st.tuples(st.integers(0, 25), st.integers(0, 25)),
    st.sampled_from([TO_PREFILL, TO_DECODE]),
)
def test_the_giver_keeps_what_it_needs_and_pods_stay_as_many(
    there: Mapping[Role, PodCounts],
    wishes: tuple[int, int],
    enough: tuple[int, int],
    way: Switch,
) -> None:
    asked, giver, taker = pair(*wishes), way[0], way[1]
    count = moves(there, asked, way, serving(*enough))
    then = switches.after(observation(0.0, pods=there), (way,) * count).pods

    assert sum(each.desired for each in then.values()) == sum(p.desired for p in there.values())
    if count:
        assert then[giver].ready >= pair(*enough)[giver]
        assert then[giver].desired >= asked[giver]
        assert then[taker].desired <= asked[taker]
        assert not moves(there, asked, way[::-1], serving(*enough))


@pytest.mark.parametrize(
    ("way", "after_s", "allowed"),
    [
        pytest.param(TO_DECODE, 29.0, False, id="the last one is not seen at work yet"),
        pytest.param(TO_DECODE, 30.0, True, id="the same way"),
        pytest.param(TO_PREFILL, 199.0, False, id="back within the hold"),
        pytest.param(TO_PREFILL, 200.0, True, id="back after it"),
    ],
)
def test_a_pod_stays_in_its_new_role(way: Switch, after_s: float, *, allowed: bool) -> None:
    assert Turn(at_s=0.0, to_decode=1.0).allows(way, after_s, hold_s=200.0) is allowed


# -- the present -------------------------------------------------------------------------------------


def made(
    wished: Proposal,
    there: Mapping[Role, PodCounts],
    memory: Memory = MEMORY,
    asked: FleetSpec = SPEC,
    **traffic: Any,
) -> tuple[Switch, ...]:
    seen = observation(NOW_S, pods=there, **traffic)
    return rebalanced(wished, seen, memory, asked).switches


def test_decode_pods_to_spare_prefill() -> None:
    assert made(proposal(6, 2), pods((4, 4), (4, 4))) == (TO_PREFILL,) * 2


def test_prefill_keeps_what_the_last_minute_asks_for() -> None:
    """Two pods' work; three make 99 % of prompts in time, whatever is wished for."""
    assert made(proposal(1, 4), pods((6, 6), (1, 1))) == (TO_DECODE,) * 3
    assert made(proposal(1, 4), pods((3, 3), (1, 1))) == ()


def test_decode_keeps_what_decodes_now() -> None:
    """480 requests, at most 122 a pod within TPOT: four pods hold them, though two would do for what comes."""
    crowded: dict[str, Any] = {"running": {P: Figure(1.0), D: Figure(80.0)}}

    assert made(proposal(6, 1), pods((4, 4), (6, 6)), **crowded) == (TO_PREFILL,) * 2


def test_prefill_keeps_what_its_queue_needs() -> None:
    """5 s of prefill queue: five pods begin it within a TTFT of 1 s."""
    queue: dict[str, Any] = {"queued_tokens": Figure(50_000.0), "queued_requests": Figure(50.0)}

    assert made(proposal(3, 4), pods((6, 6), (2, 2)), **queue) == (TO_DECODE,)


def test_a_queue_that_waits_for_decode_holds_no_prefill_pod_back() -> None:
    queue: dict[str, Any] = {
        "queued_tokens": Figure(3_000_000.0),
        "queued_requests": Figure(3000.0),
        "kv_usage": {P: Figure(0.5), D: Figure(1.0)},
    }

    assert made(proposal(3, 4), pods((6, 6), (2, 2)), **queue) == (TO_DECODE,) * 2


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        pytest.param(spec(lead_time_s=LEAD_S, switch_s=5.0), 2, id="unbounded"),
        pytest.param(spec(lead_time_s=LEAD_S), 0, id="pods keep their roles"),
        pytest.param(spec(switch_s=5.0, low=(1, 3)), 1, id="the giver's minimum"),
        pytest.param(spec(switch_s=5.0, high=(5, 9)), 1, id="the taker's maximum"),
        pytest.param(spec(switch_s=5.0, budget=Budget(accelerators=8)), 2, id="a full budget"),
        pytest.param(
            spec(switch_s=5.0, ratio=RatioBounds(highest=(5, 3))), 1, id="the ratio that is allowed"
        ),
    ],
)
def test_bounds_hold_a_switch_back_and_the_budget_does_not(asked: FleetSpec, count: int) -> None:
    assert made(proposal(6, 2), pods((4, 4), (4, 4)), asked=asked) == (TO_PREFILL,) * count


def test_no_pod_switches_while_nothing_is_known_of_the_present() -> None:
    assert made(proposal(6, 2), pods((4, 4), (4, 4)), memory=Memory()) == ()


def test_a_switch_that_is_held_back_leaves_the_wishes() -> None:
    wished = proposal(6, 2, facts=state.facts(turn=Turn(at_s=NOW_S - 5.0)))
    memory = Memory(started_s=0.0, rates=MEMORY.rates, cells=MEMORY.cells, facts=wished.facts)
    found = rebalanced(wished, observation(NOW_S, pods=pods((4, 4), (4, 4))), memory, SPEC)

    assert found.switches == ()
    assert counts(found.wishes) == (6, 2)
    assert found.facts["turn.at_s"] == NOW_S - 5.0


# -- time lines --------------------------------------------------------------------------------------


@dataclass
class Fleet:
    """Pods start in a lead time and switch within the tick; answers grow longer, or shorter."""

    pods: dict[Role, int]
    asked: FleetSpec = SPEC
    now_s: float = 0.0
    memory: Memory = field(default_factory=Memory)
    starting: list[tuple[float, Role]] = field(default_factory=list)
    switched: list[tuple[float, Switch]] = field(default_factory=list)

    def until(self, minute: float, prompt: int, answer: int, rate_rps: float = 20.0) -> Plan:
        while self.now_s < minute * MINUTE_S:
            self.now_s += TICK_S
            decided = self.look(observed(self, prompt, answer, rate_rps))
        return decided

    def look(self, seen: Observation) -> Plan:
        decided = plan(seen, self.memory, self.asked, learns=False)
        self.memory = decided.memory
        self.switched += [(self.now_s, switch) for switch in decided.switches]
        for source, target in decided.switches:
            self.pods[source] -= 1
            self.pods[target] += 1
        for role in Role:
            more = decided.roles[role].target - self.pods[role]
            self.pods[role] += more
            self.starting += [(self.now_s + LEAD_S, role)] * more
        return decided

    def counts(self, role: Role) -> PodCounts:
        self.starting = [each for each in self.starting if each[0] > self.now_s]
        starting = min(sum(each[1] is role for each in self.starting), self.pods[role])
        desired = self.pods[role]
        return PodCounts(desired=desired, ready=desired - starting, starting=starting)


def observed(fleet: Fleet, prompt: int, answer: int, rate_rps: float) -> Observation:
    ended = Figure(rate_rps * TICK_S)
    return observation(
        fleet.now_s,
        rate_rps=rate_rps,
        interval_s=TICK_S,
        lengths=(prompt, 0, answer),
        pods={role: fleet.counts(role) for role in Role},
        finished=ended,
        met_both=ended,
    )


def turned(asked: FleetSpec) -> Fleet:
    """Long prompts and short answers until 20 min, then short prompts and long answers."""
    served = Fleet(pods={P: 12, D: 2}, asked=asked)
    served.until(20, prompt=4000, answer=100)
    served.until(40, prompt=500, answer=1200)
    return served


def test_demand_that_moves_from_prefill_to_decode_moves_pods_with_it() -> None:
    """From 20 min on answers are long: prefill pods decode, and only that way."""
    served = turned(SPEC)

    assert served.switched
    assert {switch for _, switch in served.switched} == {TO_DECODE}
    assert 20 * MINUTE_S < served.switched[0][0] < 24 * MINUTE_S


def test_without_the_lever_pods_are_started_and_stopped_as_ever() -> None:
    without = turned(spec(lead_time_s=LEAD_S, switch_s=5.0))

    assert not without.switched


def test_a_steady_fleet_never_switches() -> None:
    served = Fleet(pods={P: 8, D: 2})
    served.until(60, prompt=1000, answer=200)

    assert not served.switched


def test_nothing_switches_on_figures_that_are_missing_or_stale() -> None:
    served = turned(SPEC)
    served.pods, served.starting = {P: served.pods[P] + 4, D: 1}, []
    served.now_s += TICK_S
    seen = observed(served, 500, 1200, 20.0)
    for arrivals in (Missing("no scrape"), Figure(200.0, age_s=120.0), Figure(float("nan"))):
        traffic = observation(served.now_s, rate_rps=arrivals, pods=seen.pods).traffic
        blind = Observation(now_s=served.now_s, pods=seen.pods, traffic=traffic)
        assert plan(blind, served.memory, SPEC, learns=False).switches == ()


def test_a_plan_that_switches_asks_for_no_more_pods_than_one_that_does_not() -> None:
    """The budget is full, and a start would wait for it; a switch does not."""
    full = spec(
        lead_time_s=LEAD_S,
        switch_s=5.0,
        parameters={"switches": 1.0},
        budget=Budget(accelerators=12),
    )
    served = Fleet(pods={P: 10, D: 2}, asked=full)
    served.until(20, prompt=4000, answer=100)
    while served.now_s < 40 * MINUTE_S:
        served.now_s += TICK_S
        decided = served.look(observed(served, 500, 1200, 20.0))
        assert sum(each.target for each in decided.roles.values()) <= 12
    assert served.switched


def test_the_present_is_unknown_before_the_first_arrival() -> None:
    assert survivors.present(observation(0.0), Memory(), SPEC) is None

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.api.role import Role
from tandem.perf.engine_profile import DecodeCost
from tandem.routing import pick
from tandem.routing.load import DecodeField, PodLoad, PrefillField
from tandem.routing.model import RoutePod, RouteRequest

COST = DecodeCost(alpha_s=0.010, beta_s_per_sequence=0.001, gamma_s_per_token=1e-6)
ASKED = RouteRequest(
    key="asked", arrival_s=0, deadline_s=2, input_tokens=1000, service_s=0.1, output_tokens=100
)


def load(  # noqa: PLR0917 - a builder
    name: str,
    role: Role = Role.PREFILL,
    in_flight: int = 0,
    pinned: int = 0,
    capacity: int = 10_000,
    revision: str = "",
    draining: bool = False,  # noqa: FBT001, FBT002
) -> PodLoad:
    """A pod with one request of so many tokens in flight, and KV of so many pinned."""
    found = PodLoad(
        RoutePod(
            name=name,
            role=role,
            kv_capacity_tokens=capacity,
            revision=revision,
            draining=draining,
        )
    )
    if in_flight:
        found.start("other", in_flight)
    if pinned:
        found.pin("waits for its pull", pinned)
    return found


def decoding(name: str, sequences: int, tokens_each: int = 100, **fields: object) -> PodLoad:
    found = load(name, Role.DECODE, **fields)  # type: ignore[arg-type]
    for number in range(sequences):
        found.start(f"{number}", tokens_each)
    return found


@pytest.mark.parametrize(
    ("loads", "expected"),
    [
        pytest.param([load("a", in_flight=5), load("b")], "b", id="the idle pod"),
        pytest.param([load("a", in_flight=5)], None, id="one prompt a pod at a time"),
        pytest.param([load("a", draining=True), load("b")], "b", id="no draining pod"),
        pytest.param([load("a", pinned=500), load("b", pinned=400)], "b", id="least pinned KV"),
        pytest.param([load("b"), load("a")], "a", id="by name among equals"),
        pytest.param([load("a", capacity=999)], None, id="no room for the prompt"),
        pytest.param([load("a", capacity=1000)], "a", id="room to the token"),
        pytest.param([load("a", pinned=9_001)], None, id="pinned KV takes room"),
        pytest.param([], None, id="no pod"),
    ],
)
def test_a_prefill_pod_is_picked(loads: list[PodLoad], expected: str | None) -> None:
    found = pick.prefill(PrefillField(loads), ASKED)
    assert (found.pod.name if found else None) == expected


@pytest.mark.parametrize(
    ("loads", "tpot_s", "expected"),
    [
        pytest.param([decoding("a", 3), decoding("b", 1)], 0.05, "b", id="the shortest step"),
        pytest.param([decoding("a", 3), decoding("b", 1)], 0.001, "a", id="one takes the excess"),
        pytest.param([decoding("a", 0, draining=True)], 0.05, None, id="no draining pod"),
        pytest.param(
            [decoding("a", 1, capacity=1199), decoding("b", 3)], 0.05, "b", id="one with room"
        ),
        pytest.param([decoding("a", 0, capacity=10)], 0.05, "a", id="no other is there"),
        pytest.param([], 0.05, None, id="no pod"),
    ],
)
def test_a_decode_pod_is_picked(loads: list[PodLoad], tpot_s: float, expected: str | None) -> None:
    found = pick.decode(DecodeField(loads, COST), ASKED, COST, tpot_s)
    assert (found.pod.name if found else None) == expected


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 300)), min_size=1, max_size=6))
def test_a_decode_pod_within_the_target_is_never_left_for_one_beyond_it(
    pods: list[tuple[int, int]],
) -> None:
    loads = [
        decoding(f"{number}", sequences, tokens, capacity=10**6)
        for number, (sequences, tokens) in enumerate(pods)
    ]
    tpot_s = 0.025

    def step_s(each: PodLoad) -> float:
        return COST.step_s(len(each.tokens) + 1, each.tokens_sum + 1100)

    found = pick.decode(DecodeField(loads, COST), ASKED, COST, tpot_s)
    assert found is not None
    if any(step_s(each) <= tpot_s for each in loads):
        assert step_s(found) == min(map(step_s, loads))
    else:
        assert step_s(found) == max(map(step_s, loads))


@given(st.lists(st.sampled_from(["start", "end", "pin", "unpin"]), max_size=30), st.data())
def test_a_load_is_the_sum_of_what_is_on_it(actions: list[str], data: st.DataObject) -> None:
    tried = load("a")
    for action in actions:
        key = data.draw(st.sampled_from("abc"))
        if action == "start" and key not in tried.tokens:
            tried.start(key, data.draw(st.integers(0, 100)))
        elif action == "pin" and key not in tried.pinned:
            tried.pin(key, data.draw(st.integers(0, 100)))
        elif action == "end":
            tried.end(key)
        elif action == "unpin":
            tried.unpin(key)
    assert tried.tokens_sum == sum(tried.tokens.values())
    assert tried.pinned_sum == sum(tried.pinned.values())


def test_a_finishing_pod_takes_a_decode_leg_only_where_no_other_can() -> None:
    going = load("a", Role.DECODE, draining=True)
    going.pod = replace(going.pod, finishing=True)
    stays = load("c", Role.DECODE, 500)
    assert pick.decode(DecodeField([going], COST), ASKED, COST, 0.05) is going
    assert pick.decode(DecodeField([going, stays], COST), ASKED, COST, 0.05) is stays


def plainly(loads: list[PodLoad], tpot_s: float) -> PodLoad | None:
    """The rule as it is told, every pod looked at."""
    usable = [each for each in loads if not each.pod.draining]
    with_room = [each for each in usable if each.room(1100)] or usable

    def rank(each: PodLoad) -> tuple[float, str]:
        return COST.step_s(len(each.tokens) + 1, each.tokens_sum + 1100), each.pod.name

    within = [each for each in with_room if rank(each)[0] <= tpot_s]
    return min(within, key=rank) if within else max(with_room, key=rank, default=None)


PODS = st.tuples(
    st.integers(0, 5), st.sampled_from([1, 10, 1000]), st.booleans(), st.sampled_from([500, 10_000])
)


@given(st.lists(PODS, max_size=9), st.sampled_from([0.005, 0.0125, 0.05]))
def test_the_ranking_finds_whom_a_look_at_every_pod_would_find(
    pods: list[tuple[int, int, bool, int]], tpot_s: float
) -> None:
    loads = [
        decoding(f"{number}", sequences, tokens, draining=draining, capacity=capacity)
        for number, (sequences, tokens, draining, capacity) in enumerate(pods)
    ]
    found = pick.decode(DecodeField(loads, COST), ASKED, COST, tpot_s)
    assert found is plainly(loads, tpot_s)


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(-5, 5)), max_size=40))
def test_the_best_follows_every_change(changes: list[tuple[str, int]]) -> None:
    loads = {name: load(name) for name in "abcde"}
    field = PrefillField(loads.values())
    for name, change in changes:
        if change < 0:
            loads[name].unpin(f"{-change}")
        elif change:
            loads[name].pin(f"{change}", change)
        elif not loads[name].tokens:
            loads[name].start("x", 3)
        idle = [each for each in loads.values() if not each.tokens]
        expected = min(idle, key=lambda each: (each.pinned_sum, each.pod.name), default=None)
        assert field.best() is expected
        assert field.requests == sum(len(each.tokens) for each in loads.values())

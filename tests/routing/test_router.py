import pytest

from tandem.api.role import Role
from tandem.perf.engine_profile import DecodeCost
from tandem.routing.model import RoutePod, RouteRequest
from tandem.routing.router import Router

COST = DecodeCost(alpha_s=0.010, beta_s_per_sequence=0.001, gamma_s_per_token=1e-6)


def request(key: str, tokens: int = 100, deadline_s: float = 2.0) -> RouteRequest:
    return RouteRequest(
        key=key,
        arrival_s=0.0,
        deadline_s=deadline_s,
        input_tokens=tokens,
        service_s=0.1,
        output_tokens=10,
    )


def pod(name: str, role: Role, capacity: int = 1000, **fields: object) -> RoutePod:
    return RoutePod(name=name, role=role, kv_capacity_tokens=capacity, **fields)  # type: ignore[arg-type]


PAIR = (pod("p0", Role.PREFILL), pod("d0", Role.DECODE))


def router(*pods: RoutePod, order: str = "feasible-first") -> Router:
    made = Router(COST, tpot_s=0.05, order=order)
    made.set_pods(pods or PAIR)
    return made


def started(routes: Router, now_s: float = 0.0) -> tuple[str, str] | None:
    found = routes.start_prefill(now_s)
    return (found[0].key, found[1].name) if found else None


def loads(routes: Router, role: Role) -> dict[str, tuple[int, int]]:
    return {x.pod.name: (x.tokens_sum, x.pinned_sum) for x in routes.loads(role)}


def test_a_request_goes_its_way_and_leaves_nothing_behind() -> None:
    routes = router()
    routes.enqueue(request("a"))
    assert (routes.queued_requests, routes.queued_tokens) == (1, 100)
    assert started(routes) == ("a", "p0")
    assert (routes.queued_requests, routes.queued_tokens) == (0, 0)
    assert loads(routes, Role.PREFILL) == {"p0": (100, 0)}
    routes.prefilled("a")
    assert loads(routes, Role.PREFILL) == {"p0": (0, 100)}
    assert routes.start_decode("a") == PAIR[1]
    assert loads(routes, Role.DECODE) == {"d0": (110, 0)}
    routes.pulled("a")
    assert loads(routes, Role.PREFILL) == {"p0": (0, 0)}
    routes.ended("a")
    assert loads(routes, Role.DECODE) == {"d0": (0, 0)}


def test_a_prefill_pod_has_one_prompt_at_a_time() -> None:
    routes = router()
    routes.enqueue(request("a"))
    routes.enqueue(request("b"))
    assert started(routes) == ("a", "p0")
    assert started(routes) is None
    routes.prefilled("a")
    assert started(routes) == ("b", "p0")


def test_pinned_kv_holds_the_next_prompt_back_until_it_is_pulled() -> None:
    routes = router(pod("p0", Role.PREFILL, capacity=150), PAIR[1])
    routes.enqueue(request("a"))
    routes.enqueue(request("b"))
    assert started(routes) == ("a", "p0")
    routes.prefilled("a")
    assert started(routes) is None
    routes.start_decode("a")
    routes.pulled("a")
    assert started(routes) == ("b", "p0")


def test_a_request_without_room_keeps_its_turn() -> None:
    routes = router(pod("p0", Role.PREFILL, capacity=150), PAIR[1])
    for key in ("first", "large", "small"):
        routes.enqueue(request(key, tokens=100 if key != "small" else 10))
    assert started(routes) == ("first", "p0")
    routes.prefilled("first")
    assert started(routes) is None
    routes.ended("first")
    assert started(routes) == ("large", "p0")


def test_a_request_that_left_the_queue_is_skipped() -> None:
    routes = router()
    routes.enqueue(request("a"))
    routes.enqueue(request("b"))
    routes.ended("a")
    assert (routes.queued_requests, routes.queued_tokens) == (1, 100)
    assert started(routes) == ("b", "p0")


def test_a_request_that_comes_again_is_started_once() -> None:
    routes = router(pod("p0", Role.PREFILL), pod("p1", Role.PREFILL), PAIR[1])
    again = request("a")
    routes.enqueue(again)
    routes.ended("a")
    routes.enqueue(again)
    assert started(routes) == ("a", "p0")
    assert started(routes) is None


def test_a_request_in_flight_cannot_come_again() -> None:
    routes = router()
    routes.enqueue(request("a"))
    with pytest.raises(AssertionError, match="a is in flight"):
        routes.enqueue(request("a"))


def test_without_a_decode_pod_the_leg_waits_for_one() -> None:
    routes = router(PAIR[0])
    routes.enqueue(request("a"))
    started(routes)
    routes.prefilled("a")
    assert routes.start_decode("a") is None
    routes.set_pods(PAIR)
    assert routes.start_decode("a") == PAIR[1]


def test_a_decode_leg_that_is_placed_again_moves() -> None:
    routes = router()
    routes.enqueue(request("a"))
    started(routes)
    routes.prefilled("a")
    routes.start_decode("a")
    d1 = pod("d1", Role.DECODE)
    routes.set_pods((PAIR[0], pod("d0", Role.DECODE, draining=True), d1))
    assert routes.start_decode("a") == d1
    assert loads(routes, Role.DECODE) == {"d0": (0, 0), "d1": (110, 0)}


def test_a_pod_that_comes_back_still_has_what_was_sent_to_it() -> None:
    routes = router()
    routes.enqueue(request("a"))
    started(routes)
    routes.set_pods((PAIR[1],))
    routes.set_pods((PAIR[1],))
    routes.enqueue(request("b"))
    assert started(routes) is None
    routes.set_pods(PAIR)
    assert started(routes) is None, "p0 has a prompt already"
    routes.ended("a")
    assert started(routes) == ("b", "p0")


def test_a_switched_pod_is_found_under_its_present_role() -> None:
    routes = router()
    routes.set_pods((pod("p0", Role.DECODE), pod("d0", Role.PREFILL)))
    assert list(loads(routes, Role.DECODE)) == ["p0"]
    assert list(loads(routes, Role.PREFILL)) == ["d0"]


def test_an_end_of_the_unknown_is_none() -> None:
    routes = router()
    routes.ended("nobody")
    routes.prefilled("nobody")
    routes.pulled("nobody")
    assert routes.queued_requests == 0


def test_the_late_wait_behind_those_on_time() -> None:
    routes = router()
    routes.enqueue(request("late", deadline_s=1.0))
    routes.enqueue(request("on time", deadline_s=9.0))
    assert started(routes, now_s=2.0) == ("on time", "p0")

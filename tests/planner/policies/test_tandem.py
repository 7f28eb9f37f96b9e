"""Time lines of `tandem`: rates come in, pods come a cold start after they were asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import cos, pi

from tests.planner.builders import D, P, observation, spec

from tandem.api.role import Role
from tandem.planner.model import Memory, Plan
from tandem.planner.observation import Figure, Missing, PodCounts
from tandem.planner.plan import plan
from tandem.planner.spec import FleetSpec

SPEC = spec(lead_time_s=100.0)
MINUTE_S, TICK_S = 60.0, 10.0


@dataclass
class Fleet:
    """A fleet that does what it is told, a hundred seconds later."""

    pods: dict[Role, int]
    now_s: float = 0.0
    memory: Memory = field(default_factory=Memory)
    starting: list[tuple[float, Role]] = field(default_factory=list)
    dispersion: float = 1.0
    asked: FleetSpec = SPEC

    def until(self, minute: int, rate_rps: Callable[[float], float] | float) -> Plan:
        """The plan at a minute; requests of 1,000 and 200 tokens, of which nine a second and prefill pod end in time."""
        while self.now_s < minute * MINUTE_S:
            self.now_s += TICK_S
            rate = rate_rps if isinstance(rate_rps, int | float) else rate_rps(self.now_s)
            decided = self.look(rate)
        return decided

    def look(self, rate_rps: float) -> Plan:
        """One look, and what comes of it."""
        ended = Figure(rate_rps * TICK_S)
        seen = observation(
            self.now_s,
            rate_rps=rate_rps,
            interval_s=TICK_S,
            dispersion=Figure(self.dispersion),
            pods={role: self._counts(role) for role in Role},
            finished=ended,
            met_both=Figure(min(rate_rps, 9.0 * self.ready(P)) * TICK_S),
        )
        decided = plan(seen, self.memory, self.asked, learns=False)
        self.memory = decided.memory
        for role in Role:
            more = decided.roles[role].target - self.pods[role]
            self.pods[role] += more
            ours = [each for each in self.starting if each[1] is role]
            kept = ours[: max(len(ours) + min(more, 0), 0)] + [(self.now_s + 100.0, role)] * more
            self.starting = [each for each in self.starting if each[1] is not role] + kept
        return decided

    def ready(self, role: Role) -> int:
        """Pods that serve now."""
        return self._counts(role).ready

    def _counts(self, role: Role) -> PodCounts:
        self.starting = [each for each in self.starting if each[0] > self.now_s]
        starting = sum(each[1] is role for each in self.starting)
        desired = self.pods[role]
        return PodCounts(desired=desired, ready=desired - starting, starting=starting)


def fleet(prefill: int = 4, decode: int = 1) -> Fleet:
    return Fleet(pods={P: prefill, D: decode})


def prefills(decided: Plan) -> int:
    return decided.roles[P].target


def test_a_fleet_stands_still_while_nothing_is_known() -> None:
    decided = plan(observation(0.0, rate_rps=Missing("no scrape")), Memory(), SPEC)
    assert prefills(decided) == 1
    assert "held" in decided.roles[P].reason


def test_steady_traffic_is_stood_still_for() -> None:
    """20 requests/s of 100 ms are 2 pods' work; one more keeps 99 % of them from waiting too long."""
    served = fleet()
    assert {prefills(served.until(minute, 20.0)) for minute in range(20, 30)} == {3}


def test_the_more_caution_the_more_pods() -> None:
    """At 80 requests/s prefill has 8 pods' work."""
    pods = []
    for caution in (-4.0, 0.0, 3.0, 8.0):
        served = fleet(10, 4)
        served.asked = replace(SPEC, parameters={"caution": caution})
        pods.append(prefills(served.until(20, 80.0)))
    assert pods == sorted(pods)
    assert 8 <= pods[0] < pods[2] < pods[3]


def test_arrivals_in_batches_are_made_ready_for() -> None:
    """20 requests/s that come fifty at once: a batch alone is 5 s of a pod's work, and TTFT 1 s."""
    served = fleet()
    served.dispersion = 50.0
    assert min(prefills(served.until(minute, 20.0)) for minute in range(20, 30)) >= 5


def test_traffic_that_broke_off_after_a_calm_finds_pods_when_it_is_back() -> None:
    """Twenty calm minutes at 30 requests/s tell nothing of their end: after eighteen silent ones half still stands."""
    served = fleet()
    served.until(20, 30.0)
    assert prefills(served.until(38, 0.0)) >= 2


def test_a_rise_that_was_seen_twice_finds_its_pods_ready() -> None:
    """Half of each quarter of an hour 40 requests/s, else 5: at 61 min, when it rises again, expect 4 at least."""
    served = fleet()

    def square(now_s: float) -> float:
        return 40.0 if now_s % 900 < 450 else 5.0

    served.until(59, square)
    assert served.ready(P) < 4
    served.until(60, square)
    served.look(40.0)
    assert served.ready(P) >= 4


def test_nothing_is_taken_for_two_lead_times_after_the_start() -> None:
    served = fleet(prefill=12)
    assert prefills(served.until(3, 5.0)) == 12
    assert prefills(served.until(9, 5.0)) < 4


def test_the_first_rise_is_followed_within_two_minutes() -> None:
    """10 to 37 requests/s in nine minutes, 0.1 s of prefill each, a start takes 100 s, the window is 150."""
    served = fleet()
    served.until(15, 10.0)
    for minute in range(16, 25):
        served.until(minute, lambda now_s: 10 + 3 * (now_s / MINUTE_S - 15))
        assert served.ready(P) >= 1 + 0.3 * (minute - 17), minute


def test_a_fall_is_followed_no_sooner_than_two_lead_times_later() -> None:
    """At 30 min 42 requests/s become 10: at 33 min expect what was, at 75 min what 10 need."""
    served = fleet()
    before = prefills(served.until(30, 42.0))
    assert prefills(served.until(33, 10.0)) == before
    assert prefills(served.until(75, 10.0)) < before - 1


def test_the_third_wave_finds_its_pods_ready() -> None:
    """Between 4 and 36 requests/s every 16 minutes, as no level can follow with a start of 100 s."""
    served = fleet()

    def wave(now_s: float) -> float:
        return 20 - 16 * cos(2 * pi * now_s / 960)

    served.until(34, wave)
    for minute in range(35, 48):
        served.until(minute, wave)
        assert served.ready(P) >= 0.1 * wave(served.now_s), minute
    assert served.ready(P) < 4

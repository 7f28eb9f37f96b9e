"""What the planner is shown, when, and what becomes of its answers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.simulated import ROUND, requests, scenario, scripted

from tandem.api.role import Role
from tandem.planner.observation import (
    Figure,
    LengthCounts,
    Missing,
    Observation,
    PodCounts,
    Reading,
)
from tandem.planner.plan import plan
from tandem.simulator.control import Change
from tandem.simulator.run import simulate
from tandem.traces.generate import generate

# One request each 100 ms for 10 s.
STEADY = requests(*((100 * k, 90, 3) for k in range(101)))


def seen(scrape_age_s: float, interval_s: float = 1.0) -> list[Observation]:
    looks: list[Observation] = []
    simulate(
        scenario(
            STEADY,
            planner=scripted([], looks),
            scrape_age_s=scrape_age_s,
            interval_s=interval_s,
        )
    )
    return looks


def value(reading: Reading) -> float:
    assert isinstance(reading, Figure), reading
    return reading.value


def arrivals(looks: list[Observation]) -> dict[float, float | None]:
    """Arrivals of the interval by the time of the look; None where they are missing."""
    found = {}
    for look in looks:
        figure = look.traffic.arrivals
        found[round(look.now_s, 6)] = figure.value if isinstance(figure, Figure) else None
    return found


def test_a_fresh_scrape_counts_the_interval_that_just_ended() -> None:
    """Of [0, 1] s the arrival at 1 s was not counted yet; its event comes after the scrape's."""
    counted = arrivals(seen(scrape_age_s=0.0))
    assert list(counted)[:3] == [1.0, 2.0, 3.0]
    assert sum(filter(None, counted.values())) == pytest.approx(101, abs=1)
    assert set(counted.values()) <= {9.0, 10.0, 11.0}


def test_figures_are_as_old_as_the_scrape_and_say_so() -> None:
    looks = seen(scrape_age_s=2.5)
    counted = arrivals(looks)
    assert [counted[t] for t in (1.0, 2.0, 3.0)] == [None, None, None], "nothing is old enough yet"
    fresh = arrivals(seen(scrape_age_s=0.0))
    aged = {t: value for t, value in counted.items() if value is not None}
    assert aged, "figures do come"
    assert all(value == fresh[round(t - 2.5, 6)] for t, value in aged.items())
    ages = {
        look.traffic.arrivals.age_s for look in looks if isinstance(look.traffic.arrivals, Figure)
    }
    assert ages == {2.5}


def test_pods_are_seen_as_they_are_however_old_the_traffic_is() -> None:
    looks: list[Observation] = []
    simulate(
        scenario(
            STEADY,
            planner=scripted([(2.0, Role.DECODE, 2)], looks),
            scrape_age_s=5.0,
            interval_s=1.0,
            lead_time_s=3.5,
        )
    )
    pods = {look.now_s: look.pods[Role.DECODE] for look in looks}
    assert pods[2.0] == PodCounts(desired=1, ready=1)
    assert pods[5.0] == PodCounts(desired=2, ready=1, starting=1)
    assert pods[6.0] == PodCounts(desired=2, ready=2)


@given(scrape_age_s=st.integers(0, 40).map(lambda tenths: tenths / 10))
def test_no_arrival_is_told_twice_or_never(scrape_age_s: float) -> None:
    looks = seen(scrape_age_s)
    told = [f.value for look in looks if isinstance(f := look.traffic.arrivals, Figure)]
    last_scrape_s = max((look.now_s for look in looks), default=0.0) - scrape_age_s
    came = sum(request.arrival_s <= last_scrape_s for request in STEADY.requests)
    assert sum(told) == pytest.approx(came, abs=1)


def test_every_change_is_noted_once_with_its_reason() -> None:
    changes = [(2.0, Role.PREFILL, 3), (4.0, Role.DECODE, 2), (6.0, Role.PREFILL, 1)]
    result = simulate(scenario(STEADY, planner=scripted(changes), interval_s=1.0))
    why = "the script says so"
    assert list(result.changes) == [
        Change(2.0, Role.PREFILL, 1, 3, why),
        Change(4.0, Role.DECODE, 1, 2, why),
        Change(6.0, Role.PREFILL, 3, 1, why),
    ]


def test_a_look_shows_what_a_scrape_of_the_real_fleet_would() -> None:
    looks: list[Observation] = []
    simulate(scenario(generate(3.0, 120.0, seed=4), planner=scripted([], looks), interval_s=20.0))
    traffic = looks[2].traffic
    assert traffic.interval_s == 20.0
    assert isinstance(traffic.lengths, LengthCounts)
    cells = sum(count for *_, count in traffic.lengths.cells)
    assert traffic.finished == Figure(cells), "each finished request is in one cell"
    assert set(traffic.running) == set(traffic.kv_usage) == set(traffic.utilisation) == set(Role)
    assert isinstance(traffic.dispersion, Figure)
    assert traffic.in_flight.keys() == {"prefill-1", "decode-1"}
    busy = traffic.utilisation[Role.PREFILL]
    assert isinstance(busy, Figure)
    assert 0 < busy.value <= 1


def test_what_came_was_prefilled_or_waits_or_is_in_hand() -> None:
    looks: list[Observation] = []
    simulate(scenario(generate(3.0, 120.0, seed=4), planner=scripted([], looks), interval_s=20.0))
    came = prefilled = 0.0
    for traffic in (look.traffic for look in looks[:5]):
        assert isinstance(traffic.arrivals, Figure)
        assert isinstance(traffic.prompts, LengthCounts)
        assert isinstance(traffic.queued_requests, Figure)
        came += traffic.arrivals.value
        prefilled += sum(count for *_, count in traffic.prompts.cells)
        assert 0 <= came - prefilled - traffic.queued_requests.value <= 1, "of one prefill pod"
    assert prefilled > 10


@pytest.mark.parametrize("first_token", list(Role))
def test_a_scrape_tells_means_of_what_finished_and_every_token_of_decode(first_token: Role) -> None:
    """Of answers of 3 and 2 tokens all are decode's, or all but the first ones."""
    looks: list[Observation] = []
    trace = requests((0, 90, 3), (280, 90, 2), (2000, 90, 2))
    profile = replace(ROUND, first_token=first_token)
    planner = scripted([], looks)
    result = simulate(scenario(trace, planner=planner, profile=profile, interval_s=0.26))
    one, other, _ = result.flights
    first, second = (look.traffic for look in looks[:2])
    assert (value(first.ttft_s), value(first.tpot_s)) == (one.ttft_s, one.tpot_s)
    assert value(second.ttft_s) == other.ttft_s
    decoded = [value(first.output_tokens), value(second.output_tokens)]
    assert decoded == ([3, 2] if first_token is Role.DECODE else [2, 1])


def test_a_scrape_of_nothing_that_finished_has_no_latency() -> None:
    looks: list[Observation] = []
    simulate(scenario(requests((0, 90, 3)), planner=scripted([], looks), interval_s=0.1))
    assert looks[0].traffic.ttft_s == Missing("no request ended in the interval that tells it")
    assert looks[0].traffic.output_tokens == Figure(0)


@pytest.mark.parametrize("policy", ["tandem", "hpa"])
def test_the_real_planner_scales_an_overloaded_fleet_up(policy: str) -> None:
    """Prompts of 1,155 tokens take 1.2 s of `ROUND`: at 2.5 requests/s one pod can't, three just do.

    Longer ones are late for 2 s on any fleet.
    """
    trace = generate(rate_rps=2.5, duration_s=300.0, seed=2)
    fast = replace(ROUND, transfer=replace(ROUND.transfer, bandwidth_bytes_per_s=1e8))
    asked = scenario(trace, lead_time_s=10.0, profile=fast)
    fixed = simulate(asked)
    spec = replace(asked.spec, policy=policy)
    scaled = simulate(replace(asked, spec=spec, planner=plan, scrape_age_s=5.0))
    assert max(change.after for change in scaled.changes if change.role is Role.PREFILL) >= 3
    assert scaled.attainment > fixed.attainment + 0.1


def test_prefill_utilisation_is_the_share_of_time_with_a_prompt_in_hand() -> None:
    """A prompt of 100 ms each 100 ms is always busy; one each 1,000 ms a tenth of the time."""
    shares = {}
    for gap_ms in (100, 1000):
        looks: list[Observation] = []
        trace = requests(*((gap_ms * k, 90, 1) for k in range(10_000 // gap_ms)))
        simulate(scenario(trace, planner=scripted([], looks), interval_s=2.0))
        figure = looks[1].traffic.utilisation[Role.PREFILL]
        assert isinstance(figure, Figure)
        shares[gap_ms] = figure.value
    assert shares == pytest.approx({100: 1.0, 1000: 0.1})


def test_decode_utilisation_is_the_share_of_the_batch_cap_in_use() -> None:
    """Four answers that outlast the look, of a batch cap of 256."""
    looks: list[Observation] = []
    trace = requests(*((k, 90, 1000) for k in range(4)))
    simulate(scenario(trace, planner=scripted([], looks), interval_s=2.0))
    traffic = looks[0].traffic
    assert traffic.running[Role.DECODE] == Figure(4.0)
    assert traffic.utilisation[Role.DECODE] == Figure(4 / 256)


def test_a_role_without_ready_pods_has_no_figures_rather_than_zeros() -> None:
    looks: list[Observation] = []
    planner = scripted([(1.0, Role.DECODE, 0)], looks)
    simulate(scenario(STEADY, planner=planner, interval_s=1.0, drain_s=1.0))
    assert isinstance(looks[-1].traffic.kv_usage[Role.DECODE], Missing)

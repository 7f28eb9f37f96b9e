"""Ten requests on two pods a role, added up by hand.

The profile (`tests.fakes.simulated.ROUND`, its links twice as fast), times in milliseconds:

    prefill     10 + 1 a token              90 tokens 100, 95 tokens 105, 140 tokens 150, 190 tokens 200
    transfer     5 + 0.5 a token, alone     90 tokens  50, 95 tokens 52.5, 140 tokens 75, 190 tokens 100
    step        10 + 1 a sequence + 0.01 a token of context; a sequence's context is its prompt in its
                first step and one more in each later one: alone 11.90, 11.91, 11.92, ... after 90
                tokens, 11.95 after 95, 12.40, 12.41 after 140, 12.90, 12.91 after 190

Prefill pods P1, P2 take one prompt at a time, first come first served. A decode leg goes to the pod D1
or D2 whose step would be shortest with it; the router counts what it expects of the answer into the
context: 256 tokens while no answer was seen, then 0.95 of the mean before and 0.05 of the last, rounded up.

      0      r1 (90) -> P1 until 100           r2 (190) -> P2 until 200
     50, 60  r3 (90), r4 (90), r5 (190), r6 (90) wait
    100      r1 prefilled, D1 and D2 empty -> D1, pulls alone until 150     r3 -> P1 until 200
    150      r1 decodes alone: 11.90 -> 161.90 first, 11.91 -> 173.81, 11.92 -> 185.73 last
    200      r2 prefilled (its step began first): D1 and D2 empty -> D1, pulls until 300
                                                                            r4 -> P2 until 300
             r3 prefilled: D1 has r2 (446 tokens), D2 nothing -> D2, pulls until 250
                                                                            r5 -> P1 until 400
    250      r3 alone: 11.90 -> 261.90 first, 11.91 -> 273.81 last
    300      r2 alone on D1: 12.90 -> 312.90 first, 12.91 -> 325.81 last
             r4 prefilled: D1 has r2, D2 nothing -> D2, pulls until 350     r6 -> P2 until 400
    310      r7 (95), r8 (140) wait; r1 and r3 answered with 3 and 2 tokens: 3 are expected
    350      r4 alone: 11.90 -> 361.90 first, 11.91 -> 373.81 last
    400      r5 prefilled, D1 and D2 empty -> D1, pulls until 500           r7 -> P1 until 505
             r6 prefilled: D1 has r5, D2 nothing -> D2, pulls until 450     r8 -> P2 until 550
    450      r6 alone, six tokens: 11.90 -> 461.90 first, then 11.91, 11.92, 11.93, 11.94, 11.95:
             473.81, 485.73, 497.66, 509.60, 521.55 last
    500      r5 alone: 12.90 -> 512.90 first and last
    505      r7 prefilled: D1 has r5 (446), D2 r6 (346) -> D2, pulls until 557.5
    550      r8 prefilled: D1 has nothing, D2 r7 -> D1, pulls until 625
    557.5    r7 alone, twenty tokens: 11.95 -> 569.45 first, then 11.96, 11.97 ... 12.14. The twenty take
             20 x 11.95 + 0.01 x 190 = 240.9 -> 798.40 last
    600      r9 (90) comes: P1 is idle and pins nothing, P2 pins r8 -> P1 until 700
    610      r10 (90) comes -> P2 until 710
    625      r8 alone: 12.40 -> 637.40 first, 12.41 -> 649.81 last
    700      r9 prefilled: D1 has nothing, D2 r7 -> D1, pulls from 700
    710      r10 prefilled: D1 has r9 (93), D2 r7 (98) -> D1. 40 of r9's 50 are left: the two share D1's
             port, r9 ends after 80 at 790, r10 has 10 of its 50 left and ends alone at 800
    790      r9 alone: 11.90 -> 801.90 first. r10 came at 800, amid this step, and joins the next:
    801.90   both, context 91 + 90: 10 + 2 + 1.81 = 13.81 -> 815.71, r10's first
    815.71   both, context 92 + 91: 13.83 -> 829.54, r10's last
    829.54   r9 alone, context 93: 11.93 -> 841.47, its fourth and last
"""

from dataclasses import replace

import pytest
from tests.fakes.simulated import ROUND, requests, scenario

from tandem.api.role import Role
from tandem.simulator.result import Result
from tandem.simulator.run import simulate

TRACE = requests(
    (0, 90, 3),
    (0, 190, 2),
    (50, 90, 2),
    (50, 90, 2),
    (60, 190, 1),
    (60, 90, 6),
    (310, 95, 20),
    (310, 140, 2),
    (600, 90, 4),
    (610, 90, 2),
)
FIRST_MS = [161.90, 312.90, 261.90, 361.90, 512.90, 461.90, 569.45, 637.40, 801.90, 815.71]
LAST_MS = [185.73, 325.81, 273.81, 373.81, 512.90, 521.55, 798.40, 649.81, 841.47, 829.54]
STARTED_MS = [0, 0, 100, 200, 200, 300, 400, 400, 600, 610]
PULLS_MS = [50, 100, 50, 50, 100, 50, 52.5, 75, 90, 90]
FAST = replace(ROUND, transfer=replace(ROUND.transfer, bandwidth_bytes_per_s=2e6))
MICROSECOND_MS = 0.001


@pytest.fixture(scope="module", params=["exact", "closed"])
def result(request: pytest.FixtureRequest) -> Result:
    return simulate(scenario(TRACE, dict.fromkeys(Role, 2), profile=FAST, kernel=request.param))


def milliseconds(result: Result, name: str) -> list[float]:
    """One time of each request, in order of arrival."""
    flights = sorted(result.flights, key=lambda flight: flight.position)
    return [getattr(flight, name) * 1000 for flight in flights]


def test_first_tokens_come_out_to_the_microsecond(result: Result) -> None:
    assert milliseconds(result, "first_token_s") == pytest.approx(FIRST_MS, abs=MICROSECOND_MS)


def test_last_tokens_come_out_to_the_microsecond(result: Result) -> None:
    assert milliseconds(result, "ended_s") == pytest.approx(LAST_MS, abs=MICROSECOND_MS)


def test_prefills_start_when_their_pod_is_free(result: Result) -> None:
    assert milliseconds(result, "started_s") == pytest.approx(STARTED_MS, abs=MICROSECOND_MS)


def test_pulls_share_their_link(result: Result) -> None:
    pulls = [
        pulled - began
        for began, pulled in zip(
            milliseconds(result, "pull_began_s"), milliseconds(result, "pulled_s"), strict=True
        )
    ]
    assert pulls == pytest.approx(PULLS_MS, abs=MICROSECOND_MS)


def test_means_are_those_of_the_ten(result: Result) -> None:
    arrivals = [request.arrival_s * 1000 for request in TRACE.requests]
    outputs = [request.output_tokens for request in TRACE.requests]
    ttfts = [first - arrival for first, arrival in zip(FIRST_MS, arrivals, strict=True)]
    tpots = [
        (last - first) / (tokens - 1)
        for first, last, tokens in zip(FIRST_MS, LAST_MS, outputs, strict=True)
        if tokens > 1
    ]
    gaps_ms = sum(last - first for first, last in zip(FIRST_MS, LAST_MS, strict=True))
    latencies = result.latencies()
    means = {name: latencies[name].mean for name in ("ttft_s", "tpot_s", "itl_s")}
    assert means == pytest.approx(
        {
            "ttft_s": sum(ttfts) / 10 / 1000,
            "tpot_s": sum(tpots) / 9 / 1000,
            "itl_s": gaps_ms / (sum(outputs) - 10) / 1000,
        },
        abs=1e-6,
    )


def test_all_ten_met_both_targets_over_the_610_ms_of_the_trace(result: Result) -> None:
    assert [result.attainment, result.goodput_rps] == pytest.approx([1.0, 10 / 0.610])


def test_four_pods_of_two_accelerators_cost_until_the_last_token(result: Result) -> None:
    assert result.gpu_hours == pytest.approx(4 * 2 * 0.84147 / 3600)
    assert result.cost == pytest.approx(4 * 3.0 * 0.84147 / 3600)

"""Ten requests on two pods a role, added up by hand.

The profile (`tests.fakes.simulated.ROUND`), times in milliseconds:

    prefill     10 + 1 a token              90 tokens 100, 140 tokens 150, 190 tokens 200
    transfer     5 + 1 a token, alone       90 tokens  95, 140 tokens 145, 190 tokens 195
    step        10 + 1 a sequence + 0.01 a token of context; a sequence's context is its prompt in its
                first step and one more in each later one: alone 11.90, 11.91, 11.92, ... after 90
                tokens, 12.40, 12.41 after 140, 12.90, 12.91 after 190

Prefill pods P1, P2 take one prompt at a time, first come first served. A decode leg goes to the pod D1
or D2 whose step would be shortest with it; the router counts what it expects of the answer (256
tokens while no answer was seen) into the context.

      0      r1 (90) -> P1 until 100           r2 (190) -> P2 until 200
     50, 60  r3 (90), r4 (90), r5 (190), r6 (90) wait
    100      r1 prefilled, D1 and D2 empty -> D1, pulls alone until 195     r3 -> P1 until 200
    195      r1 decodes alone: 11.90 -> 206.90 first, 11.91 -> 218.81, 11.92 -> 230.73 last
    200      r2 prefilled: D1 has r1, D2 nothing -> D2, pulls until 395     r4 -> P2 until 300
             r3 prefilled: D1 would have 346 + 346 tokens, D2 446 + 346 -> D1, pulls until 295
                                                                            r5 -> P1 until 400
    295      r3 alone: 11.90 -> 306.90 first, 11.91 -> 318.81 last
    300      r4 prefilled: D1 has r3 (346), D2 r2 (446) -> D1, pulls until 395
                                                                            r6 -> P2 until 400
    310      r7 (90), r8 (140) wait
    395      r2 on D2 alone: 12.90 -> 407.90 first, 12.91 -> 420.81 last
             r4 on D1 alone: 11.90 -> 406.90 first, 11.91 -> 418.81 last
    400      r5 prefilled: D1 has r4 (346), D2 r2 (446) -> D1, pulls from 400   r7 -> P1 until 500
             r6 prefilled: D1 has r4 and r5, D2 r2 -> D2, pulls until 495       r8 -> P2 until 550
    495      r6 alone, six tokens: 11.90 -> 506.90 first, then 11.91, 11.92, 11.93, 11.94, 11.95:
             518.81, 530.73, 542.66, 554.60, 566.55 last
    500      r7 prefilled: D1 has r5 (446), D2 r6 (346) -> D2, pulls until 595
    550      r8 prefilled: D1 has r5, D2 r6 and r7 -> D1. Its link still has 45 of r5's 195 to do: shared,
             r5 ends after 90 more at 640; r8 then has done 45 of 145 and ends alone at 740
    595      r7 alone: 11.90 -> 606.90 first, 11.91 -> 618.81 last
    600      r9 (90) comes: P1 is idle and still pins r5 (190), P2 r8 (140) -> P2 until 700
    610      r10 (90) comes -> P1 until 710
    640      r5 alone: 12.90 -> 652.90 first and last
    700      r9 prefilled: D1 has r8, D2 nothing -> D2, pulls from 700
    710      r10 prefilled: D2 with r9 has less context than D1 with r8 -> D2. 85 of r9's 95 are left: shared,
             r9 ends after 170 at 880; r10 has 10 left and ends at 890
    740      r8 alone: 12.40 -> 752.40 first, 12.41 -> 764.81 last
    880      r9 alone: 11.90 -> 891.90 first. r10 came at 890, amid this step, and joins the next:
    891.90   both, context 91 + 90: 10 + 2 + 1.81 = 13.81 -> 905.71, r10's first
    905.71   both, context 92 + 91: 13.83 -> 919.54, r10's last
    919.54   r9 alone, context 93: 11.93 -> 931.47, its fourth and last
"""

import pytest
from tests.fakes.simulated import requests, scenario

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
    (310, 90, 2),
    (310, 140, 2),
    (600, 90, 4),
    (610, 90, 2),
)
FIRST_MS = [206.90, 407.90, 306.90, 406.90, 652.90, 506.90, 606.90, 752.40, 891.90, 905.71]
LAST_MS = [230.73, 420.81, 318.81, 418.81, 652.90, 566.55, 618.81, 764.81, 931.47, 919.54]
STARTED_MS = [0, 0, 100, 200, 200, 300, 400, 400, 600, 610]
PULLS_MS = [95, 195, 95, 95, 240, 95, 95, 190, 180, 180]
MICROSECOND_MS = 0.001


@pytest.fixture(scope="module")
def result() -> Result:
    return simulate(scenario(TRACE, dict.fromkeys(Role, 2)))


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
    assert result.gpu_hours == pytest.approx(4 * 2 * 0.93147 / 3600)
    assert result.cost == pytest.approx(4 * 3.0 * 0.93147 / 3600)

from typing import Any

import pytest
from tests.planner.builders import D, P, demand, observation, pair, spec

from tandem.planner import evidence
from tandem.planner.observation import Figure, Missing, PodCounts
from tandem.planner.queueing.tandem import Tandem

SPEC = spec(ttft_s=1.0, tpot_s=0.03, lead_time_s=20.0)
TANDEM = Tandem(demand(20.0), SPEC)  # 2 s of prefill a second


def queued(seconds: float, **traffic: Any) -> dict[str, Any]:
    return {"queued_tokens": Figure(seconds * 10_000), **traffic}


@pytest.mark.parametrize(
    ("pods", "traffic", "expected"),
    [
        pytest.param(PodCounts(ready=2), queued(1.5), 0, id="less than TTFT holds: no backlog"),
        pytest.param(PodCounts(ready=4), queued(30), 0, id="drained before a pod could start"),
        pytest.param(PodCounts(ready=2), queued(30), 4, id="2 of load, 30 s within 20 s: 1.5 more"),
        pytest.param(PodCounts(ready=1), queued(30), 5, id="and 1 s/s more piles up until then"),
        pytest.param(
            PodCounts(ready=2, starting=2), queued(30), 3, id="pods that start work half the time"
        ),
        pytest.param(PodCounts(), queued(30), 6, id="no pod at all"),
        pytest.param(
            PodCounts(ready=2),
            queued(30, kv_usage={D: Figure(0.97)}),
            0,
            id="behind a full decode cache",
        ),
        pytest.param(
            PodCounts(ready=2),
            queued(30, utilisation={D: Figure(0.99)}),
            0,
            id="behind a full decode batch",
        ),
        pytest.param(
            PodCounts(ready=2),
            queued(30, utilisation={P: Figure(0.3)}),
            0,
            id="while prefill stands idle",
        ),
        pytest.param(
            PodCounts(ready=2),
            queued(30, utilisation={P: Figure(0.98), D: Figure(0.5)}),
            4,
            id="while prefill is busy",
        ),
        pytest.param(PodCounts(ready=2), {"queued_tokens": Missing("no gateway")}, 0, id="unknown"),
        pytest.param(PodCounts(ready=2), queued(float("nan")), 0, id="not a number"),
        pytest.param(PodCounts(ready=2), queued(1e9), 0, id="more than there is"),
    ],
)
def test_a_backlog_asks_for_pods_that_work_it_off_in_time(
    pods: PodCounts, traffic: dict[str, Any], expected: int
) -> None:
    seen = observation(100.0, pods={P: pods, D: PodCounts(ready=2)}, **traffic)
    need = evidence.backlog(seen, SPEC, TANDEM)

    assert need.replicas == expected
    assert bool(need.reason) == bool(expected)


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        pytest.param(Figure(0.0), 0, id="nobody"),
        pytest.param(Figure(70.0), 1, id="room for 158 each at 30 ms a step"),
        pytest.param(Figure(100.0), 2, id="too many for one: none of the two may go"),
        pytest.param(Figure(170.0), 3, id="more than both hold"),
        pytest.param(Figure(255.0), 4, id="a full batch"),
        pytest.param(Missing("no scrape"), 0, id="unknown"),
        pytest.param(Figure(float("inf")), 0, id="impossible"),
    ],
)
def test_those_who_decode_now_need_room(running: Any, expected: int) -> None:
    seen = observation(100.0, pods=pair(2, 2), running={D: running})
    need = evidence.residents(seen, SPEC, TANDEM)

    assert need.replicas == expected
    assert bool(need.reason) == bool(expected)


@pytest.mark.parametrize(
    ("kv_usage", "expected"),
    [
        pytest.param(Figure(0.05), 2, id="less than ended requests tell of: some have just begun"),
        pytest.param(Figure(0.5), 4, id="5000 tokens each, that none has ended with yet"),
        pytest.param(Figure(5.0), 7, id="no more than all of it"),
        pytest.param(Figure(0.9, age_s=1e4), 2, id="stale"),
        pytest.param(Missing("no scrape"), 2, id="unknown"),
    ],
)
def test_room_goes_by_the_kv_that_those_who_decode_hold(kv_usage: Any, expected: int) -> None:
    seen = observation(100.0, pods=pair(2, 2), running={D: Figure(100.0)}, kv_usage={D: kv_usage})

    assert evidence.residents(seen, SPEC, TANDEM).replicas == expected

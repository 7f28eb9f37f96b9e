import pytest

from tandem.api.role import Role
from tandem.cli.up.history import History, attainment, summary
from tandem.cli.up.load import Felt
from tandem.controller.loop import Change, Tick
from tandem.perf.library import profile
from tandem.planner.observation import Observation, PodCounts, Traffic
from tandem.planner.spec import Slo

SLO = Slo(ttft_s=1.0, tpot_s=0.1)


def felt(arrival_s: float, ttft_s: float = 0.5, tpot_s: float = 0.05, *, done: bool = True) -> Felt:
    first_s = arrival_s + ttft_s
    return Felt(
        arrival_s, first_s=first_s, last_s=first_s + 10 * tpot_s, tokens=11, done=done, over=True
    )


def tick(now_s: float, prefill: int, decode: int, *changes: Change) -> Tick:
    pods = {Role.PREFILL: PodCounts(ready=prefill), Role.DECODE: PodCounts(ready=decode)}
    seen = Observation(now_s=now_s, pods=pods, traffic=Traffic())
    return Tick(observation=seen, changes=changes)


@pytest.mark.parametrize(
    ("requests", "share"),
    [
        pytest.param([felt(0), felt(1)], 1.0, id="all met"),
        pytest.param([felt(0), felt(1, ttft_s=1.5)], 0.5, id="a late first token misses"),
        pytest.param([felt(0), felt(1, tpot_s=0.2)], 0.5, id="slow tokens miss"),
        pytest.param([felt(0), felt(1, done=False)], 0.5, id="a cut answer misses"),
        pytest.param([felt(0), Felt(1.0, over=True)], 0.5, id="a refused request misses"),
        pytest.param(
            [felt(0), Felt(1.0, over=True, ours=True)], 1.0, id="what we cut does not count"
        ),
        pytest.param([felt(0), Felt(1.0)], 1.0, id="what is on its way does not count yet"),
        pytest.param([], None, id="without arrivals there is no share"),
    ],
)
def test_attainment_is_the_share_of_arrivals_that_met_both(
    requests: list[Felt], share: float | None
) -> None:
    assert attainment(requests, SLO) == share


def test_attainment_of_a_span_counts_its_arrivals_only() -> None:
    requests = [felt(0, ttft_s=9), felt(10), felt(20), felt(30, ttft_s=9)]
    assert attainment(requests, SLO, since_s=10, until_s=20) == 1.0


def test_pod_seconds_count_each_pod_for_as_long_as_it_was_there() -> None:
    history = History(slo=SLO, started_s=100.0)
    for one in (tick(100, 1, 1), tick(110, 2, 1), tick(130, 1, 1)):
        history.add(one)
    assert history.pod_seconds(Role.PREFILL, until_s=150) == 10 * 1 + 20 * 2 + 20 * 1
    assert history.pod_seconds(Role.DECODE, until_s=150) == 50


def test_the_summary_tells_hours_cost_and_changes() -> None:
    history = History(slo=SLO, started_s=0.0)
    change = Change(at_s=30.0, role=Role.DECODE, before=1, after=2, reason="full")
    for one in (tick(0, 1, 1), tick(1800, 1, 2, change)):
        history.add(one)
    engine = profile("h200-llama-3.1-70b-tp4")
    found = summary(history, [felt(0)], engine, until_s=3600)
    assert found["gpu_hours"] == (1.0 + 1.5) * 4
    assert found["cost"] == pytest.approx(2.5 * engine.cost_per_hour)
    assert found["changes"] == [
        {"t_s": 30.0, "role": "decode", "from": 1, "to": 2, "reason": "full"}
    ]
    assert found["replicas"] == {"prefill": {"min": 1, "max": 1}, "decode": {"min": 1, "max": 2}}


def test_a_bad_tick_is_remembered_until_a_good_one() -> None:
    history = History(slo=SLO, started_s=0.0)
    history.add(Tick(observation=None, error="OSError: no"))
    assert history.last_error == "OSError: no"
    history.add(tick(1, 1, 1))
    assert history.last_error == ""

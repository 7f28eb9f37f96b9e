from dataclasses import replace

import pytest
from tests.planner.builders import ENGINE, demand, spec

from tandem.planner.model import Bottleneck
from tandem.planner.queueing import headroom
from tandem.planner.queueing.tandem import Tandem

SLOW_LINK = replace(
    ENGINE, transfer=replace(ENGINE.transfer, bandwidth_bytes_per_s=1.1e9, latency_s=0.0)
)
SMALL_KV = replace(ENGINE, kv=replace(ENGINE.kv, capacity_tokens=60_000))


@pytest.mark.parametrize(
    ("tandem", "pods", "expected"),
    [
        pytest.param(
            Tandem(demand(30.0), spec()), (4, 8), Bottleneck.PREFILL_COMPUTE, id="prefill"
        ),
        pytest.param(
            Tandem(demand(30.0), spec(tpot_s=0.014)),
            (9, 3),
            Bottleneck.DECODE_COMPUTE,
            id="decode within TPOT",
        ),
        pytest.param(
            Tandem(demand(20.0), spec(profile=SMALL_KV, tpot_s=0.1)),
            (9, 2),
            Bottleneck.DECODE_KV,
            id="decode's KV",
        ),
        pytest.param(
            Tandem(demand(9.0), spec(profile=SLOW_LINK, tpot_s=0.1)),
            (9, 1),
            Bottleneck.KV_TRANSFER,
            id="the link",
        ),
        pytest.param(Tandem(demand(1.0), spec()), (4, 4), Bottleneck.NONE, id="ample everywhere"),
        pytest.param(Tandem(demand(0.0), spec()), (1, 1), Bottleneck.NONE, id="no load"),
    ],
)
def test_the_bottleneck_is_the_stage_that_gives_way_first(
    tandem: Tandem, pods: tuple[int, int], expected: Bottleneck
) -> None:
    assert headroom.bottleneck(headroom.growth(tandem, *pods)) is expected


@pytest.mark.parametrize(
    ("pods", "stage", "tpot_s"),
    [
        pytest.param((5, 30), Bottleneck.PREFILL_COMPUTE, 0.03, id="prefill"),
        pytest.param((30, 3), Bottleneck.DECODE_COMPUTE, 0.016, id="decode"),
    ],
)
def test_a_stage_that_grows_by_its_head_room_misses_its_error_budget(
    pods: tuple[int, int], stage: Bottleneck, tpot_s: float
) -> None:
    asked = spec(tpot_s=tpot_s)
    growth = headroom.growth(Tandem(demand(30.0), asked), *pods)[stage]
    below, beyond = (
        Tandem(demand(30.0 * growth * factor), asked).attainment(*pods) for factor in (0.95, 1.05)
    )

    assert below > 0.99 > beyond

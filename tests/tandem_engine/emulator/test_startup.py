import asyncio

import pytest
from tests.tandem_engine.emulator import virtual_time

from tandem_engine.emulator.startup import Startup, scaled

STAGES = (("image", 0.0), ("weights", 24.0), ("warm", 8.0))


def test_stages_keep_their_shares_of_another_total() -> None:
    assert scaled(STAGES, 4.0) == (("weights", 3.0), ("warm", 1.0))


@pytest.mark.parametrize(
    ("stages", "total_s", "expected"),
    [
        pytest.param(STAGES, 0.0, (), id="no time, no stage"),
        pytest.param((), 2.0, (("start", 2.0),), id="a profile without stages has one"),
        pytest.param((), 0.0, (), id="nothing"),
    ],
)
def test_edges_of_a_start(
    stages: tuple[tuple[str, float], ...], total_s: float, expected: tuple[tuple[str, float], ...]
) -> None:
    assert scaled(stages, total_s) == expected
    assert Startup(stages, total_s).is_ready == (not expected)


def test_stages_follow_one_another_and_then_the_engine_is_ready() -> None:
    async def scenario() -> None:
        startup = Startup(STAGES, 4.0)
        seen = [startup.stage]
        starting = asyncio.create_task(startup.run())
        for wait_s in (2.9, 0.2, 0.8, 0.2):
            await asyncio.sleep(wait_s)
            seen.append(startup.stage)
        await starting
        assert seen == ["weights", "weights", "warm", "warm", ""]
        assert startup.is_ready

    virtual_time.run(scenario())

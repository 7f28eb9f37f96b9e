import asyncio

import pytest
from tests.tandem_engine.emulator import virtual_time

from tandem_engine.emulator.timed_link import TimedLink


async def carried_s(link: TimedLink, key: str, alone_s: float, after_s: float = 0.0) -> float:
    await asyncio.sleep(after_s)
    await link.carry(key, alone_s)
    return asyncio.get_running_loop().time()


def test_a_transfer_alone_takes_its_own_time() -> None:
    async def scenario() -> None:
        assert await carried_s(TimedLink(), "a", 5.0) == pytest.approx(5.0)

    virtual_time.run(scenario())


def test_transfers_share_the_link_fairly() -> None:
    async def scenario() -> None:
        link = TimedLink()
        ends_s = await asyncio.gather(
            carried_s(link, "long", 3.0),
            carried_s(link, "short", 1.0),
            carried_s(link, "x", 1.0, 9),
        )
        assert ends_s == pytest.approx([4.0, 2.0, 10.0])

    virtual_time.run(scenario())


def test_a_transfer_that_is_dropped_leaves_the_link_to_the_others() -> None:
    async def scenario() -> None:
        link = TimedLink()
        dropped = asyncio.create_task(link.carry("dropped", 50.0))
        kept = asyncio.create_task(carried_s(link, "kept", 10.0))
        await asyncio.sleep(4.0)
        dropped.cancel()
        assert await kept == pytest.approx(12.0)  # 2 of its 10 s in the shared 4, 8 alone
        assert len(link) == 0

    virtual_time.run(scenario())

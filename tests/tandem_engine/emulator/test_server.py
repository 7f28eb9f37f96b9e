import asyncio
from socket import create_server

import aiohttp
import pytest
from tests.tandem_engine.emulator.rig import Rig, settings, until

from tandem_engine.emulator.server import PortInUseError, serving


@pytest.mark.parametrize(
    ("field", "flag"), [("port", "--port"), ("side_channel_port", "--side-channel-port")]
)
async def test_a_port_in_use_is_told_with_its_flag(field: str, flag: str) -> None:
    with create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError) as refused:
            async with serving(settings(**{field: port})):
                pass
    assert (
        str(refused.value) == f"{flag}: cannot listen on 127.0.0.1:{port}: Address already in use"
    )


async def test_an_emulator_that_ended_leaves_no_task_and_no_port() -> None:
    before = asyncio.all_tasks()
    async with aiohttp.ClientSession() as session:
        async with serving(settings()) as emulator:
            engine = Rig(emulator, session)
            await until(lambda: emulator.startup.is_ready)
            await engine.prefill()
            asking = asyncio.create_task(engine.complete(max_tokens=1000))
            await until(lambda: len(emulator.core.engine.batch) == 1)
        cut = await asking
    assert cut["choices"][0]["finish_reason"] == "abort"
    assert asyncio.all_tasks() == before
    create_server(("127.0.0.1", emulator.settings.port)).close()

import asyncio
import json
from dataclasses import replace
from socket import SO_RCVBUF, SOL_SOCKET, create_server, socket
from time import monotonic

import aiohttp
import pytest
from tests.tandem_engine.emulator.rig import PROFILE, Rig, profile, settings, until

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


async def test_a_client_that_does_not_read_holds_an_ending_emulator_for_a_second() -> None:
    quick = profile(decode=replace(PROFILE.decode, alpha_s=0.0005))
    body = json.dumps({"prompt": [1], "max_tokens": 2000, "stream": True})
    head = (
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"X-Request-Id: {'long' * 2000}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket() as client:
        client.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
        async with serving(settings(profile=quick)) as emulator:
            client.connect(("127.0.0.1", emulator.settings.port))
            client.sendall((head + body).encode())
            await until(lambda: emulator.counts.finished["length"] == 1, within_s=10)
            begun_s = monotonic()
        ended_s = monotonic() - begun_s
    assert 0.5 < ended_s < 3

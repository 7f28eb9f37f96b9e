import asyncio
import json
from socket import create_server
from typing import Any

import pytest

from tandem_engine.emulator.lease import Leases
from tandem_engine.emulator.side_channel import KvSource, Peer, SideChannel

HANDOVER = {
    "do_remote_prefill": True,
    "remote_engine_id": "e",
    "remote_request_id": "r 1",
    "remote_host": "127.0.0.1",
    "remote_port": 5600,
}


def channel() -> tuple[SideChannel, Leases]:
    leases = Leases(6, lambda _: None)
    leases.begin("r 1")
    return SideChannel("e", leases), leases


async def test_a_peer_holds_and_releases_over_tcp() -> None:
    side, leases = channel()
    listener = create_server(("127.0.0.1", 0))
    server = await side.listen(listener)
    source = KvSource.of(HANDOVER | {"remote_port": listener.getsockname()[1]})
    assert source is not None
    peer = await Peer.of(source)
    answers = [await peer.hold(), await peer.release(), await peer.hold(), await peer.release()]
    peer.close()
    server.close()
    assert answers == [True, True, False, False]
    assert leases.late_releases == 1


async def test_a_peer_whose_engine_ends_is_told_by_an_error() -> None:
    side, _ = channel()
    listener = create_server(("127.0.0.1", 0))
    server = await side.listen(listener)
    source = KvSource.of(HANDOVER | {"remote_port": listener.getsockname()[1]})
    assert source is not None
    peer = await Peer.of(source)
    assert await peer.hold()
    server.close()
    side.close()
    await asyncio.sleep(0.01)
    with pytest.raises(OSError, match=r"gone|reset|closed"):
        await peer.hold()
    peer.close()
    with pytest.raises(ConnectionRefusedError):
        await Peer.of(source)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"GET / HTTP/1.1", id="not JSON"),
        pytest.param(b"7", id="a number"),
        pytest.param(b'["hold"]', id="too short"),
        pytest.param(json.dumps(["hold", "other", "r 1"]).encode(), id="another engine"),
        pytest.param(json.dumps(["steal", "e", "r 1"]).encode(), id="unknown word"),
        pytest.param(json.dumps(["hold", "e", ["r 1"]]).encode(), id="no name"),
    ],
)
async def test_a_line_about_nothing_leased_changes_nothing(line: bytes) -> None:
    side, leases = channel()
    assert side.answer(line) == b'"gone"\n'
    assert len(leases) == 1
    leases.drop_all()


@pytest.mark.parametrize("missing", [*HANDOVER])
def test_a_hand_over_without_one_of_its_names_names_no_source(missing: str) -> None:
    params: dict[str, Any] = {key: value for key, value in HANDOVER.items() if key != missing}
    assert KvSource.of(params) is None

"""The decode side of a hand-over: hold the peer's lease, take blocks, pull for the modelled time.

A peer that is gone, or whose lease ended first, makes the prompt be computed here: what vLLM does
under `kv_load_failure_policy: recompute`, and honest where vLLM, past the lease, answers wrong
tokens.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from tandem.perf.engine_profile import EngineProfile
from tandem_engine.emulator.call import Call
from tandem_engine.emulator.core import Core
from tandem_engine.emulator.side_channel import KvSource, Peer
from tandem_engine.emulator.timed_link import TimedLink


class KvGoneError(Exception):
    """The peer does not hold the KV any more."""


class Pulls:
    """All pulls of one engine, on its one link."""

    def __init__(self, core: Core, lease_s: int) -> None:
        self.core = core
        self.link = TimedLink()
        self.beat_s: float = lease_s // 6
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, call: Call, source: KvSource) -> None:
        """Hold the peer's lease from now on, and pull once the call has its blocks."""
        call.pull = RemotePull(self, call, source)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a part of a pull, and keep it until it ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def settled(self) -> None:
        """Return when no part of a pull runs any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)


class RemotePull:
    """One prompt's KV on its way here."""

    def __init__(self, pulls: Pulls, call: Call, source: KvSource) -> None:
        self._pulls = pulls
        self._call = call
        self._source = source
        self._blocks_taken = asyncio.Event()
        self._task = pulls.start(self._run())

    def admitted(self) -> None:
        """Blocks are taken: the transfer may begin."""
        self._blocks_taken.set()

    def abandon(self) -> None:
        """Nobody waits any more: tell the peer, so that it need not wait for its lease to end."""
        self._task.cancel()
        self._pulls.start(_release(self._source))

    async def _run(self) -> None:
        try:
            peer = await Peer.of(self._source)
            try:
                await self._hold_until(peer, self._pulls.start(self._carry()))
                if not await peer.release():
                    raise KvGoneError
            finally:
                peer.close()
        except (OSError, KvGoneError):
            self._pulls.core.counts.failed_pulls += 1
            self._pulls.core.recompute(self._call)
        else:
            self._pulls.core.loaded(self._call)

    async def _hold_until(self, peer: Peer, work: asyncio.Task[None]) -> None:
        """Heartbeat until something is done."""
        try:
            while not work.done():
                if not await peer.hold():
                    await peer.release()  # counted there as a notice after the lease
                    raise KvGoneError
                await asyncio.wait((work,), timeout=self._pulls.beat_s)
        finally:
            work.cancel()

    async def _carry(self) -> None:
        """Wait for blocks, then for the link; count what came."""
        await self._blocks_taken.wait()
        core = self._pulls.core
        profile, counts, now_s = core.engine.profile, core.counts, core.now_s
        tokens = self._call.sequence.input_tokens
        begun_s = now_s()
        await self._pulls.link.carry(self._call.key, profile.transfer_s(tokens))
        blocks = blocks_of(profile, tokens)
        counts.xfer_s.observe(now_s() - begun_s)
        counts.post_s.observe(profile.transfer.latency_s)
        counts.xfer_bytes.observe(blocks * profile.kv.block_tokens * profile.kv.bytes_per_token)
        counts.xfer_blocks.observe(blocks)


def blocks_of(profile: EngineProfile, tokens: int) -> int:
    """KV blocks that hold `tokens`."""
    return -(-tokens // profile.kv.block_tokens)


async def _release(source: KvSource) -> None:
    with suppress(OSError):
        peer = await Peer.of(source)
        try:
            await peer.release()
        finally:
            peer.close()

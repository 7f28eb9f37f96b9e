"""KV that a finished prefill leg leaves pinned until a peer has pulled it, or its lease ends.

As NIXL leases it in vLLM 0.32: from the end of the prefill for `lease_s`; a heartbeat of the decode
side extends it to lease * 2 // 3 seconds from then, in whole seconds; KV past its lease is freed.
"""

from asyncio import TimerHandle, get_running_loop
from collections.abc import Callable


class Leases:
    """Pinned KV by request, each with the time it expires at."""

    def __init__(self, lease_s: int, free: Callable[[str], None]) -> None:
        self.expired = 0
        self.late_releases = 0  # of KV that was not pinned any more
        self._lease_s = lease_s
        self._free = free
        self._timers: dict[str, TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._timers)

    def begin(self, key: str) -> None:
        """Pin the KV of a request."""
        self._timers[key] = get_running_loop().call_later(self._lease_s, self._expire, key)

    def hold(self, key: str) -> bool:
        """Extend a lease; False when there is none any more."""
        timer = self._timers.get(key)
        if timer is None:
            return False
        loop = get_running_loop()
        until_s = max(timer.when(), loop.time() + self._lease_s * 2 // 3)
        timer.cancel()
        self._timers[key] = loop.call_at(until_s, self._expire, key)
        return True

    def release(self, key: str) -> bool:
        """Free the KV of a request that was pulled; False when it had gone before."""
        timer = self._timers.pop(key, None)
        if timer is None:
            self.late_releases += 1
            return False
        timer.cancel()
        self._free(key)
        return True

    def drop_all(self) -> None:
        """Free everything: the engine ends."""
        for key in list(self._timers):
            self._timers.pop(key).cancel()
            self._free(key)

    def _expire(self, key: str) -> None:
        del self._timers[key]
        self.expired += 1
        self._free(key)

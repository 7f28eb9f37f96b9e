"""The network link of one engine in real time: a transfer is an await."""

from asyncio import Future, TimerHandle, get_running_loop

from tandem.perf.link import SharedLink


class TimedLink:
    """Transfers that share one link fairly; see `tandem.perf.link`."""

    def __init__(self) -> None:
        self._link = SharedLink()
        self._carried: dict[str, Future[None]] = {}
        self._timer: TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._carried)

    async def carry(self, key: str, alone_s: float) -> None:
        """Return when a transfer that would take `alone_s` on an idle link is through."""
        loop = get_running_loop()
        self._carried[key] = carried = loop.create_future()
        self._link.add(loop.time(), key, alone_s)
        self._arm()
        try:
            await carried
        finally:
            if self._carried.pop(key, None) is not None:
                self._link.cancel(loop.time(), key)
                self._arm()

    def _arm(self) -> None:
        """Wake up when the next transfer ends, as things stand."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (following := self._link.next_end()) is not None:
            self._timer = get_running_loop().call_at(following[0], self._end, following[1])

    def _end(self, key: str) -> None:
        self._link.finish(get_running_loop().time(), key)
        self._carried.pop(key).set_result(None)
        self._arm()

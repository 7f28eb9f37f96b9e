"""A network link shared fairly by the transfers on it (processor sharing).

Kept in virtual time: V grows at 1/n per second while n transfers share the link, and a transfer of
x seconds alone ends when V has grown by x since it came. So a change costs O(log n).

A transfer that is through stands aside until its `finish`, so that a caller whose timer is late
takes nothing from the others.
"""

from heapq import heappop, heappush


class SharedLink:
    """Transfers in flight; all times in seconds on one clock of the caller's."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._virtual_s = 0.0
        self._ends: list[tuple[float, int, str]] = []
        self._live: dict[str, int] = {}
        self._through: dict[str, float] = {}  # when each ended, oldest first
        self._count = 0

    def __len__(self) -> int:
        return len(self._live) + len(self._through)

    def add(self, now_s: float, key: str, alone_s: float) -> None:
        """Begin a transfer that would take `alone_s` on an idle link; a known key begins anew."""
        self.cancel(now_s, key)
        self._count += 1
        self._live[key] = self._count
        heappush(self._ends, (self._virtual_s + alone_s, self._count, key))

    def cancel(self, now_s: float, key: str) -> None:
        """Drop a transfer that nobody waits for; unknown keys are none."""
        self._advance(now_s)
        self._live.pop(key, None)
        self._through.pop(key, None)

    def next_end(self) -> tuple[float, str] | None:
        """When the next transfer ends if none comes or goes before, and which.

        Of those that are through already, the one that has been for longest.
        """
        for key, end_s in self._through.items():
            return end_s, key
        return self._coming_end()

    def finish(self, now_s: float, key: str) -> None:
        """Take a transfer off that `next_end` named and whose time has come."""
        self.cancel(now_s, key)

    def _coming_end(self) -> tuple[float, str] | None:
        while self._ends and self._live.get(self._ends[0][2]) != self._ends[0][1]:
            heappop(self._ends)
        if not self._ends:
            return None
        virtual_end_s, _, key = self._ends[0]
        return self._now_s + max(0.0, virtual_end_s - self._virtual_s) * len(self._live), key

    def _advance(self, now_s: float) -> None:
        while (coming := self._coming_end()) is not None and coming[0] <= now_s:
            self._now_s, key = coming
            self._virtual_s = max(self._virtual_s, heappop(self._ends)[0])
            del self._live[key]
            self._through[key] = self._now_s
        if self._live and now_s > self._now_s:
            self._virtual_s += (now_s - self._now_s) / len(self._live)
        self._now_s = max(self._now_s, now_s)

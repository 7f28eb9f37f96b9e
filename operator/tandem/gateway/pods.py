"""The fleet's pods as they are listed, less those that have just failed.

Level-based: the list that is there is the truth, whatever came before. A pod that fails a leg gets no
new one for a while, twice as long after each failure in a row, until it serves again.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tandem.api.role import Role
from tandem.cluster import registry
from tandem.cluster.pod import Pod, PodPhase
from tandem.gateway.pairing import lack
from tandem.routing.model import RoutePod

_LOOK_S = 0.1
_PAUSE_S = 1.0  # after a first failure: longer than a hiccup, shorter than a TTFT target
_LONGEST_PAUSE_S = 30.0
_log = logging.getLogger("tandem.gateway")


@dataclass(slots=True)
class _Failures:
    in_a_row: int = 0
    paused_until_s: float = 0.0


class PodList:
    """Tells `changed` whenever the pods that can be routed to are others."""

    def __init__(
        self,
        kv_tokens: Mapping[Role, int],
        changed: Callable[[Sequence[RoutePod]], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kv_tokens = kv_tokens
        self._changed = changed
        self._now_s = now_s
        self._pods: dict[str, Pod] = {}
        self._failures: dict[str, _Failures] = {}
        self.is_known = False  # whether there was a list yet

    def url(self, name: str) -> str:
        """Where a pod listens; one that has left the list is as good as refused."""
        pod = self._pods.get(name)
        return pod.url if pod else ""

    def ready(self, role: Role) -> int:
        """Pods of a role that can be routed to."""
        return sum(pod.role is role and not pod.draining for pod in self._route_pods())

    def lack(self) -> str:
        """Why nobody can be served now, in words; "" where a pair of pods is there."""
        return lack(self._route_pods())

    def replace(self, pods: Sequence[Pod]) -> None:
        """Another list; pods that still start are not in it yet."""
        self.is_known = True
        self._pods = {pod.name: pod for pod in pods if pod.phase is not PodPhase.STARTING}
        self._failures = {
            name: failed for name, failed in self._failures.items() if name in self._pods
        }
        self._changed(self._route_pods())

    def failed(self, name: str) -> None:
        """A leg at this pod failed: leave it alone for a while."""
        if name not in self._pods:
            return
        failed = self._failures.setdefault(name, _Failures())
        pause_s = min(_LONGEST_PAUSE_S, _PAUSE_S * 2**failed.in_a_row)
        failed.in_a_row += 1
        failed.paused_until_s = self._now_s() + pause_s
        _log.warning("%s failed %d times in a row: no leg for %g s", name, failed.in_a_row, pause_s)
        self._changed(self._route_pods())
        loop = asyncio.get_running_loop()
        loop.call_later(pause_s, lambda: self._changed(self._route_pods()))

    def served(self, name: str) -> None:
        """A leg at this pod went well."""
        if self._failures.pop(name, None) is not None:
            self._changed(self._route_pods())

    async def watch(self, path: Path) -> None:
        """Follow a registry file for ever; one that is not there lists no pods."""
        last = None
        while True:
            stamp = _stamp(path)
            if stamp != last:
                last = stamp
                self._read(path)
            self.is_known = True
            await asyncio.sleep(_LOOK_S)

    def _read(self, path: Path) -> None:
        try:
            pods = registry.read(path)
        except (OSError, ValueError, TypeError, KeyError) as error:
            _log.warning("%s: %s; the pods known before are kept", path, error)
        else:
            self.replace(pods)

    def _route_pods(self) -> list[RoutePod]:
        now_s = self._now_s()
        return [
            RoutePod(
                name=pod.name,
                role=pod.role,
                kv_capacity_tokens=self._kv_tokens[pod.role],
                revision=pod.revision,
                draining=pod.phase is PodPhase.DRAINING or self._is_paused(pod.name, now_s),
                finishing=pod.phase is PodPhase.DRAINING and not self._is_paused(pod.name, now_s),
            )
            for pod in self._pods.values()
        ]

    def _is_paused(self, name: str, now_s: float) -> bool:
        failed = self._failures.get(name)
        return failed is not None and now_s < failed.paused_until_s


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What differs between two lists; the file is replaced whole, so its inode does."""
    try:
        state = os.stat(path)  # noqa: PTH116 - ten times a second, a Path's costs more
    except OSError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_size

"""The planner's memory in a ConfigMap that the fleet owns, so that a restart forgets nothing."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from tandem.cluster.kubernetes.api import CONFIG_MAP, KubernetesApi
from tandem.cluster.kubernetes.config_map import of_the_fleet
from tandem.planner.memory import from_json, to_json
from tandem.planner.model import Memory

KEY = "memory.json"
MOST_BYTES = 65536
_EVERY_S = 300.0


class ConfigMapStore:
    """Keeps one fleet's memory; `trouble` is a sentence while something is wrong with it, else empty.

    Written when a target changed, and every five minutes.

    Args:
        api: the API server.
        namespace: of the fleet.
        fleet: its name.
        owner: its owner reference.
        now_s: a clock that never goes back.

    """

    def __init__(
        self,
        api: KubernetesApi,
        namespace: str,
        fleet: str,
        owner: Mapping[str, Any],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._fleet = fleet
        self._owner = owner
        self._now_s = now_s
        self._kept = ""
        self._kept_s: float | None = None
        self._owed = False  # a change that is not written yet
        self.trouble = ""

    async def load(self) -> Memory:
        """What was last saved; a fresh memory where nothing was or it is damaged."""
        found = await self._api.get(CONFIG_MAP, self._namespace, self._name)
        if found is None:
            return Memory()
        text = (found.get("data") or {}).get(KEY, "")
        memory, self.trouble = from_json(text)
        if not self.trouble:
            self._note(text)
        return memory

    async def save(self, memory: Memory, *, changed: bool) -> None:
        """Replace what is kept, where something `changed` or it is old."""
        self._owed = self._owed or changed
        old = self._kept_s is None or self._now_s() - self._kept_s >= _EVERY_S
        if not (old or self._owed):
            return
        text = to_json(memory)
        if text != self._kept and not await self._write(text):
            return
        if self._kept_s is not None:  # damage that was found stays told until the second write
            self.trouble = ""
        self._note(text)

    @property
    def _name(self) -> str:
        return f"{self._fleet}-memory"

    async def _write(self, text: str) -> bool:
        """Whether it could be written: what is too large is not kept, and said."""
        size = len(text.encode())
        if size > MOST_BYTES:
            self.trouble = (
                f"the memory has {size} bytes, more than {MOST_BYTES}: the old one is kept"
            )
            return False
        place = self._namespace, self._fleet, self._owner
        await self._api.apply(of_the_fleet(self._name, *place, {KEY: text}))
        return True

    def _note(self, text: str) -> None:
        self._kept, self._kept_s, self._owed = text, self._now_s(), False

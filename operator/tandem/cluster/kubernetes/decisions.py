"""A fleet's last decisions in a ConfigMap that it owns, for `tandem explain` to read."""

from collections.abc import Mapping
from typing import Any

from tandem.cluster.kubernetes.api import CONFIG_MAP, KubernetesApi
from tandem.cluster.kubernetes.config_map import of_the_fleet
from tandem.planner.decisions import Decisions, from_text, to_text

KEY = "decisions.json"


class ConfigMapDecisions:
    """Keeps one fleet's decisions; beside its memory, which is larger and changes less often.

    Args:
        api: the API server.
        namespace: of the fleet.
        fleet: its name.
        owner: its owner reference.

    """

    def __init__(
        self, api: KubernetesApi, namespace: str, fleet: str, owner: Mapping[str, Any]
    ) -> None:
        self._api = api
        self._place = namespace, fleet
        self._owner = owner

    async def load(self) -> Decisions:
        """What was last saved; none where nothing was or it can't be read."""
        text = await stored(self._api, *self._place)
        try:
            return Decisions() if text is None else from_text(text)
        except ValueError:
            return Decisions()

    async def save(self, decisions: Decisions) -> None:
        """Replace what is kept."""
        namespace, fleet = self._place
        data = {KEY: to_text(decisions)}
        body = of_the_fleet(_name(fleet), namespace, fleet, self._owner, data)
        await self._api.apply(body)


async def stored(api: KubernetesApi, namespace: str, fleet: str) -> str | None:
    """The text that is kept of a fleet; None where there is none."""
    found = await api.get(CONFIG_MAP, namespace, _name(fleet))
    return None if found is None else (found.get("data") or {}).get(KEY)


def _name(fleet: str) -> str:
    return f"{fleet}-decisions"

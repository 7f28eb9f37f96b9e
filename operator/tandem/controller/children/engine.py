"""What the types of engine have in common, and the table of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tandem.api.fleet import DisaggregatedLLM
from tandem.cluster.kubernetes import labels
from tandem.controller.children import pod, timing

Flags = Mapping[str, object]  # None stands for a flag that is not given


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One type of engine in a pod.

    `image` runs where the fleet names none; `command` and `flags` make its process; `env`,
    `volumes` and `resources` are what it has unless the pool's template says otherwise.
    """

    image: str
    command: str
    flags: Flags
    env: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[pod.Volume, ...] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """The arguments that Tandem derives."""
        given = ((flag, value) for flag, value in self.flags.items() if value is not None)
        return [self.command, *(f"--{flag}={value}" for flag, value in given)]


def place(fleet: DisaggregatedLLM) -> dict[str, object]:
    """Flags that every type reads alike: addresses, lease, drain, context."""
    return {
        "host": "0.0.0.0",
        "port": labels.ENGINE_PORT,
        "side-channel-host": "$(POD_IP)",
        "side-channel-port": labels.SIDE_CHANNEL_PORT,
        "kv-lease": timing.lease_s(fleet),
        "shutdown-timeout": timing.drain_s(fleet),
        "max-model-len": fleet.spec.model.max_context,
    }

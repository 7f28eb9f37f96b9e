"""A fleet on the cluster in a box, as a test makes it, looks at it and loads it."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml
from e2e.cluster.access import Box

from tandem.cli.up.load import Felt, Player
from tandem.perf import from_resource, library
from tandem.traces.request import TraceRequest

WAIT_S = 60.0
_LOOK_S = 0.5

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Fleet:
    """The fleet `name` in `namespace`."""

    box: Box
    namespace: str
    name: str = "chat"

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints, in the fleet's namespace."""
        return self.box.kubectl("-n", self.namespace, *arguments, stdin=stdin)

    def apply(self, *bodies: Body) -> str:
        """Apply manifests."""
        return self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(bodies))

    def get(self, *arguments: str) -> dict[str, Any]:
        """What `kubectl get` gives as JSON."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found

    @property
    def status(self) -> dict[str, Any]:
        """The status of the fleet's resource."""
        return dict(self.get("dllm", self.name).get("status", {}))

    def condition(self, type_: str) -> dict[str, Any]:
        """A condition of the fleet; {} where it is not told yet."""
        claims = self.status.get("conditions", ())
        return next((dict(claim) for claim in claims if claim["type"] == type_), {})

    def events(self, reason: str) -> list[str]:
        """Messages of the fleet's Events of one reason, oldest first."""
        about = f"involvedObject.kind=DisaggregatedLLM,involvedObject.name={self.name}"
        found = self.get("events", f"--field-selector={about},reason={reason}")["items"]
        return [event["message"] for event in sorted(found, key=lambda e: e["lastTimestamp"])]

    def pods(self, role: str) -> list[dict[str, Any]]:
        """Pods of a role, or of `gateway`."""
        labels = f"tandem.dev/fleet={self.name},app.kubernetes.io/component={role}"
        return list(self.get("pods", "-l", labels)["items"])

    def deployment(self, role: str) -> dict[str, Any]:
        """The one Deployment of a role."""
        labels = f"tandem.dev/fleet={self.name},app.kubernetes.io/component={role}"
        (found,) = self.get("deployments", "-l", labels)["items"]
        return dict(found)

    def replicas(self) -> tuple[int, int]:
        """Prefill and decode replicas asked for."""
        prefill, decode = (self.deployment(role)["spec"]["replicas"] for role in ROLES)
        return prefill, decode

    def until(self, what: str, holds: Callable[[], object], within_s: float = WAIT_S) -> None:
        """Wait until something holds; else fail with how the fleet stands."""
        ends_s = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > ends_s:
                raise AssertionError(f"not within {within_s:.0f} s: {what}\n{self.told()}")
            time.sleep(_LOOK_S)

    def until_ready(self, within_s: float = WAIT_S) -> None:
        """Wait until the fleet says that it is Ready, and its gateway is."""
        self.until(
            "the fleet is Ready",
            lambda: self.condition("Ready").get("status") == "True" and self._gateway_is_ready(),
            within_s,
        )

    def told(self) -> str:
        """What a person would look at first."""
        return self.kubectl("get", "dllm,deployments,pods", "-o", "wide") + json.dumps(
            self.status.get("conditions"), indent=1
        )

    @property
    def url(self) -> str:
        """The gateway's address, in the cluster's network."""
        address = self.get("service", f"{self.name}-gateway")["spec"]["clusterIP"]
        return f"http://{address}"

    def play(self, requests: Sequence[TraceRequest], for_s: float) -> list[Felt]:
        """Send requests at their times; what their users felt. To be called inside the network."""
        player = Player(self.url, MODEL, requests, for_s)
        asyncio.run(player.play(asyncio.Event()))
        return player.felt

    def _gateway_is_ready(self) -> bool:
        return bool(self.deployment("gateway").get("status", {}).get("readyReplicas"))


ROLES = ("prefill", "decode")
PROFILE = "a100-opt-13b-tp1"  # slow enough that a few requests a second fill it
MODEL = library.profile(PROFILE).model


def profile(name: str = PROFILE, *, cold_start_s: float = 1.0) -> dict[str, Any]:
    """A built-in profile as a resource, its engines up soon."""
    quick = replace(library.profile(name), cold_start_s=(("start", cold_start_s),))
    resource = from_resource.resource(quick)
    return resource.model_dump(mode="json", by_alias=True, exclude_none=True)


def emulated(name: str = "chat", **spec: Any) -> dict[str, Any]:
    """A fleet of emulated engines; `spec` replaces parts of its spec."""
    resource = library.profile(PROFILE)
    accelerator = {"name": resource.accelerator, "count": resource.accelerators}
    pool = {"name": "a100", "accelerator": accelerator, "profileRef": PROFILE}
    return {
        "apiVersion": "tandem.dev/v1alpha1",
        "kind": "DisaggregatedLLM",
        "metadata": {"name": name},
        "spec": {
            "model": {"name": MODEL},
            "engine": {"type": "emulator", "kvTransfer": {"lease": "10s"}, "drain": "30s"},
            "slo": {"ttft": {"target": "1s"}, "tpot": {"target": "40ms"}, "attainment": 0.9},
            "prefill": {"replicas": {"min": 1, "max": 4}, "pools": [pool]},
            "decode": {"replicas": {"min": 1, "max": 4}, "pools": [pool]},
            "autoscaling": {"interval": "2s", "behavior": {"scaleDown": {"window": "10s"}}},
            **spec,
        },
    }

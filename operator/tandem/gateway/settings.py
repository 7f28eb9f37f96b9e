"""What a gateway is told at its start: addresses, targets, limits and profiles."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile
from tandem.routing.orders import ORDERS

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
LEAST_MARGIN_S = 2.0  # covers an answer's way back and a busy loop; halved, both eat into the lease
MARGIN_SHARE = 0.1  # of the lease


def lease_margin_s(kv_lease_s: float) -> float:
    """Seconds before the lease's end from which no decode leg is sent: max(2 s, 10 %)."""
    return max(LEAST_MARGIN_S, MARGIN_SHARE * kv_lease_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One gateway in front of one fleet; all times in seconds.

    Attributes:
        registry: the file that lists the fleet's pods; None where the API server is watched.
        fleet, namespace: the fleet whose pods are watched on the API server.
        ttft_s, tpot_s: the SLO; both are exact edges of every histogram they bear on.
        kv_lease_s: how long an engine keeps the KV of a prefill leg that nobody pulled.
        margin_s: how long before its end the lease counts as over.
        retries: tries on another pair after the first one failed without a token.
        max_queue: requests that may wait; one more is answered 429.
        max_wait_s: a request that waits for a pod longer than this is answered 503.
        silence_s: an engine that sends nothing for so long has failed its leg.
        drain_s: what streams get to finish in after SIGTERM.

    """

    profiles: Mapping[Role, EngineProfile]
    model: str
    ttft_s: float
    tpot_s: float
    registry: Path | None = None
    fleet: str = ""
    namespace: str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    order: str = "feasible-first"
    kv_lease_s: float = 30.0
    margin_s: float = 3.0
    retries: int = 3
    max_queue: int = 10_000
    max_wait_s: float = 60.0
    silence_s: float = 60.0
    drain_s: float = 30.0

    def __post_init__(self) -> None:
        self._check_source()
        if self.order not in ORDERS:
            raise InvalidInputError("--order", self.order, f"one of {', '.join(ORDERS)}")
        if not 0 < self.margin_s < self.kv_lease_s:
            raise InvalidInputError(
                "--lease-margin", self.margin_s, f"above 0 s and below --kv-lease {self.kv_lease_s}"
            )
        for flag, count in (("--retries", self.retries), ("--max-queue", self.max_queue)):
            if count < 0:
                raise InvalidInputError(flag, count, "0 or more")

    def _check_source(self) -> None:
        """Exactly one of both ways to know the pods."""
        if self.registry is not None and (self.fleet or self.namespace):
            given = "--fleet" if self.fleet else "--namespace"
            raise InvalidInputError(given, self.fleet or self.namespace, "absent beside --registry")
        if self.registry is None:
            for flag, name in (("--fleet", self.fleet), ("--namespace", self.namespace)):
                if not _NAME.fullmatch(name):
                    allowed = "a name of Kubernetes (or --registry FILE instead)"
                    raise InvalidInputError(flag, name, allowed)

    @property
    def usable_lease_s(self) -> float:
        """Seconds after a prefill leg's end in which its decode leg may be sent."""
        return self.kv_lease_s - self.margin_s

    @property
    def kv_tokens(self) -> int:
        """The longest prompt that every pod of the fleet can hold."""
        return min(profile.kv.capacity_tokens for profile in self.profiles.values())

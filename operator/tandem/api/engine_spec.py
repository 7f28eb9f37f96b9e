"""The program that runs in engine pods, and what it is told."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from tandem.api import duration
from tandem.api.base import ApiModel, Rule
from tandem.api.scalars import Argument, Duration, EnvName, Image

SHORTEST_LEASE_S = 6.0  # vLLM renews a lease every N // 6 seconds: under 6 that is never
LEASE_TAIL_S = 5.0  # after the last lease a prefill engine needs this long to end


class EngineType(StrEnum):
    """What serves in an engine pod."""

    VLLM = "vllm"
    EMULATOR = "emulator"


class EnvVar(ApiModel):
    """One variable of an engine's environment."""

    name: EnvName
    """Name of the variable."""

    value: Argument = ""
    """Its value; one that is secret belongs in the pool's template, as a reference."""


class KvTransfer(ApiModel):
    """How KV gets from prefill pods to decode pods."""

    lease: Duration = "30s"
    """How long a prefill pod keeps the KV of a request for a decode pod to pull."""

    def can_be_renewed(self) -> bool:
        """Whether the lease is long enough for the engine to renew it in time."""
        return duration.seconds(self.lease) >= SHORTEST_LEASE_S

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="lease",
            allowed="at least 6s, or an engine cannot renew a lease in time",
            cel="duration(self.lease) >= duration('6s')",
            holds=can_be_renewed,
        ),
    )


class EngineSpec(ApiModel):
    """The program that runs in engine pods. A change of any of these makes new pods."""

    type: EngineType = EngineType.VLLM
    """vllm, or emulator: an engine with vLLM's interface whose time comes from the profile."""

    image: Image | None = None
    """Container image of the engine; the operator's own choice for the type where not given."""

    args: Annotated[
        tuple[Argument, ...],
        Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ()
    """More arguments for the engine, after those that Tandem derives."""

    env: Annotated[
        tuple[EnvVar, ...],
        Field(
            max_length=64,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = ()
    """More variables for the engine's environment."""

    kv_transfer: KvTransfer = KvTransfer()
    """How KV gets from prefill pods to decode pods."""

    drain: Duration = "2m"
    """Longest time that a pod which must go gets to finish what it has."""

    def drains_longer_than_a_lease(self) -> bool:
        """Whether a pod that must go waits until the KV it keeps for others was pulled."""
        lease_s = duration.seconds(self.kv_transfer.lease)
        return duration.seconds(self.drain) >= lease_s + LEASE_TAIL_S

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="drain",
            allowed="at least kvTransfer.lease and 5s, or KV that a decode pod waits for is lost",
            cel="duration(self.drain) >= duration(self.kvTransfer.lease) + duration('5s')",
            holds=drains_longer_than_a_lease,
        ),
    )

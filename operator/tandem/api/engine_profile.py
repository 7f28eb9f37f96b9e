"""EngineProfile: what one engine replica costs in time, written by a calibration or by hand."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tandem.api.base import ApiModel, Rule
from tandem.api.engine_costs import (
    ColdStartStage,
    DecodeCost,
    FitError,
    KvCache,
    PrefillCost,
    TransferCost,
)
from tandem.api.metadata import Metadata
from tandem.api.role import Role
from tandem.api.role_spec import Accelerator
from tandem.api.scalars import ModelName


class EngineProfileSpec(ApiModel):
    """What one replica is, and what its work costs."""

    model: ModelName
    """The model that was measured."""

    accelerator: Accelerator
    """What the replica computed on."""

    prefill: PrefillCost
    """Seconds of a batch of prompts."""

    decode: DecodeCost
    """Seconds of a decode step."""

    kv: KvCache
    """The KV cache of the replica."""

    transfer: TransferCost
    """The link over which KV goes from a prefill pod to a decode pod."""

    batch_cap: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    """Most sequences that decode together."""

    batch_tokens: Annotated[int, Field(ge=1, le=100_000_000)] = 8192
    """Token budget of one step; a longer prompt is computed in chunks."""

    first_token: Role = Role.DECODE
    """Which leg sends the first token to the user: with vLLM it is decode."""

    cold_start: Annotated[
        tuple[ColdStartStage, ...],
        Field(
            max_length=16,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["stage"],
            },
        ),
    ] = ()
    """Stages between the asking for a replica and its being Ready, in order."""

    fit_error: FitError | None = None
    """How far the fit is from what was measured."""

    source: Annotated[str, Field(max_length=4096)] = ""
    """Where the numbers come from, and what they were fitted to."""

    def lets_all_decode(self) -> bool:
        """Whether every running sequence can decode in one step; vLLM refuses to start otherwise."""
        return self.batch_tokens >= self.batch_cap

    def stages_differ(self) -> bool:
        """Whether every stage of the cold start has a name of its own."""
        return len({stage.stage for stage in self.cold_start}) == len(self.cold_start)

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="batchTokens",
            allowed="at least batchCap",
            cel="self.batchTokens >= self.batchCap",
            holds=lets_all_decode,
        ),
        Rule(
            field="coldStart",
            allowed="stages of different names",
            cel="",  # the list's map key says it
            holds=stages_differ,
        ),
    )


class EngineProfile(ApiModel):
    """What one engine replica costs in time: the planner sizes by it, the emulator runs by it."""

    api_version: Literal["tandem.dev/v1alpha1"] = "tandem.dev/v1alpha1"
    """Version of this shape of the resource."""

    kind: Literal["EngineProfile"] = "EngineProfile"
    """Kind of the resource."""

    metadata: Metadata
    """Name and owner of the resource."""

    spec: EngineProfileSpec
    """What one replica is, and what its work costs."""

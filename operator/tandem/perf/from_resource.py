"""An engine profile to and from its resource; nothing is lost either way.

The resource prices one accelerator, the model one replica; a price of 0 is one that nobody gave.
"""

from decimal import Decimal

from tandem.api import engine_costs, quantity
from tandem.api.engine_profile import EngineProfile as Resource
from tandem.api.engine_profile import EngineProfileSpec
from tandem.api.metadata import Metadata
from tandem.api.role_spec import Accelerator
from tandem.perf.engine_profile import (
    DecodeCost,
    EngineProfile,
    FitError,
    KvCache,
    PrefillCost,
    TransferCost,
)


def engine_profile(resource: Resource) -> EngineProfile:
    """The profile that a resource describes."""
    spec = resource.spec
    return EngineProfile(
        name=resource.metadata.name,
        model=spec.model,
        accelerator=spec.accelerator.name,
        accelerators=spec.accelerator.count,
        prefill=_prefill(spec.prefill),
        decode=_decode(spec.decode),
        kv=KvCache(
            bytes_per_token=spec.kv.bytes_per_token,
            capacity_tokens=spec.kv.capacity_tokens,
            block_tokens=spec.kv.block_tokens,
        ),
        transfer=TransferCost(
            latency_s=spec.transfer.latency_seconds,
            bandwidth_bytes_per_s=spec.transfer.bandwidth_bytes_per_second,
        ),
        batch_cap=spec.batch_cap,
        batch_tokens=spec.batch_tokens,
        first_token=spec.first_token,
        cold_start_s=tuple((stage.stage, stage.seconds) for stage in spec.cold_start),
        cost_per_hour=replica_cost_per_hour(spec.accelerator),
        source=spec.source,
        fit_error=FitError(**dict(spec.fit_error)) if spec.fit_error else None,
    )


def resource(profile: EngineProfile) -> Resource:
    """The resource that describes a profile."""
    return Resource(
        metadata=Metadata(name=profile.name),
        spec=EngineProfileSpec(
            model=profile.model,
            accelerator=_accelerator(profile),
            prefill=prefill_cost(profile.prefill),
            decode=decode_cost(profile.decode),
            kv=engine_costs.KvCache(
                bytes_per_token=profile.kv.bytes_per_token,
                capacity_tokens=profile.kv.capacity_tokens,
                block_tokens=profile.kv.block_tokens,
            ),
            transfer=transfer_cost(profile.transfer),
            batch_cap=profile.batch_cap,
            batch_tokens=profile.batch_tokens,
            first_token=profile.first_token,
            cold_start=tuple(
                engine_costs.ColdStartStage(stage=stage, seconds=seconds)
                for stage, seconds in profile.cold_start_s
            ),
            fit_error=_fit_error(profile.fit_error),
            source=profile.source,
        ),
    )


def replica_cost_per_hour(accelerator: Accelerator) -> float:
    """Price of one replica's accelerators for an hour; 0 where none is given."""
    if accelerator.cost_per_hour is None:
        return 0.0
    return float(quantity.amount(accelerator.cost_per_hour) * accelerator.count)


def _accelerator(profile: EngineProfile) -> Accelerator:
    each = Decimal(repr(profile.cost_per_hour)) / profile.accelerators
    return Accelerator(
        name=profile.accelerator,
        count=profile.accelerators,
        cost_per_hour=quantity.text(each) if each else None,
    )


def _prefill(cost: engine_costs.PrefillCost) -> PrefillCost:
    return PrefillCost(
        a_s=cost.a_seconds,
        b_s_per_token=cost.b_seconds_per_token,
        c_s_per_token2=cost.c_seconds_per_token2,
    )


def prefill_cost(cost: PrefillCost) -> engine_costs.PrefillCost:
    """What a resource says of prefill."""
    return engine_costs.PrefillCost(
        a_seconds=cost.a_s,
        b_seconds_per_token=cost.b_s_per_token,
        c_seconds_per_token2=cost.c_s_per_token2,
    )


def _decode(cost: engine_costs.DecodeCost) -> DecodeCost:
    return DecodeCost(
        alpha_s=cost.alpha_seconds,
        beta_s_per_sequence=cost.beta_seconds_per_sequence,
        gamma_s_per_token=cost.gamma_seconds_per_token,
    )


def decode_cost(cost: DecodeCost) -> engine_costs.DecodeCost:
    """What a resource says of decode."""
    return engine_costs.DecodeCost(
        alpha_seconds=cost.alpha_s,
        beta_seconds_per_sequence=cost.beta_s_per_sequence,
        gamma_seconds_per_token=cost.gamma_s_per_token,
    )


def transfer_cost(cost: TransferCost) -> engine_costs.TransferCost:
    """A link's costs, as a resource holds them."""
    return engine_costs.TransferCost(
        latency_seconds=cost.latency_s,
        bandwidth_bytes_per_second=cost.bandwidth_bytes_per_s,
    )


def _fit_error(error: FitError | None) -> engine_costs.FitError | None:
    if error is None:
        return None
    return engine_costs.FitError(
        prefill_mean=error.prefill_mean,
        prefill_max=error.prefill_max,
        decode_mean=error.decode_mean,
        decode_max=error.decode_max,
    )

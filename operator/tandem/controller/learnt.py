"""What a plan's memory has learnt of the engines, as a status tells it."""

from typing import Any, TypeVar

from tandem.api.engine_costs import DecodeCost, PrefillCost, TransferCost
from tandem.api.model_status import LearntDecode, LearntPrefill, LearntTransfer, ModelStatus
from tandem.api.role import Role
from tandem.perf import from_resource
from tandem.perf.engine_profile import EngineProfile
from tandem.planner import calibration, ratio, trust
from tandem.planner.explanation import figures
from tandem.planner.model import Memory
from tandem.planner.spec import FleetSpec

Cost = TypeVar("Cost", PrefillCost, DecodeCost, TransferCost)


def of(memory: Memory, spec: FleetSpec | None) -> ModelStatus | None:
    """The model; None before a request has told anything, or where there is no fleet to tell it of."""
    told = {role: calibration.mean_factor(memory, role) for role in Role}
    if spec is None or not any(requests for _, requests in told.values()):
        return None
    belief = trust.recalled(memory)[0] if trust.is_kept(memory) else None
    common: dict[Role, dict[str, Any]] = {
        role: {
            "times_of_profile": figures(times),
            "requests": figures(requests),
            "trust": None if belief is None else round(belief.of(role), 2),
        }
        for role, (times, requests) in told.items()
    }
    learnt = calibration.calibrated(spec, memory).roles
    prompt = from_resource.prefill_cost(learnt[Role.PREFILL].profile.prefill)
    step = from_resource.decode_cost(learnt[Role.DECODE].profile.decode)
    return ModelStatus(
        trust=None if belief is None else round(belief.least, 2),
        prefill=LearntPrefill(**common[Role.PREFILL], cost=_rounded(prompt)),
        decode=LearntDecode(**common[Role.DECODE], cost=_rounded(step)),
        transfer=_transfer(memory, learnt[Role.DECODE].profile),
    )


def _transfer(memory: Memory, learnt: EngineProfile) -> LearntTransfer | None:
    """The link; None where no transfer has told anything."""
    if not memory.links.requests:
        return None
    return LearntTransfer(
        times_of_profile=figures(ratio.factor(memory.links)) or 0.0,
        requests=figures(memory.links.requests) or 0.0,
        cost=_rounded(from_resource.transfer_cost(learnt.transfer)),
    )


def _rounded(cost: Cost) -> Cost:
    return cost.model_copy(update={name: figures(value) for name, value in cost})

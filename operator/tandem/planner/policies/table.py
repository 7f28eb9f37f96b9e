"""The policies by name."""

from collections.abc import Mapping
from types import MappingProxyType

from tandem.errors import InvalidInputError
from tandem.planner.policies import (
    distserve,
    dynamo_load,
    dynamo_sla,
    heteroscale,
    hpa,
    kpa,
    li_mm1,
    static,
    tandem,
    tokenscale,
)
from tandem.planner.policies.proposal import Policy

POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "tandem": tandem.POLICY,
        "static": static.POLICY,
        "hpa": hpa.POLICY,
        "kpa": kpa.POLICY,
        "dynamo-sla": dynamo_sla.POLICY,
        "dynamo-load": dynamo_load.POLICY,
        "distserve": distserve.POLICY,
        "tokenscale": tokenscale.POLICY,
        "heteroscale": heteroscale.POLICY,
        "li-mm1": li_mm1.POLICY,
    }
)


def named(name: str) -> Policy:
    """The policy of a name; an unknown one is refused with what exists."""
    if name not in POLICIES:
        raise InvalidInputError("policy", name, f"one of {', '.join(POLICIES)}")
    return POLICIES[name]

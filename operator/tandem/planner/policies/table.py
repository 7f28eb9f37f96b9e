"""The policies by name."""

from collections.abc import Mapping
from types import MappingProxyType

from tandem.errors import InvalidInputError
from tandem.planner.policies import (
    aibrix_apa,
    arrow,
    blitzscale,
    chiron,
    distserve,
    dopd,
    dopd_code,
    dynamo_load,
    dynamo_sla,
    elasticmm,
    epd,
    heteroscale,
    hpa,
    kpa,
    li_mm1,
    llm_d_saturation,
    llm_d_tokens,
    mooncake,
    pd_serve,
    sageserve,
    splitwise,
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
        "aibrix-apa": aibrix_apa.POLICY,
        "llm-d-saturation": llm_d_saturation.POLICY,
        "llm-d-tokens": llm_d_tokens.POLICY,
        "dopd-code": dopd_code.POLICY,
        "epd": epd.POLICY,
        "mooncake": mooncake.POLICY,
        "splitwise": splitwise.POLICY,
        "blitzscale": blitzscale.POLICY,
        "elasticmm": elasticmm.POLICY,
        "sageserve": sageserve.POLICY,
        "tokenscale": tokenscale.POLICY,
        "heteroscale": heteroscale.POLICY,
        "li-mm1": li_mm1.POLICY,
        "chiron": chiron.POLICY,
        "arrow": arrow.POLICY,
        "dopd": dopd.POLICY,
        "pd-serve": pd_serve.POLICY,
    }
)


def named(name: str) -> Policy:
    """The policy of a name; an unknown one is refused with what exists."""
    if name not in POLICIES:
        raise InvalidInputError("policy", name, f"one of {', '.join(POLICIES)}")
    return POLICIES[name]

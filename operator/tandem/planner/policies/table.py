"""The policies by name."""

from collections.abc import Mapping
from types import MappingProxyType

from tandem.errors import InvalidInputError
from tandem.planner.policies import hpa, static, tandem
from tandem.planner.policies.proposal import Policy

POLICIES: Mapping[str, Policy] = MappingProxyType(
    {"tandem": tandem.POLICY, "static": static.POLICY, "hpa": hpa.POLICY}
)


def named(name: str) -> Policy:
    """The policy of a name; an unknown one is refused with what exists."""
    if name not in POLICIES:
        raise InvalidInputError("policy", name, f"one of {', '.join(POLICIES)}")
    return POLICIES[name]

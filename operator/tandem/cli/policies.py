"""`tandem policies`: every scaling policy, where its rule comes from, and where it fails."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tandem.planner.policies.proposal import Aggressiveness, Parameter, Policy


def run(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List the scaling policies: source, parameters, and where each fails."""
    from tandem.planner.policies.table import POLICIES  # noqa: PLC0415 - SciPy, half a second

    described = [_described(name, policy) for name, policy in POLICIES.items()]
    if as_json:
        typer.echo(json.dumps(described, indent=2, allow_nan=False))
    else:
        typer.echo("\n\n".join(_text(name, policy) for name, policy in POLICIES.items()))


def _described(name: str, policy: "Policy") -> dict[str, Any]:
    return {
        "name": name,
        "source": policy.source,
        "provenance": str(policy.provenance),
        "reconstructed": list(policy.reconstructed),
        "parameters": [
            {"name": known, **_bounds(each), "meaning": each.meaning}
            for known, each in policy.parameters.items()
        ],
        "aggressiveness": _aggressiveness(policy.aggressiveness, policy),
        "fails_where": policy.fails_where,
        "own_order": policy.own_order,
    }


def _bounds(each: "Parameter") -> dict[str, float | None]:
    return {"least": each.least, "default": each.default, "most": each.most}


def _aggressiveness(swept: "Aggressiveness | None", policy: "Policy") -> dict[str, Any] | None:
    if swept is None:
        return None
    return {
        "parameter": swept.parameter,
        **_bounds(policy.parameters[swept.parameter]),
        "more_replicas_when": swept.generous,
        "sweep": list(swept.sweep),
    }


def _text(name: str, policy: "Policy") -> str:
    lines = [
        f"{name} ({policy.provenance}): {policy.source}",
        *(
            f"  --param {known}={_default(each)}  {each.meaning}"
            for known, each in policy.parameters.items()
        ),
        f"  fails where: {policy.fails_where}",
    ]
    if policy.aggressiveness is not None:
        swept = policy.aggressiveness
        lines.insert(-1, f"  more replicas: {swept.generous} {swept.parameter}")
    return "\n".join(lines)


def _default(each: "Parameter") -> str:
    return "..." if each.default is None else f"{each.default:g}"

"""`tandem profiles`: list the built-in engine profiles, or print one as a resource to apply."""

from typing import Annotated

import typer
import yaml

from tandem.perf import from_resource, library
from tandem.perf.engine_profile import EngineProfile

HEADINGS = ("NAME", "MODEL", "ACCELERATORS", "COST/H")
_WIDTH = 100
_NAME = (
    "Profile to print as an EngineProfile, also from a JSON or TOML file; all are listed without."
)


def run(name: Annotated[str | None, typer.Argument(help=_NAME)] = None) -> None:
    """List the built-in engine profiles, or print one as a resource for `kubectl apply -f -`."""
    if name is None:
        typer.echo(_table([_row(profile) for profile in library.PROFILES.values()]))
    else:
        typer.echo(manifest(library.profile(name, "NAME")), nl=False)


def manifest(profile: EngineProfile) -> str:
    """The EngineProfile resource of a profile, as YAML."""
    resource = from_resource.resource(profile)
    body = resource.model_dump(mode="json", by_alias=True, exclude_none=True)
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=_WIDTH)


def _row(profile: EngineProfile) -> tuple[str, ...]:
    accelerators = f"{profile.accelerators} {profile.accelerator}"
    cost = f"{profile.cost_per_hour:.2f}" if profile.cost_per_hour else "-"
    return profile.name, profile.model, accelerators, cost


def _table(rows: list[tuple[str, ...]]) -> str:
    columns = zip(HEADINGS, *rows, strict=True)
    widths = [max(map(len, column)) for column in columns]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (HEADINGS, *rows)
    )

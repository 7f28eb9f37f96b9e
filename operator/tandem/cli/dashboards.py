"""`tandem dashboards`: write dashboards, recording rules and alerts, or check what is written."""

from pathlib import Path
from typing import Annotated

import typer

from tandem.dashboards import files

STALE = 1


def run(
    *,
    out: Annotated[Path, typer.Option(help="Folder to write dashboards/ and rules/ into.")],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where --out is not current.")
    ] = False,
) -> int:
    """Write the dashboards for Grafana and the rules for Prometheus."""
    rendered = files.rendered()
    return _check(out, rendered) if check else _write(out, rendered)


def _write(folder: Path, rendered: dict[str, str]) -> int:
    for name, text in rendered.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {path}")
    return 0


def _check(folder: Path, rendered: dict[str, str]) -> int:
    stale = [folder / name for name, text in rendered.items() if _read(folder / name) != text]
    wanted = {folder / name for name in rendered}
    found = {path for each in files.FOLDERS for path in (folder / each).glob("*.*")}
    for path in stale:
        typer.echo(f"{path} is stale: `tandem dashboards --out {folder}` renders it", err=True)
    for path in sorted(found - wanted):
        typer.echo(f"{path} is rendered from no code: delete it", err=True)
    return STALE if stale or found - wanted else 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""

"""`tandem crds`: print the custom resource definitions, write them, or check what is written."""

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from tandem.api import crd
from tandem.errors import InvalidInputError

HEADER = "# Rendered from the models in operator/tandem/api: `make crds`. Never edited.\n"
STALE = 1


class _Dumper(yaml.SafeDumper):
    """Repeats what occurs twice: an anchor in a definition is a riddle."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def run(
    *,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write one file each to; printed where not given.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where --out is not current.")
    ] = False,
) -> int:
    """Print or write the custom resource definitions."""
    files = rendered()
    if out is None:
        if check:
            raise InvalidInputError("--check", "without --out", "together with --out DIR")
        typer.echo("---\n".join(files.values()), nl=False)
        return 0
    return _check(out, files) if check else _write(out, files)


def rendered() -> dict[str, str]:
    """Every definition as YAML, by the name of its file."""
    return {kind.file_name: HEADER + _yaml(crd.definition(kind)) for kind in crd.KINDS}


def _yaml(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _write(folder: Path, files: dict[str, str]) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        typer.echo(f"wrote {folder / name}")
    return 0


def _check(folder: Path, files: dict[str, str]) -> int:
    stale = [name for name, text in files.items() if _read(folder / name) != text]
    left_over = sorted({path.name for path in folder.glob("*.yaml")} - files.keys())
    for name in stale:
        typer.echo(f"{folder / name} is stale: `tandem crds --out {folder}` renders it", err=True)
    for name in left_over:
        typer.echo(f"{folder / name} is rendered by no model: delete it", err=True)
    return STALE if stale or left_over else 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""

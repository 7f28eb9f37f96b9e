"""Reads an EngineProfile from a file: JSON or TOML, its keys those of the profile's fields."""

import json
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile


def read(path: Path, field: str) -> EngineProfile:
    """The profile that a file holds; what is wrong with it names the field of the file."""
    try:
        fields = _fields(path)
    except OSError as error:
        raise InvalidInputError(field, str(path), f"a file to read ({error.strerror})") from error
    except ValueError as error:
        raise InvalidInputError(field, str(path), f"a JSON or TOML file ({error})") from error
    try:
        return TypeAdapter(EngineProfile).validate_python(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidInputError(f"{field} {path}: {where}", first["input"], first["msg"]) from error


def write(profile: EngineProfile, path: Path) -> None:
    """Write a profile as JSON, for `read`."""
    path.write_text(text(profile), encoding="utf-8")


def text(profile: EngineProfile) -> str:
    """A profile as the JSON of its file."""
    return json.dumps(asdict(profile), indent=1)


def _fields(path: Path) -> dict[str, Any]:
    written = path.read_text(encoding="utf-8")
    fields: Any = tomllib.loads(written) if path.suffix == ".toml" else json.loads(written)
    if not isinstance(fields, dict):
        raise ValueError("a table of fields is missing")  # noqa: TRY004 - said as the parsers do
    fields.setdefault("name", path.stem)
    if isinstance(stages := fields.get("cold_start_s"), dict):
        fields["cold_start_s"] = tuple(stages.items())
    return dict(fields)

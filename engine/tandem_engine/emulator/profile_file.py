"""Reads an EngineProfile from a file: JSON or TOML, its keys those of the profile's fields."""

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile

FLAG = "--profile-file"


def read(path: Path) -> EngineProfile:
    """The profile that a file holds; what is wrong with it names the field."""
    try:
        fields = _fields(path)
    except OSError as error:
        raise InvalidInputError(FLAG, str(path), f"a file to read ({error.strerror})") from error
    except ValueError as error:
        raise InvalidInputError(FLAG, str(path), f"a JSON or TOML file ({error})") from error
    try:
        return TypeAdapter(EngineProfile).validate_python(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidInputError(f"{FLAG} {path}: {where}", first["input"], first["msg"]) from error


def _fields(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    fields: Any = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    if not isinstance(fields, dict):
        raise ValueError("a table of fields is missing")  # noqa: TRY004 - said as the parsers do
    fields.setdefault("name", path.stem)
    if isinstance(stages := fields.get("cold_start_s"), dict):
        fields["cold_start_s"] = tuple(stages.items())
    return dict(fields)

"""The built-in library of engine profiles: one TOML file each in `profiles/`, named by its profile.

A file's tables and keys are those of `EngineProfile`, so adding a profile is adding a file. Files
are read one by one when they are asked for: importing this module costs nothing.

    >>> profile("h200-llama-3.1-8b-fp8-tp1").kv.capacity_tokens
    945029
"""

import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path

from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import (
    DecodeCost,
    EngineProfile,
    FitError,
    KvCache,
    PrefillCost,
    TransferCost,
)

_FOLDER = files("tandem.perf") / "profiles"
_SUFFIX = ".toml"
FILES = (".json", ".toml")  # what names a file of one's own


class _Library(Mapping[str, EngineProfile]):
    """Profiles by name, in alphabetical order, read when they are asked for."""

    def __getitem__(self, name: str) -> EngineProfile:
        if name not in _names():
            raise KeyError(name)
        return _read(name)

    def __contains__(self, name: object) -> bool:
        return name in _names()

    def __iter__(self) -> Iterator[str]:
        return iter(_names())

    def __len__(self) -> int:
        return len(_names())


PROFILES: Mapping[str, EngineProfile] = _Library()


def profile(name: str, field: str = "--profile") -> EngineProfile:
    """The profile of a name, or of a JSON or TOML file; an unknown name is refused with what exists."""
    if name.endswith(FILES):
        from tandem.perf import profile_file  # noqa: PLC0415 - pydantic, which names do not need

        return profile_file.read(Path(name), field)
    if name not in PROFILES:
        close = get_close_matches(name, PROFILES, n=len(PROFILES), cutoff=0.0)
        raise InvalidInputError(field, name, f"one of {', '.join(close)}, or a JSON or TOML file")
    return PROFILES[name]


@cache
def _names() -> tuple[str, ...]:
    found = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX)))


@cache
def _read(name: str) -> EngineProfile:
    fields = tomllib.loads((_FOLDER / f"{name}{_SUFFIX}").read_text(encoding="utf-8"))
    error = fields.pop("fit_error", None)
    return EngineProfile(
        name=name,
        prefill=PrefillCost(**fields.pop("prefill")),
        decode=DecodeCost(**fields.pop("decode")),
        kv=KvCache(**fields.pop("kv")),
        transfer=TransferCost(**fields.pop("transfer")),
        cold_start_s=tuple(fields.pop("cold_start_s").items()),
        fit_error=FitError(**error) if error else None,
        source=" ".join(fields.pop("source").split()),
        **fields,
    )

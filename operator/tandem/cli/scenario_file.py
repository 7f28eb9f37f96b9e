"""A YAML file that holds a command's options, by the names of its flags; flags on the command line win.

The command's own signature stays the only description: a file is what Typer falls back on where a flag
was not given, so a value passes the same checks from either place.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from tandem.errors import InvalidInputError

_FLAG = "--scenario"
_TEXT = "a text, in quotes where YAML would read something else"
_ALLOWED: Mapping[type, tuple[tuple[type, ...], str]] = {  # hint: what YAML may hold
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), _TEXT),
    Path: ((str,), _TEXT),
}


def _apply(context: typer.Context, value: Path | None) -> Path | None:
    """Let a file's options stand in for the flags that were not given."""
    if value is not None:
        hints = get_type_hints(context.command.callback)
        names = {_key(option): option.name for option in context.command.params}
        known = {
            key: (name, hints[name])
            for key, name in names.items()
            if name in hints and f"--{key}" != _FLAG
        }
        context.default_map = dict(_checked(_read(value), known, value.name))
    return value


Option = Annotated[
    Path | None,
    typer.Option(
        _FLAG,
        callback=_apply,
        is_eager=True,
        help="YAML file of these options, named as the flags are; flags win.",
    ),
]


def _key(option: Any) -> str:
    """The name of an option in a file: its flag without the dashes before it."""
    return str(option.opts[0]).lstrip("-")


def _read(path: Path) -> Mapping[Any, Any]:
    """What a file says; one that can't be read, or says a thing twice, is a mistake."""
    import yaml  # noqa: PLC0415 - only for those who keep a file

    try:
        text = path.read_text(encoding="utf-8")
        tree, said = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except OSError as error:
        raise InvalidInputError(_FLAG, str(path), f"a readable file ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InvalidInputError(_FLAG, str(path), "a text file in UTF-8") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that no calendar has
        wrong = " ".join(str(error).split())
        raise InvalidInputError(_FLAG, str(path), f"a YAML file ({wrong})") from None
    if tree is None:
        return {}
    if not isinstance(said, Mapping):
        raise InvalidInputError(_FLAG, str(path), "a mapping of options to values")
    for key, count in Counter(str(key.value) for key, _ in tree.value).items():
        if count > 1:
            raise InvalidInputError(f"{path.name}: {key}", f"{count} values", "one value")
    return said


def _checked(
    said: Mapping[Any, Any], known: Mapping[str, tuple[str, Any]], file: str
) -> Iterator[tuple[str, Any]]:
    """Values by the names that Typer knows them by."""
    for key, value in said.items():
        if key not in known:
            raise InvalidInputError(f"{file}: {key}", value, f"a key among {', '.join(known)}")
        name, hint = known[key]
        _require(value, hint, f"{file}: {key}")
        yield name, value


def _require(value: object, hint: Any, field: str) -> None:
    """Refuse what is not of an option's type; one that may be repeated takes a list."""
    if type(None) in get_args(hint):
        hint = get_args(hint)[0]
    repeated = get_origin(hint) is list
    kinds, allowed = _ALLOWED[get_args(hint)[0] if repeated else hint]
    if repeated:
        right = isinstance(value, list) and all(_is(one, kinds) for one in value)
        allowed = f"a list, each {allowed}"
    else:
        right = _is(value, kinds)
    if not right:
        raise InvalidInputError(field, value, allowed)


def _is(value: object, kinds: tuple[type, ...]) -> bool:
    """Whether a value is of a kind; true is no 1."""
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))

"""Reads resources that a person wrote: the first mistake is named by its path, value and remedy."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tandem.api import crd
from tandem.api.base import RULE_BROKEN, ApiModel, Path
from tandem.api.engine_profile import EngineProfile
from tandem.api.fleet import DisaggregatedLLM
from tandem.api.scalars import NOT_ALLOWED
from tandem.errors import InvalidInputError

Resource = TypeVar("Resource", bound=ApiModel)

_ALLOWED = {  # pydantic's kinds of error, in the words of this project
    "bool_type": "true or false",
    "enum": "{expected}",
    "float_type": "a number",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "{ge} or more",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "less_than": "below {lt:g}",
    "less_than_equal": "{le} or less",
    "literal_error": "{expected}",
    "mapping_type": "a mapping of names to values",
    "missing": "a value is required",
    "model_type": "a mapping of fields to values",
    "string_too_long": "a text of at most {max_length} characters",
    "string_type": "a text",
    "too_long": "a list of at most {max_length}",
    "too_short": "a list of at least {min_length}",
    "tuple_type": "a list",
    NOT_ALLOWED: "{allowed}",
    RULE_BROKEN: "{allowed}",
}


def parse_fleet(document: Mapping[str, Any]) -> DisaggregatedLLM:
    """The fleet that a document describes; its status is never read back."""
    return _parse(DisaggregatedLLM, document)


def parse_profile(document: Mapping[str, Any]) -> EngineProfile:
    """The engine profile that a document describes."""
    return _parse(EngineProfile, document)


def _parse(model: type[Resource], document: Mapping[str, Any]) -> Resource:
    if not isinstance(document, Mapping):
        raise InvalidInputError("document", document, _ALLOWED["model_type"])
    wanted = {key: value for key, value in document.items() if key != "status"}
    # By way of JSON, because in JSON pydantic's strict mode is the API server's: a list is a list,
    # a name of an enumeration is a text.
    text = json.dumps(wanted, default=_plain)
    try:
        return model.model_validate_json(text, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _invalid(model, error.errors()[0]) from None


def _plain(value: object) -> object:
    """What JSON has no word for: read-only mappings, and the dates that YAML makes."""
    return dict(value) if isinstance(value, Mapping) else str(value)


def _invalid(model: type[ApiModel], error: ErrorDetails) -> InvalidInputError:
    kind, path, context = error["type"], error["loc"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_field(model, path)
    value = error["input"]
    if kind == RULE_BROKEN:
        path, value = (*path, *context["path"]), context["value"]
    elif kind in {"too_long", "too_short"}:
        value = context["actual_length"]
    elif kind == "missing":
        value = None
    allowed = _ALLOWED.get(kind, error["msg"].removeprefix("Input should be "))
    return InvalidInputError(dotted(path), value, allowed.format(**context))


def _unknown_field(model: type[ApiModel], path: Path) -> InvalidInputError:
    """An unknown field is named under its parent, beside the fields that exist, closest first."""
    *above, unknown = path
    node = crd.schema(model)
    for part in above:
        node = node["items"] if isinstance(part, int) else node["properties"][part]
    known = get_close_matches(str(unknown), node["properties"], n=len(node["properties"]), cutoff=0)
    return InvalidInputError(dotted(tuple(above)), unknown, f"one of {', '.join(known)}")


def dotted(path: Path) -> str:
    """A path as people write it: spec.prefill.pools[0].name."""
    words = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(words).removeprefix(".") or "document"

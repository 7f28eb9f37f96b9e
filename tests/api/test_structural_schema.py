"""The rendered schemas keep the rules that the API server has for structural schemas."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.api import cel

from tandem.api import crd

Schema = dict[str, Any]

KNOWN = {
    "type",
    "description",
    "default",
    "enum",
    "required",
    "properties",
    "additionalProperties",
    "maxProperties",
    "items",
    "maxItems",
    "minItems",
    "pattern",
    "format",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "x-kubernetes-validations",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-preserve-unknown-fields",
}


def nodes(node: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in node:
            yield from nodes(node[key], f"{path}[]")


def fields() -> list[Any]:
    found = []
    for kind in crd.KINDS:
        for path, node in nodes(crd.schema(kind.model), kind.model.__name__):
            if not path.endswith(".metadata"):  # the API server's own
                found.append(pytest.param(node, id=path))
    return found


def mistakes(node: Schema) -> Iterator[str]:
    """What the API server, or its limit on the cost of CEL rules, would refuse."""
    unknown = node.keys() - KNOWN
    if unknown:
        yield f"not part of a structural schema: {sorted(unknown)}"
    check = {
        "object": _object_mistakes,
        "array": _array_mistakes,
        "string": _string_mistakes,
        "integer": _number_mistakes,
        "number": _number_mistakes,
    }.get(node.get("type", ""))
    if check is None:
        yield "no type"
    else:
        yield from check(node)


def _object_mistakes(node: Schema) -> Iterator[str]:
    if node.get("x-kubernetes-preserve-unknown-fields"):
        return  # kept as it is, whatever it holds
    if "properties" not in node and "maxProperties" not in node:
        yield "a map without maxProperties"
    if "properties" in node and "additionalProperties" in node:
        yield "properties beside additionalProperties"
    if set(node.get("required", ())) - node.get("properties", {}).keys():
        yield "requires what it does not have"
    rules = [validation["rule"] for validation in node.get("x-kubernetes-validations", ())]
    if node.get("default") and not rules:
        yield "repeats the defaults of its children"
    if "default" in node and not all(_is_whole(rule, node["default"]) for rule in rules):
        yield "a default that breaks a rule: the API server holds it to them as it is written"


def _is_whole(rule: str, default: Schema) -> bool:
    try:
        return cel.holds(rule, default)
    except KeyError:
        return False


def _array_mistakes(node: Schema) -> Iterator[str]:
    if "items" not in node or "maxItems" not in node:
        yield "a list without items or maxItems"
    kind = node.get("x-kubernetes-list-type")
    if kind is None:
        yield "a list that does not say how it merges"
    if kind == "map":
        keys = set(node["x-kubernetes-list-map-keys"])
        if keys - set(node["items"].get("required", ())):
            yield "a list whose key may be absent"


def _string_mistakes(node: Schema) -> Iterator[str]:
    if not ("maxLength" in node or "enum" in node or node.get("format") == "date-time"):
        yield "a string without a limit"


def _number_mistakes(node: Schema) -> Iterator[str]:
    for bound in ("Minimum", "Maximum"):
        exclusive = node.get(f"exclusive{bound}", False)
        if not isinstance(exclusive, bool):
            yield f"exclusive{bound} is not a boolean"
        if exclusive and bound.lower() not in node:
            yield f"exclusive{bound} without its bound"


@pytest.mark.parametrize("node", fields())
def test_every_field_is_structural_and_bounded(node: Schema, request: Any) -> None:
    resources_own = (".apiVersion", ".kind")
    if request.node.callspec.id.endswith(resources_own):
        node = node | {"maxLength": 64}  # the API server's own, never written by a user at length

    assert list(mistakes(node)) == []


@pytest.mark.parametrize("node", fields())
def test_every_field_says_what_it_is(node: Schema, request: Any) -> None:
    if request.node.callspec.id.endswith(("parameters[]", "args[]", "exact[]", "bounds[]")):
        return  # numbers in a map, words in a list: told by the map and the list

    text = node["description"]
    assert text[0].isupper() or text.split(maxsplit=1)[0].rstrip(",:") in node.get("enum", ())
    assert text.endswith(".")
    assert "\n" not in text


def test_the_linter_sees_what_pydantic_writes_by_itself() -> None:
    raw = crd.FLEET.model.model_json_schema()
    raw_spec = raw["$defs"]["DisaggregatedLLMSpec"]

    assert list(mistakes(raw)) != []
    assert list(mistakes(raw_spec["properties"]["model"])) != []


def test_a_role_merges_by_the_name_of_its_pools() -> None:
    pools = crd.schema(crd.FLEET.model)["properties"]["spec"]["properties"]["prefill"][
        "properties"
    ]["pools"]

    assert pools["x-kubernetes-list-type"] == "map"
    assert pools["x-kubernetes-list-map-keys"] == ["name"]

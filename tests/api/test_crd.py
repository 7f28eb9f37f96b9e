"""What the API server makes of a document is what the models make of it."""

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft4Validator
from tests.api.documents import FLEET, PROFILE, Document, fleet, profile

from tandem.api import crd
from tandem.api.parse import parse_fleet, parse_profile

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PARSE = {"DisaggregatedLLM": parse_fleet, "EngineProfile": parse_profile}
SCHEMAS = {kind.model.__name__: crd.schema(kind.model) for kind in crd.KINDS}


def example(name: str) -> Document:
    document: Document = yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))
    return document


def with_defaults(document: Any, schema: dict[str, Any]) -> Any:
    """A document as the API server stores it: absent fields have their default, from the top down."""
    if isinstance(document, list):
        return [with_defaults(item, schema["items"]) for item in document]
    if not isinstance(document, dict):
        return document
    filled = dict(document)
    for name, child in schema.get("properties", {}).items():
        if name not in filled and "default" in child:
            filled[name] = deepcopy(child["default"])
        if name in filled:
            filled[name] = with_defaults(filled[name], child)
    return filled


DOCUMENTS = [
    pytest.param(FLEET, id="smallest fleet"),
    pytest.param(PROFILE, id="smallest profile"),
    pytest.param(fleet(autoscaling__budget={"accelerators": 8}), id="part of a budget"),
    pytest.param(fleet(autoscaling__ratio={}), id="empty ratio"),
    pytest.param(profile(coldStart=[{"stage": "image", "seconds": 9}]), id="cold start"),
    *(
        pytest.param(example(path.name), id=path.name)
        for path in sorted(EXAMPLES.glob("*.yaml"))
        if "kind:" in path.read_text()
    ),
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_the_models_read_the_schema_takes(document: Document) -> None:
    PARSE[document["kind"]](document)

    Draft4Validator(SCHEMAS[document["kind"]]).validate(document)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_api_servers_defaults_are_the_models(document: Document) -> None:
    parse, schema = PARSE[document["kind"]], SCHEMAS[document["kind"]]
    stored = with_defaults(document, schema)

    assert parse(stored) == parse(document)
    written = parse(document).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert stored["spec"] == written["spec"]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(fleet(slo__ttft__target="soon"), id="duration"),
        pytest.param(fleet(slo__attainment=0), id="exclusive minimum"),
        pytest.param(fleet(slo__attainment=1), id="exclusive maximum"),
        pytest.param(fleet(decode__replicas={"max": 4097}), id="maximum"),
        pytest.param(fleet(autoscaling__policy__name="magic"), id="enumeration"),
        pytest.param(fleet(metrics__source="statsd"), id="enumeration"),
        pytest.param(fleet(prefill__pools=[]), id="no pool"),
        pytest.param(fleet(model={}), id="required"),
        pytest.param(fleet(model__name="two words"), id="name"),
        pytest.param(fleet(autoscaling__budget={"costPerHour": "$4"}), id="quantity"),
        pytest.param(fleet(prefill__replicas={"min": "1"}), id="text for a number"),
        pytest.param(fleet(prefill__pools__0__name="x" * 64), id="too long"),
        pytest.param(profile(kv__bytesPerToken=0), id="number above zero"),
        pytest.param(profile(firstToken="encode"), id="role"),
    ],
)
def test_what_the_schema_refuses_the_models_refuse(document: Document) -> None:
    assert not Draft4Validator(SCHEMAS[document["kind"]]).is_valid(document)

    with pytest.raises(Exception, match="is not allowed"):
        PARSE[document["kind"]](document)


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        pytest.param(kind, column, id=f"{kind.plural} {column.name}")
        for kind in crd.KINDS
        for column in kind.columns
        if not column.path.startswith(".metadata")
    ],
)
def test_a_column_shows_a_field_of_its_type(kind: crd.Kind, column: crd.Column) -> None:
    node = SCHEMAS[kind.model.__name__]
    path = re.sub(r"\[\?\(@\.type==\"[A-Za-z]+\"\)\]", ".0", column.path)
    for part in path.removeprefix(".").split("."):
        node = node["items"] if part == "0" else node["properties"][part]

    assert node["type"] == column.type


def validations(node: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    for validation in node.get("x-kubernetes-validations", ()):
        yield node, validation
    children = [*node.get("properties", {}).values(), node.get("items")]
    for child in children:
        if child:
            yield from validations(child)


def read(rule: str, within: str = "") -> list[str]:
    """Every path that a rule reads, or a part of it; what it reads of each item of a list is below the list."""
    listed = re.search(r"self([.a-zA-Z]+)\.all\(each,", rule)
    paths = re.findall(r"\bself((?:\.[a-zA-Z]+\b(?!\()|\[0\])+)", within or rule)
    below = re.findall(r"\beach((?:\.[a-zA-Z]+)+)", within or rule)
    return [*paths, *(f"{listed[1]}[0]{path}" for path in below if listed)]


ALL_VALIDATIONS = [
    pytest.param(node, validation, id=validation["rule"][:48])
    for schema in SCHEMAS.values()
    for node, validation in validations(schema)
]


@pytest.mark.parametrize(("node", "validation"), ALL_VALIDATIONS)
def test_a_rule_names_fields_that_exist(node: dict[str, Any], validation: dict[str, str]) -> None:
    paths = read(validation["rule"])
    paths += [validation["fieldPath"]] if "fieldPath" in validation else []

    for path in paths:
        at = node
        for part in re.findall(r"[a-zA-Z]+|\[0\]", path):
            at = at["items"] if part == "[0]" else at["properties"][part]


@pytest.mark.parametrize(("node", "validation"), ALL_VALIDATIONS)
def test_a_rule_asks_before_it_reads_what_may_be_absent(
    node: dict[str, Any], validation: dict[str, str]
) -> None:
    questions = " ".join(re.findall(r"has\([^)]*\)", validation["rule"]))
    asked = set(read(validation["rule"], questions)) if questions else set()
    for path in read(validation["rule"]):
        at, walked = node, ""
        for part in re.findall(r"[a-zA-Z]+|\[0\]", path):
            walked += part if part == "[0]" else f".{part}"
            always = part == "[0]" or part in at.get("required", ())
            at = at["items"] if part == "[0]" else at["properties"][part]
            assert always or "default" in at or walked in asked, walked

"""The chart's values against their schema, and the roles against what the operator does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tandem import __version__
from tandem.controller.permissions import PERMISSIONS

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "tandem"
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def leaves(given: Any, path: str = "") -> Iterator[str]:
    """Paths of a schema's values, down to those whose names are the user's."""
    if not (isinstance(given, dict) and given.get("additionalProperties") is False):
        yield path
        return
    for name, child in given["properties"].items():
        yield from leaves(child, f"{path}.{name}")


def at(values: Any, path: str) -> Any:
    for name in path.strip(".").split("."):
        values = values[name]
    return values


def with_value(path: str, value: Any) -> Any:
    """The chart's own values with one changed."""
    values = read(CHART / "values.yaml")
    parent, _, name = path.rpartition(".")
    (at(values, parent) if parent else values)[name] = value
    return values


def test_the_charts_own_values_are_allowed() -> None:
    Draft7Validator(SCHEMA).validate(read(CHART / "values.yaml"))


# Helm's own, and what Kubernetes knows but we set nothing of.
UNSET = (".global", ".operator.resources.claims")


@pytest.mark.parametrize("path", sorted(set(leaves(SCHEMA)) - set(UNSET)))
def test_every_value_of_the_schema_has_a_default(path: str) -> None:
    at(read(CHART / "values.yaml"), path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("imagse", {}, id="unknown value"),
        pytest.param("operator.replicas", 2, id="a second operator"),
        pytest.param("fullnameOverride", "Tandem", id="no name"),
        pytest.param("fullnameOverride", "t" * 51, id="a name without room behind it"),
        pytest.param("images.registry", "registry.example/", id="slash at the end"),
        pytest.param("images.tag", 1.0, id="a tag that YAML reads as a number"),
        pytest.param("images.pullPolicy", "Sometimes", id="pull policy"),
        pytest.param("images.pullSecrets", ["registry"], id="a secret without name:"),
        pytest.param("images.gateway", "", id="no image"),
        pytest.param("operator.resources", {"memory": "1Gi"}, id="resources of nothing"),
        pytest.param("operator.env", {"A": "b"}, id="env as an object"),
        pytest.param("operator.nodeSelector", {"a": True}, id="a label that is no text"),
        pytest.param("watch.namespaces", "models", id="one namespace without a list"),
        pytest.param("watch.namespaces", ["models", "models"], id="a namespace twice"),
        pytest.param("watch.namespaces", ["*"], id="a pattern"),
        pytest.param("crds.keep", "yes", id="a word for a boolean"),
        pytest.param("podMonitor.interval", "15", id="no unit"),
        pytest.param("dashboards.labelValue", 1, id="a label's value as a number"),
    ],
)
def test_a_wrong_value_is_refused(path: str, value: Any) -> None:
    (error,) = Draft7Validator(SCHEMA).iter_errors(with_value(path, value))
    assert error.message


def test_the_versions_of_chart_and_code_are_one() -> None:
    chart = read(CHART / "Chart.yaml")
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_install_yaml_grants_what_the_operator_does_and_no_more() -> None:
    documents = yaml.safe_load_all((ROOT / "install.yaml").read_text(encoding="utf-8"))
    (role,) = (body for body in documents if body["kind"] == "ClusterRole")
    granted = [
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
    used = [(each.group, each.resource, verb) for each in PERMISSIONS for verb in each.verbs]
    assert sorted(granted) == sorted(used)


def test_the_charts_definitions_are_those_of_crds() -> None:
    shipped = {path.name: path.read_text() for path in (CHART / "files" / "crds").iterdir()}
    assert shipped == {path.name: path.read_text() for path in (ROOT / "crds").iterdir()}

"""Renders a model into a CustomResourceDefinition with a structural schema.

The API server takes only part of JSON Schema. What pydantic writes beyond it is lowered:

    $ref                       the definition itself, in place; the text of the field wins
    anyOf [X, null]            X: a field that may be absent
    const                      enum of one
    exclusiveMinimum: n        minimum: n, exclusiveMinimum: true (likewise the maximum)
    default of an object       {}: each child has its own default, so a default is written once;
                               in full where the object has rules, which a default is held to as
                               it is written
    title, default: null, additionalProperties: true or false, discriminator      left out
"""

from dataclasses import dataclass
from typing import Any

from tandem.api.base import GROUP, VERSION, ApiModel
from tandem.api.engine_profile import EngineProfile
from tandem.api.fleet import DisaggregatedLLM

Schema = dict[str, Any]

_LEFT_OUT = ("title", "discriminator", "$defs")
_FIRST = ("type", "description", "default", "enum", "required", "properties")  # order for readers


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`; those of priority 1 come with `-o wide`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0

    def rendered(self) -> Schema:
        """The entry of `additionalPrinterColumns`."""
        wide = {"priority": self.priority} if self.priority else {}
        return {"name": self.name, "type": self.type, "jsonPath": self.path, **wide}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What the API server is told of a kind besides its schema."""

    model: type[ApiModel]
    plural: str
    short_name: str
    categories: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def file_name(self) -> str:
        """File of its definition, named as other generators name theirs."""
        return f"{GROUP}_{self.plural}.yaml"


_AGE = Column("Age", ".metadata.creationTimestamp", "date")
FLEET = Kind(
    model=DisaggregatedLLM,
    plural="disaggregatedllms",
    short_name="dllm",
    categories=("all", "tandem"),
    columns=(
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Prefill", ".status.roles.prefill.readyOfDesired"),
        Column("Decode", ".status.roles.decode.readyOfDesired"),
        Column("Ratio", ".status.ratio.current"),
        Column("Attainment", ".status.slo.attainmentPercent"),
        Column("Bottleneck", ".status.bottleneck"),
        Column("Mode", ".spec.autoscaling.mode"),
        _AGE,
        Column("Model", ".spec.model.name", priority=1),
        Column("Cost", ".status.cost.perHour", priority=1),
        Column("Reason", ".status.lastDecision.reason", priority=1),
    ),
)
PROFILE = Kind(
    model=EngineProfile,
    plural="engineprofiles",
    short_name="eprof",
    categories=("tandem",),
    columns=(
        Column("Model", ".spec.model"),
        Column("Accelerator", ".spec.accelerator.name"),
        Column("Count", ".spec.accelerator.count", "integer"),
        _AGE,
    ),
)
KINDS = (FLEET, PROFILE)


def definition(kind: Kind) -> Schema:
    """The CustomResourceDefinition of a kind."""
    name = kind.model.__name__
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": name,
                "listKind": f"{name}List",
                "plural": kind.plural,
                "singular": name.lower(),
                "shortNames": [kind.short_name],
                "categories": list(kind.categories),
            },
            "scope": "Namespaced",
            "versions": [_version(kind)],
        },
    }


def schema(model: type[ApiModel]) -> Schema:
    """The structural schema of a resource; apiVersion, kind and metadata are the API server's."""
    written = model.model_json_schema(by_alias=True)
    root = _structural(written, written.get("$defs", {}))
    name = root["properties"]["metadata"]["properties"]["name"]
    limits = {key: name[key] for key in ("type", "description", "maxLength", "pattern")}
    root["properties"]["metadata"] = {"type": "object", "properties": {"name": limits}}
    for name in ("apiVersion", "kind"):
        text = root["properties"][name]["description"]
        root["properties"][name] = {"type": "string", "description": text}
    root["required"] = ["spec"]
    return root


def _version(kind: Kind) -> Schema:
    rendered = schema(kind.model)
    has_status = "status" in rendered["properties"]
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        **({"subresources": {"status": {}}} if has_status else {}),
        "additionalPrinterColumns": [column.rendered() for column in kind.columns],
        "schema": {"openAPIV3Schema": rendered},
    }


def _structural(node: Schema, definitions: Schema) -> Schema:
    """One node, lowered, and all below it."""
    node = _in_place(node, definitions)
    lowered = {key: value for key, value in node.items() if key not in _LEFT_OUT}
    _lower_values(lowered)
    if "properties" in lowered:
        children = lowered["properties"].items()
        lowered["properties"] = {name: _structural(child, definitions) for name, child in children}
    for key in ("items", "additionalProperties"):
        if isinstance(lowered.get(key), dict):
            lowered[key] = _structural(lowered[key], definitions)
    return {key: lowered[key] for key in sorted(lowered, key=_place)}


def _in_place(node: Schema, definitions: Schema) -> Schema:
    """The node with what it refers to, and without the null it may also be."""
    siblings = dict(node)
    if "$ref" in siblings:
        target = definitions[siblings.pop("$ref").rsplit("/", 1)[-1]]
    elif "anyOf" in siblings:
        (target,) = (one for one in siblings.pop("anyOf") if one.get("type") != "null")
    else:
        return node
    return _in_place({**target, **siblings}, definitions)


def _lower_values(node: Schema) -> None:
    if "description" in node:
        node["description"] = " ".join(node["description"].split())
    if "const" in node:
        node["enum"] = [node.pop("const")]
    for bound in ("Minimum", "Maximum"):
        if f"exclusive{bound}" in node:
            node[bound.lower()] = node[f"exclusive{bound}"]
            node[f"exclusive{bound}"] = True
    if isinstance(node.get("additionalProperties"), bool):
        del node["additionalProperties"]
    if isinstance(node.get("default"), dict):
        node["default"] = _given(node["default"]) if "x-kubernetes-validations" in node else {}
    if "default" in node and node["default"] is None:
        del node["default"]


def _given(value: Any) -> Any:
    """A default without the fields that are absent."""
    if not isinstance(value, dict):
        return value
    return {key: _given(part) for key, part in value.items() if part is not None}


def _place(key: str) -> tuple[int, str]:
    return (_FIRST.index(key) if key in _FIRST else len(_FIRST), key)

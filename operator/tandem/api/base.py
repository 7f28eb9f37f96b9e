"""What every model of a resource shares: frozen, camelCase outside, no unknown field, rules.

The text of a field is the string under it; it becomes the text of `kubectl explain`.

A rule that spans fields is told once, beside the fields it spans, in two languages: CEL, which the
API server evaluates when a resource is written, and Python, for resources that come from a file.
Both refuse with the same field and the same words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

GROUP = "tandem.dev"
VERSION = "v1alpha1"
RULE_BROKEN = "rule_broken"  # type of the pydantic error; `parse` reads its context
Path = tuple[int | str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A claim about a model.

    Attributes:
        field: path below the model that an error names, as the user writes it.
        allowed: what would have been right, as a phrase.
        cel: the claim in CEL, `self` being the model; empty where the schema itself says it.
        holds: the claim in Python.
        culprit: path of what breaks it, where it lies within a list that `field` names; only then asked.

    """

    field: str
    allowed: str
    cel: str
    holds: Callable[[Any], bool]
    culprit: Callable[[Any], Path] | None = None

    def validation(self) -> dict[str, str]:
        """The entry of `x-kubernetes-validations`."""
        return {"rule": self.cel, "message": self.allowed, "fieldPath": f".{self.field}"}

    def error(self, model: BaseModel) -> PydanticCustomError:
        """The error of a model that breaks the rule."""
        value: Any = model.model_dump(mode="json", by_alias=True, exclude_none=True)
        path = self.culprit(model) if self.culprit else tuple(self.field.split("."))
        for part in path:
            value = value[part]
        context = {"field": self.field, "path": path, "value": value, "allowed": self.allowed}
        return PydanticCustomError(RULE_BROKEN, "{field}: {allowed}", context)


def _add_rules(schema: dict[str, Any], model: type[Any]) -> None:
    validations = [rule.validation() for rule in model.RULES if rule.cel]
    if validations:
        schema["x-kubernetes-validations"] = validations


class ApiModel(BaseModel):
    """A part of a resource; strict, because the API server is: "1" is no number."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        allow_inf_nan=False,
        extra="forbid",
        frozen=True,
        json_schema_extra=_add_rules,
        strict=True,
        use_attribute_docstrings=True,
        validate_by_alias=True,
        validate_by_name=True,
    )
    RULES: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        for rule in self.RULES:
            if not rule.holds(self):
                raise rule.error(self)
        return self

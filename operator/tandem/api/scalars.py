"""Strings with a meaning: names, durations, quantities; each error says what is allowed in words.

Every string has a length limit: without one the API server takes the worst case for the cost of a
CEL rule, and refuses the definition.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from tandem.api import cron, duration, quantity

LONGEST_S = 24 * 3600.0
NOT_ALLOWED = "not_allowed"  # type of the pydantic error; `parse` reads its context


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Marks a string: its pattern, its length, and what its error says is allowed.

    `cel` and `holds` tell one further claim in both languages, as `base.Rule` does for models.
    """

    allowed: str
    max_length: int
    pattern: str
    cel: str = ""
    holds: Callable[[str], bool] | None = None

    def check(self, text: str) -> str:
        """The text itself, if it is allowed."""
        written_right = len(text) <= self.max_length and re.fullmatch(self.pattern, text)
        if not written_right or (self.holds and not self.holds(text)):
            raise PydanticCustomError(NOT_ALLOWED, "{allowed}", {"allowed": self.allowed})
        return text

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        schema = handler(core) | {"maxLength": self.max_length, "pattern": self.pattern}
        if self.cel:
            schema["x-kubernetes-validations"] = [{"rule": self.cel, "message": self.allowed}]
        return schema


@dataclass(frozen=True, slots=True)
class OneOf:
    """Marks a string that is one of some names; an enumeration that other layers implement."""

    names: tuple[str, ...]

    def check(self, text: str) -> str:
        """The text itself, if it is one of the names."""
        if text not in self.names:
            allowed = f"one of {', '.join(self.names)}"
            raise PydanticCustomError(NOT_ALLOWED, "{allowed}", {"allowed": allowed})
        return text

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(core) | {"enum": list(self.names)}


def _is_reasonable(text: str) -> bool:
    return 0 < duration.seconds(text) <= LONGEST_S


ResourceName = Annotated[
    str,
    Text(
        allowed="lower-case letters, digits, '-' and '.', such as chat-h200",
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
    ),
]
FleetName = Annotated[
    str,
    Text(
        allowed="up to 40 lower-case letters, digits and '-', a letter first, such as chat",
        max_length=40,
        pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$",
    ),
]
Label = Annotated[
    str,
    Text(
        allowed="up to 63 lower-case letters, digits, '-' and '.', such as nvidia-h200",
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
    ),
]
ModelName = Annotated[
    str,
    Text(
        allowed="a name or path without spaces, such as meta-llama/Llama-3.1-8B-Instruct",
        max_length=256,
        pattern=r"^\S+$",
    ),
]
Duration = Annotated[
    str,
    Text(
        allowed="a duration above 0s and at most 24h, such as 500ms, 2s, 1m30s or 1h",
        max_length=32,
        pattern=duration.PATTERN,
        cel="duration(self) > duration('0s') && duration(self) <= duration('24h')",
        holds=_is_reasonable,
    ),
]
Quantity = Annotated[
    str,
    Text(
        allowed='a quantity in quotes, such as "4.10", "250m" or "1k"',
        max_length=64,
        pattern=quantity.PATTERN,
    ),
]
FilePath = Annotated[
    str,
    Text(
        allowed="an absolute path without spaces, such as /models/llama",
        max_length=512,
        pattern=r"^/\S*$",
    ),
]
Url = Annotated[
    str,
    Text(
        allowed="an http or https address, such as http://prometheus.monitoring.svc:9090",
        max_length=512,
        pattern=r"^https?://[^\s/]+(/\S*)?$",
    ),
]
Image = Annotated[
    str,
    Text(
        allowed="an image reference, such as vllm/vllm-openai:v0.32.0",
        max_length=512,
        pattern=r"^[a-zA-Z0-9][-a-zA-Z0-9._/:@]*$",
    ),
]
EnvName = Annotated[
    str,
    Text(
        allowed="letters, digits and '_', no digit first, such as UCX_TLS",
        max_length=128,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
    ),
]
CronLine = Annotated[
    str,
    Text(
        allowed="minute, hour, day of the month, month and day of the week, as cron reads them, that"
        " some moment meets, such as 0 9 * * 1-5",
        max_length=128,
        pattern=cron.PATTERN,
        holds=cron.is_line,
    ),
]
TimeZone = Annotated[
    str,
    Text(
        allowed="a name of the IANA time zone database, such as UTC or Europe/Berlin",
        max_length=64,
        pattern=r"^[A-Za-z][-+_A-Za-z0-9]*(/[-+_A-Za-z0-9]+)*$",
        holds=cron.is_zone,
    ),
]
Argument = Annotated[str, Field(max_length=4096)]

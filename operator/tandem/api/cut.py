"""Texts of a status: cut to a size, never refused, so that a long reason loses no decision."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Cut:
    """Marks a text: one line of at most so many bytes as JSON, quotes and escapes among them."""

    most_bytes: int

    def cut(self, text: object) -> object:
        """The text in one line and at its size; what is no text is left to the next check."""
        if not isinstance(text, str):
            return text
        line = " ".join(text.encode("utf-8", "replace").decode().split())
        return line if _json_bytes(line) <= self.most_bytes else self._head(line)

    def _head(self, line: str) -> str:
        room = self.most_bytes - _json_bytes(ELLIPSIS)
        for end, character in enumerate(line):
            room -= _json_bytes(character) - 2
            if room < 0:
                return line[:end] + ELLIPSIS
        raise AssertionError(line)

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.cut, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(core) | {"maxLength": self.most_bytes}


def _json_bytes(text: str) -> int:
    return len(json.dumps(text))


Name = Annotated[str, Cut(64)]
Phrase = Annotated[str, Cut(128)]
Line = Annotated[str, Cut(256)]
Message = Annotated[str, Cut(512)]
Paragraph = Annotated[str, Cut(1024)]

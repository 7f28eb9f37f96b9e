"""Evaluates the part of CEL that our rules are written in: &&, ||, !, has(), duration(), paths."""

import re
from typing import Any

from tandem.api import duration

_OPERATORS = {"&&": " and ", "||": " or "}
_WORD = re.compile(r"!has\(self([^)]*)\)|has\(self([^)]*)\)|self((?:\.[A-Za-z]+|\[0\])*)")


def holds(rule: str, document: Any) -> bool:
    """Whether a rule holds for a document in which every default stands."""
    text = rule
    for operator, word in _OPERATORS.items():
        text = text.replace(operator, word)
    names = {"at": lambda path: _at(document, path), "duration": duration.seconds}
    names["has"] = lambda path: _has(document, path)
    return bool(eval(_WORD.sub(_call, text), {"__builtins__": {}}, names))  # noqa: S307 - our rules


def _call(found: re.Match[str]) -> str:
    absent, present, path = found.groups()
    if absent is not None:
        return f"(not has('{absent}'))"
    return f"has('{present}')" if present is not None else f"at('{path}')"


def _at(document: Any, path: str) -> Any:
    for part in re.findall(r"[A-Za-z]+|\[0\]", path):
        document = document[0] if part == "[0]" else document[part]
    return document


def _has(document: Any, path: str) -> bool:
    above, _, last = path.rpartition(".")
    return last in _at(document, above)

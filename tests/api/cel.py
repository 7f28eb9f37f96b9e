"""Evaluates the part of CEL that our rules are written in: &&, ||, !, has(), all(), duration(), paths."""

import re
from collections.abc import Callable
from typing import Any

from tandem.api import duration

_OPERATORS = {"&&": " and ", "||": " or "}
_PATH = r"\b(?:self|each)\b(?:\.[A-Za-z]+|\[0\])*"
_WORD = re.compile(
    rf"!has\((?P<absent>{_PATH})\)|has\((?P<present>{_PATH})\)|(?P<plain>{_PATH})(?!: )"
)
_ALL = re.compile(r"self([.A-Za-z]+)\.all\(each, ")


def holds(rule: str, document: Any) -> bool:
    """Whether a rule holds for a document in which every default stands."""
    text = rule
    for operator, word in _OPERATORS.items():
        text = text.replace(operator, word)
    text = _WORD.sub(_call, _ALL.sub(r"every(self\1, lambda each: ", text))
    names = {"self": document, "at": _at, "has": _has, "every": _every}
    names |= {"__builtins__": {}, "duration": duration.seconds}
    return bool(eval(text, names))  # noqa: S307 - our rules


def _call(found: re.Match[str]) -> str:
    absent, present, plain = found["absent"], found["present"], found["plain"]
    if absent is not None:
        return f"(not has({_parted(absent)}))"
    return f"has({_parted(present)})" if present is not None else f"at({_parted(plain)})"


def _parted(path: str) -> str:
    """What a path starts from, and the rest of it: `self.a.b` is (self, '.a.b')."""
    root = re.match("[a-z]+", path)
    assert root
    return f"{root[0]}, '{path[root.end() :]}'"


def _at(document: Any, path: str) -> Any:
    for part in re.findall(r"[A-Za-z]+|\[0\]", path):
        document = document[0] if part == "[0]" else document[part]
    return document


def _every(items: list[Any], claim: Callable[[Any], bool]) -> bool:
    return all(claim(item) for item in items)


def _has(document: Any, path: str) -> bool:
    above, _, last = path.rpartition(".")
    return last in _at(document, above)

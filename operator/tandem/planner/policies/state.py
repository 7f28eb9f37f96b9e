"""A policy's state between ticks: dataclasses of numbers, each under a name among the memory's facts."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

State = TypeVar("State")


def recalled(kind: type[State], name: str, facts: Mapping[str, float], fresh: State) -> State:
    """The state that was kept under a name, else a fresh one."""
    try:
        return kind(**{field: facts[key] for field, key in _names(kind, name)})
    except KeyError:
        return fresh


def facts(**states: Any) -> dict[str, float]:
    """States as facts, each under its name."""
    return {
        key: getattr(state, field)
        for name, state in states.items()
        for field, key in _names(type(state), name)
    }


def _named(kind: Any, name: str) -> tuple[tuple[str, str], ...]:
    """Each field of a kind of state, in their order, and its name among the facts."""
    return tuple((field.name, f"{name}.{field.name}") for field in fields(kind))


_names: Callable[[Any, str], tuple[tuple[str, str], ...]] = cache(_named)

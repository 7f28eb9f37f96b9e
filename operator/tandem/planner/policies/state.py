"""A policy's state between ticks: dataclasses of numbers, each under a name among the memory's facts."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

State = TypeVar("State")


def recalled(kind: type[State], name: str, facts: Mapping[str, float], fresh: State) -> State:
    """The state that was kept under a name, else a fresh one."""
    keys = {field.name: f"{name}.{field.name}" for field in fields(kind)}  # type: ignore[arg-type]
    if not facts.keys() >= set(keys.values()):
        return fresh
    return kind(**{field: facts[key] for field, key in keys.items()})


def facts(**states: Any) -> dict[str, float]:
    """States as facts, each under its name."""
    return {
        f"{name}.{field.name}": getattr(state, field.name)
        for name, state in states.items()
        for field in fields(state)
    }

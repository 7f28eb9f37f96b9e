"""One pod template over another: objects merge, named items of lists merge by name, all else is replaced.

Kubernetes' own strategic merge knows the key of every list; here are the few that Tandem fills.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from tandem.errors import InvalidInputError

# What tells the items of a list apart.
_KEYS = {
    "containers": "name",
    "env": "name",
    "ports": "name",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
_DEEP = "containers"  # its items merge; those of the other lists are one thing each
# Objects that are one thing: half of one and half of another would be neither.
_WHOLE = ("preStop", "readinessProbe", "resources", "startupProbe")


def merged(under: Mapping[str, Any], over: Mapping[str, Any], field: str) -> dict[str, Any]:
    """`over` on top of `under`, both left as they are; `field` names them in an error."""
    found = deepcopy(dict(under))
    for name, value in over.items():
        if value is not None:
            found[name] = _value(name, found.get(name), deepcopy(value), f"{field}.{name}")
    return found


def _value(name: str, under: Any, over: Any, field: str) -> Any:
    if under is None or name in _WHOLE:
        return over
    if name in _KEYS:
        return _items(name, under, over, field)
    if isinstance(under, Mapping) or isinstance(over, Mapping):
        return merged(_object(under, field), _object(over, field), field)
    return over


def _items(name: str, under: Any, over: Any, field: str) -> list[Any]:
    """Items of `over`, in their order, then those that only `under` has."""
    below, above = (_by_key(_KEYS[name], items, field) for items in (under, over))
    if name == _DEEP:
        above = {
            key: merged(below.get(key, {}), item, f"{field}[{key}]") for key, item in above.items()
        }
    return [*above.values(), *(item for key, item in below.items() if key not in above)]


def _by_key(key: str, items: Any, field: str) -> dict[str, Any]:
    if not isinstance(items, list):
        raise InvalidInputError(field, items, "a list")
    return dict(_keyed(key, items, field))


def _keyed(key: str, items: Iterable[Any], field: str) -> Iterable[tuple[str, Any]]:
    seen = set()
    for item in items:
        name = _object(item, field).get(key)
        if not isinstance(name, str) or name in seen:
            raise InvalidInputError(f"{field}[].{key}", name, "a text, once in its list")
        seen.add(name)
        yield name, item


def _object(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInputError(field, value, "an object")
    return value

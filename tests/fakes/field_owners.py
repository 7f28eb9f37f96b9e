"""Who owns which field of an object, as much of server-side apply as the tests need: lists are atomic."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]
Owner = tuple[str, str, str]  # manager, operation, subresource
_NOBODYS = {
    ("apiVersion",),
    ("kind",),
    *(("metadata", name) for name in ("name", "namespace", "uid", "resourceVersion", "generation")),
    ("metadata", "creationTimestamp"),
}


class FieldOwners:
    """Owners of the fields of one object."""

    def __init__(self) -> None:
        self.fields: dict[Owner, set[Path]] = {}

    def apply(self, owner: Owner, before: Mapping[str, Any], body: Mapping[str, Any]) -> Any:
        """The object after an apply by force: dropped fields that nobody else owns are removed."""
        after, new = copy.deepcopy(dict(before)), leaves(body)
        dropped = self.fields.get(owner, set()) - set(new)
        self.fields[owner] = set(new)
        for path in dropped:
            if not any(path in fields for fields in self.fields.values()):
                _remove(after, path)
        for path, value in new.items():
            self._take(owner, path, changed=_value(before, path) != value)
            if value != {} or _value(after, path) is None:
                _set(after, path, value)
        return after

    def update(self, owner: Owner, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Who changes a field takes it from all others."""
        old, new = leaves(before), leaves(after)
        for path in old.keys() | new.keys():
            if path not in new:
                for fields in self.fields.values():
                    fields.discard(path)
            elif old.get(path) != new[path]:
                self._take(owner, path, changed=True)
                self.fields.setdefault(owner, set()).add(path)

    def managed_fields(self) -> list[dict[str, Any]]:
        """As the API server tells it."""
        return [
            {
                "manager": manager,
                "operation": operation,
                **({"subresource": subresource} if subresource else {}),
                "fieldsType": "FieldsV1",
                "fieldsV1": _tree(fields),
            }
            for (manager, operation, subresource), fields in self.fields.items()
            if fields
        ]

    def _take(self, owner: Owner, path: Path, *, changed: bool) -> None:
        for other, fields in self.fields.items():
            if changed and other != owner:
                fields.discard(path)


def leaves(body: Mapping[str, Any]) -> dict[Path, Any]:
    """Values that are no objects, by their path."""
    return {path: value for path, value in _walk(body, ()) if path not in _NOBODYS}


def merged(before: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """JSON merge patch."""
    after = dict(before)
    for name, value in patch.items():
        if value is None:
            after.pop(name, None)
        elif isinstance(value, Mapping):
            inner = after.get(name)
            after[name] = merged(inner if isinstance(inner, Mapping) else {}, value)
        else:
            after[name] = copy.deepcopy(value)
    return after


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _walk(inner, (*path, name))
    elif path:
        yield path, value


def _value(body: Mapping[str, Any], path: Path) -> Any:
    value: Any = body
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _set(body: dict[str, Any], path: Path, value: Any) -> None:
    *folders, name = path
    for folder in folders:
        body = body.setdefault(folder, {})
    body[name] = copy.deepcopy(value)


def _remove(body: dict[str, Any], path: Path) -> None:
    *folders, name = path
    for folder in folders:
        body = body.get(folder, {})
    body.pop(name, None)


def _tree(fields: set[Path]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in sorted(fields):
        _set(tree, tuple(f"f:{name}" for name in path), {})
    return tree

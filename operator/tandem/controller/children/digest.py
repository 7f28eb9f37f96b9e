"""A short name for a value: the same for the same value, on every machine and at every time."""

import hashlib
import json

_DIGITS = 8


def digest(value: object) -> str:
    """8 hex digits of what JSON can hold; the order of an object's keys does not matter."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]

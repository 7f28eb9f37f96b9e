"""Remembers the last answers of a function by which objects it was asked about, not by what these hold.

What a fleet remembers of lengths is some thousand numbers: to hash or to compare them takes longer than most
of what is asked of them.
"""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

Objects = TypeVarTuple("Objects")
Answer = TypeVar("Answer")
KEPT = 8  # answers


def by_identity(function: Callable[[*Objects], Answer]) -> Callable[[*Objects], Answer]:
    """The function, asked once about the same immutable objects.

    Those are kept with the answer, so that no other object gets their place.
    """
    answers: dict[tuple[int, ...], tuple[tuple[*Objects], Answer]] = {}

    def asked(*objects: *Objects) -> Answer:
        key = tuple(map(id, objects))
        known = answers.get(key)
        if known is None:
            known = answers[key] = objects, function(*objects)
            if len(answers) > KEPT:
                answers.pop(next(iter(answers)), None)
        return known[1]

    return asked

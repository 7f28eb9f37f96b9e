"""Length buckets: 8 a doubling, so a representative is within 4.5 % of what it stands for."""

from functools import lru_cache
from math import floor, log2

PER_DOUBLING = 8


@lru_cache(maxsize=2**16)
def representative(tokens: int) -> int:
    """The token count that stands for the bucket of `tokens`; exact up to 11."""
    if tokens < PER_DOUBLING + 4:
        return tokens
    return round(2 ** ((floor(log2(tokens) * PER_DOUBLING) + 0.5) / PER_DOUBLING))

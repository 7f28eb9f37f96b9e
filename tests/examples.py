"""How often a property is tried."""

from hypothesis import settings

SHORT = 200  # examples of the short run


def fewer(count: int) -> settings:
    """So many in the short run where one takes long; in a longer run as many more as every property has."""
    return settings(max_examples=max(1, count * settings().max_examples // SHORT))

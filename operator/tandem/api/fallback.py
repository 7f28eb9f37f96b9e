"""What becomes of replicas while there is nothing to scale them by."""

from enum import StrEnum


class OnStale(StrEnum):
    """While arrivals are unknown."""

    HOLD = "Hold"
    MAX = "Max"


class OnUntrusted(StrEnum):
    """While the model of the engines is not believed."""

    BANDS = "Bands"
    HOLD = "Hold"
    MAX = "Max"

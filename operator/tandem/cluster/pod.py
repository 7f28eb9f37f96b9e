"""A pod of a fleet, as every cluster tells of it."""

from dataclasses import dataclass
from enum import StrEnum

from tandem.api.role import Role


class PodPhase(StrEnum):
    """Where a pod stands; one that is gone is not listed."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One engine pod. Times are seconds since the epoch."""

    name: str
    role: Role
    phase: PodPhase
    url: str
    revision: str = ""
    asked_s: float = 0.0
    ready_s: float | None = None
    restarts: int = 0
    message: str = ""  # the last thing a person should know, such as why it died

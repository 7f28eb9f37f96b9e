"""How long pods take to start: each stage drawn from a distribution, the same draw in every run."""

from collections.abc import Mapping
from math import log, sqrt
from random import Random

from tandem.api.role import Role
from tandem.planner.spec import RoleSpec


def lognormal(random: Random, mean: float, spread: float) -> float:
    """A draw with a mean and a coefficient of variation."""
    variance = log(1.0 + spread * spread)
    return mean * random.lognormvariate(-variance / 2, sqrt(variance)) if spread else mean


class StartTimes:
    """Seconds from the asking to Ready, by role and by the number of the pod in its role.

    The stages are those of the role's profile (scheduling, image, weights, compilation, warming), brought
    to the role's lead time in sum; each is lognormal.
    """

    def __init__(self, roles: Mapping[Role, RoleSpec], spread: float, seed: int) -> None:
        self._roles = roles
        self._spread = spread
        self._seed = seed

    def draw_s(self, role: Role, number: int) -> float:
        """Of one pod; equal for equal seeds, whatever else happens in a run."""
        spec = self._roles[role]
        if not self._spread:
            return spec.lead_time_s
        random = Random(f"{self._seed} {role} {number}")  # noqa: S311 - a simulation's, no secret
        stages = [seconds for _, seconds in spec.profile.cold_start_s] or [1.0]
        scale = spec.lead_time_s / (sum(stages) or 1.0)
        return sum(lognormal(random, seconds * scale, self._spread) for seconds in stages)

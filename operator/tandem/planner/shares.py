"""Shares: how much of a fleet's arrivals so many replicas serve alone within the SLO.

Sought on a ladder by halves, so that pairs meet on the same rungs and stages of a rate are worked out once
for all of them; between two rungs what is attained is taken as a straight line. Misses grow ever faster
with load, so such a line tells rather too little.
"""

from bisect import bisect_left

from tandem.api.role import Role
from tandem.planner.demand import Floats
from tandem.planner.queueing.stages import UNLIMITED
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.staircase import Goal

STEP = 1.01  # from rung to rung
RUNGS = 896  # the last is 1e-4 of the arrivals: replicas that serve less serve nobody
MORE = 128  # rungs above all of the arrivals, to 3.6 times


class Shares:
    """Shares of pairs for one goal; what was found bounds what is asked next."""

    def __init__(self, goal: Goal) -> None:
        self._goal = goal
        self._each_rps = {role: goal.tandem.most_rps(role)[0] for role in Role}
        self._at = {0: goal.tandem}
        self._rungs: dict[tuple[int, int], int] = {}
        self._found: dict[tuple[int, int], float] = {}

    def of(self, prefills: int, decodes: int) -> float:
        """Of all arrivals, may be more than these; 0 where a role lacks or nobody is served in time."""
        key = prefills, decodes
        if min(key) < 1:
            return 0.0
        if key not in self._found:
            self._rungs[key] = self._rung(prefills, decodes)
            self._found[key] = self._between(prefills, decodes)
        return self._found[key]

    def busy(self, prefills: int, decodes: int) -> float:
        """What replicas that are never idle serve, decode within its TPOT target; above any share within the SLO."""
        tandem = self._goal.tandem
        asked = (
            (tandem.prompts_rps, prefills, Role.PREFILL),
            (tandem.rate_rps, decodes, Role.DECODE),
        )
        return min(
            count * self._each_rps[role] / rate_rps if rate_rps > 0 else count * STEP**MORE
            for rate_rps, count, role in asked
        )

    def _rung(self, prefills: int, decodes: int) -> int:
        """The first rung, that of the largest share, which the pair serves."""
        busy = self.busy(prefills, decodes)
        fewer = (prefills - 1, decodes), (prefills, decodes - 1)
        enough = min(self._rungs.get(each, RUNGS) for each in fewer)

        def is_served(rung: int) -> bool:
            if rung >= enough or STEP**-rung > busy:
                return rung >= enough
            return self._spare(rung, prefills, decodes) >= 0

        return bisect_left(range(-MORE, RUNGS), True, key=is_served) - MORE

    def _between(self, prefills: int, decodes: int) -> float:
        """The share where what is attained falls to the goal, between the rung found and the one above."""
        rung = self._rungs[prefills, decodes]
        if rung >= RUNGS or rung == -MORE:
            return 0.0 if rung >= RUNGS else STEP**MORE
        low, high = STEP**-rung, STEP ** (1 - rung)
        spare, lacking = (self._spare(each, prefills, decodes) for each in (rung, rung - 1))
        part = spare / (spare - lacking) if lacking < 0 < spare else 0.0
        return low + part * (high - low)

    def _spare(self, rung: int, prefills: int, decodes: int) -> float:
        """What is attained beyond the goal at a share, of the target that lacks most; decode alone too."""
        if rung not in self._at:
            self._at[rung] = self._goal.tandem.shared(STEP**-rung)
        tandem, goal = self._at[rung], self._goal
        spare = _beyond(tandem, goal.shares, prefills, decodes)
        if (goal.alone > goal.shares).any():
            return min(spare, _beyond(tandem, goal.alone, UNLIMITED, decodes))
        return spare


def _beyond(tandem: Tandem, shares: Floats, prefills: int, decodes: int) -> float:
    if len(shares) == 1:
        return tandem.attainment(prefills, decodes) - float(shares[0])
    return float((tandem.attainments(prefills, decodes) - shares).min())

"""Ratio: two sums that fade together, what work took over what a profile told for it.

They begin with a few requests that took what the profile says, so one odd interval moves little.

Source: this project; a ratio estimator with exponential forgetting.
"""

from dataclasses import astuple

from tandem.planner.model import Sums
from tandem.planner.terms import BELIEVED, PRIOR_REQUESTS


def factor(sums: Sums) -> float:
    """How many times as long work takes as the profile says; 1 while nothing is known."""
    if not sums.requests:
        return 1.0
    prior_s = PRIOR_REQUESTS * sums.told_s / sums.requests
    return (sums.took_s + prior_s) / (sums.told_s + prior_s)


def after(sums: Sums, seen: Sums | None, keep: float) -> Sums:
    """With one more interval, before which the share `keep` is left; what no profile could be off moves nothing."""
    if seen is None or seen.told_s <= 0:
        return sums
    if not 1 / BELIEVED <= seen.took_s / seen.told_s <= BELIEVED:
        return sums
    pairs = zip(astuple(sums), astuple(seen), strict=True)
    return Sums(*(old * keep + new for old, new in pairs))


def lightened(sums: Sums) -> Sums:
    """As a guess: of engines that were replaced."""
    by = PRIOR_REQUESTS / max(sums.requests, PRIOR_REQUESTS)
    return Sums(*(by * value for value in astuple(sums)))

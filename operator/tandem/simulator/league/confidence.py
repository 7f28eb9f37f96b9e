"""How sure a figure is: 95 % confidence intervals.

By replication, where there are several seeds: each is a case of its own, and the interval is Student's
around their mean. By batch means, where there is one: the trace is cut into ten spans of equal length,
the figure is computed anew with each of them left out in turn, and the spread of those ten gives the
interval (the delete-one jackknife over batches: it serves a figure that is no mean, as GPU-hours at an
attainment are not). Batches are taken as independent, which spans many times longer than a request's life
and a cold start are, and demand that trends over the trace is not: there it is too narrow or too wide.
A run's GPU-hours are laid to its batches by the pods that were not gone in each of their minutes.
"""

from collections.abc import Callable, Sequence
from math import sqrt

from scipy.special import stdtrit

BATCHES = 10
LEAST_BATCHES = 5
_UPPER = 0.975

Interval = tuple[float, float]


def by_replication(values: Sequence[float | None]) -> Interval | None:
    """Around the mean of independent values; None where one is unknown, or there is only one."""
    known = [value for value in values if value is not None]
    count = len(known)
    if count < 2 or count < len(values):  # noqa: PLR2004 - a spread needs two
        return None
    mean = sum(known) / count
    variance = sum((value - mean) ** 2 for value in known) / (count - 1)
    return _around(mean, sqrt(variance / count), count - 1)


def by_batches(
    figure: Callable[[Callable[[int], bool]], float | None], minutes: int
) -> Interval | None:
    """Around a figure of one run of `minutes`; `figure` is told which minutes count.

    None where the run is too short, or where the figure is unknown with some batch left out.
    """
    batches = min(BATCHES, minutes)
    whole = figure(lambda _: True)
    if batches < LEAST_BATCHES or whole is None:
        return None
    left_out = [figure(_all_but(batch, batches, minutes)) for batch in range(batches)]
    known = [value for value in left_out if value is not None]
    if len(known) < batches:
        return None
    mean = sum(known) / batches
    error = sqrt((batches - 1) / batches * sum((value - mean) ** 2 for value in known))
    return _around(whole, error, batches - 1)


def _all_but(batch: int, batches: int, minutes: int) -> Callable[[int], bool]:
    return lambda minute: minute * batches // minutes != batch


def _around(middle: float, error: float, freedom: int) -> Interval:
    reach = float(stdtrit(freedom, _UPPER)) * error
    return middle - reach, middle + reach

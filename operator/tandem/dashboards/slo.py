"""Attainment, burn rate and error budget: the queries of the chosen fleet, and the windows of alerts.

A request is good when it met both targets. The burn rate is the share that did not, over the share
that may not: at 1 the error budget lasts exactly as long as its period.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tandem.cluster import series
from tandem.dashboards import promql

MET = (promql.is_("ttft", "met"), promql.is_("tpot", "met"))
PERIOD = "30d"  # of the error budget
WINDOWS = ("5m", "1h", "6h", "3d")  # of what a dashboard shows


@dataclass(frozen=True, slots=True)
class Burn:
    """An alert's two windows: the long one says that it matters, the short one that it still goes on.

    Numbers from the Site Reliability Workbook of Google, chapter 5, for a budget of 30 days.
    """

    rate: float
    long: str
    short: str


FAST = Burn(14.4, "1h", "5m")  # 2 % of the budget in an hour
STEADY = Burn(6.0, "6h", "30m")  # 5 % in six hours
SLOW = Burn(1.0, "3d", "6h")  # 10 % in three days


def target() -> str:
    """The share that shall meet both targets."""
    return promql.most(promql.told(series.ATTAINMENT_TARGET))


def attainment(window: str = promql.WINDOW, grown: Callable[..., str] = promql.growth) -> str:
    """The share of the window's requests that met both targets; nothing where none ended."""
    met, judged = (
        promql.total(grown(promql.scraped(series.SLO, *matchers), window)) for matchers in (MET, ())
    )
    return promql.share(met, judged)


def burn_rate(window: str) -> str:
    """How many times too fast the error budget is used up."""
    return f"(1 - {attainment(window)}) / (1 - {target()})"


def budget_left() -> str:
    """The share of the period's error budget that is left; below 0 when it is overdrawn."""
    return f"1 - {burn_rate(PERIOD)}"

"""Feedback: by how much what is asked for may be eased, or must be tightened, given what users get.

Models and forecasts are wrong in ways that they can't see. So the miss share of requests that ended is set
against the error budget, and the integral of their distance, in doublings, becomes the `ease`: sizing may
miss 2^ease times the budget, and so many times more arrivals may come beyond what is ready. Where users still
miss less, a part of the prompts that are forecast is left out: a model of a queue that serves first come, first
served, and counts in whole pods, tells of more than is needed.

It tightens quickly, for misses hurt, but only while requests still miss, and eases slowly, for the calm
may be chance. So may misses be: where a minute has one standard error more than its share of requests that
no fleet serves in time, nothing is tightened for these. While pods start, and as long after as a request
lasts, what is missed tells of the fleet before: it moves nothing (anti-windup). Neither do missing figures,
nor minutes in which nothing ends.

Source: this project; an integral controller in log2 with asymmetric gains.
"""

from dataclasses import dataclass, replace
from math import exp, log2, sqrt

from tandem.planner.observation import Missing, Observation
from tandem.planner.readings import MOST_INTERVAL_S, MOST_REQUESTS, usable
from tandem.planner.spec import FleetSpec

AIM = 0.65  # of the error budget: the rest stays for what nobody saw coming
LEAST_AIM = 0.35  # of it, where requests that no fleet serves in time have used up the rest
NOW_S = 60.0  # likewise: only what is missed still tightens
FORGET_S = 600.0  # of misses and of requests that ended
PRIOR_REQUESTS = 100.0  # that missed as often as is aimed at
EASE_S, TIGHTEN_S = 200.0, 60.0  # for a doubling, at a distance of one doubling
GIVE_BACK_S = (
    15.0  # likewise of a doubling that makes prompts less: no model says how many may be left out
)
MOST_EASE, LEAST_EASE = 7.0, -4.0
MOST_BUDGET = 4.0  # doublings of the error budget; those beyond make prompts less
SHRINK = 0.06  # doublings of the prompts for each of those
MOST_DISTANCE = 2.0  # doublings that count at once
CHANCE = 1.0  # standard errors of requests that no fleet serves in time, within the last minute
GROWTH = 0.15  # doublings of the rate for each that the budget is tightened by
MOST_SHARE = 0.3  # of requests that sizing gives up at most


@dataclass(frozen=True, slots=True)
class Ease:
    """Requests that missed a target, of how many that ended, both fading; doublings of the error budget.

    `missed_now` and `judged_now` fade within a minute. For `settling_s` to come what ends came before the
    last pods that started were there.
    """

    missed: float = 0.0
    judged: float = 0.0
    missed_now: float = 0.0
    judged_now: float = 0.0
    doublings: float = 0.0
    settling_s: float = 0.0

    @property
    def budget(self) -> float:
        """How many times as many requests may miss, and come beyond what is ready."""
        return float(2.0 ** min(self.doublings, MOST_BUDGET))

    def limited(self, most: float) -> "Ease":
        """Of so many doublings at most."""
        return replace(self, doublings=min(self.doublings, most))

    @property
    def prompts(self) -> float:
        """What to multiply the prompts by where a larger budget alone leaves more than is needed."""
        return float(2.0 ** (-SHRINK * max(self.doublings - MOST_BUDGET, 0.0)))

    @property
    def growth(self) -> float:
        """What to multiply a rate by where a tighter budget alone would not do."""
        return growth(-self.doublings)


def growth(halvings: float) -> float:
    """What to multiply a rate by for a budget that is tightened so often."""
    return float(2.0 ** (GROWTH * max(halvings, 0.0)))


def cautious(spec: FleetSpec, halvings: float) -> FleetSpec:
    """The fleet as if so much less of its error budget had been given; more where negative."""
    budget = 1 - spec.slo.attainment
    share = min(budget * 2.0**-halvings, max(MOST_SHARE, budget))
    return replace(spec, slo=replace(spec.slo, attainment=1 - share)) if halvings else spec


def eased(spec: FleetSpec, ease: Ease, unreachable: float) -> FleetSpec:
    """The fleet with the attainment that sizing has to aim at now."""
    return replace(spec, slo=replace(spec.slo, attainment=aim(spec, ease, unreachable)))


def aim(spec: FleetSpec, ease: Ease, unreachable: float) -> float:
    """The attainment to size for.

    Never so much that requests which no fleet serves in time leave less than a part of the budget: the
    last of it would be bought dearly.
    """
    error_budget = 1 - spec.slo.attainment
    share = max(error_budget * ease.budget, unreachable + LEAST_AIM * error_budget)
    return 1 - min(share, MOST_SHARE)


def observed(
    ease: Ease, observation: Observation, spec: FleetSpec, unreachable: float, lasts_s: float = 0.0
) -> Ease:
    """After one more interval.

    `unreachable` is the share of requests that no fleet serves in time, `lasts_s` how long one is there.
    """
    traffic, stale_s = observation.traffic, spec.behavior.stale_after_s
    interval_s = traffic.interval_s
    ended = usable(traffic.finished, MOST_REQUESTS, stale_s)
    met = usable(traffic.met_both, MOST_REQUESTS, stale_s)
    if isinstance(ended, Missing) or isinstance(met, Missing):
        return ease
    if not 0 < interval_s <= MOST_INTERVAL_S:
        return ease
    keep, keep_now = exp(-interval_s / FORGET_S), exp(-interval_s / NOW_S)
    missed = max(ended - met, 0.0)
    ease = replace(
        ease,
        missed=ease.missed * keep + missed,
        judged=ease.judged * keep + ended,
        missed_now=ease.missed_now * keep_now + missed,
        judged_now=ease.judged_now * keep_now + ended,
    )
    starting = any(each.starting for each in observation.pods.values())
    ease = replace(ease, settling_s=lasts_s if starting else max(ease.settling_s - interval_s, 0.0))
    moved = _distance(ease, spec, unreachable) * interval_s
    if starting or ease.settling_s:
        ease = replace(ease, missed_now=0.0, judged_now=0.0)
        moved = 0.0 if missed else max(moved, 0.0)
    if moved < 0 and not ended:
        return ease
    back_s = GIVE_BACK_S if ease.doublings > MOST_BUDGET else TIGHTEN_S
    doublings = ease.doublings + moved / (EASE_S if moved > 0 else back_s)
    return replace(ease, doublings=max(LEAST_EASE, min(MOST_EASE, doublings)))


def _distance(ease: Ease, spec: FleetSpec, unreachable: float) -> float:
    """Doublings from the misses to what is aimed at; negative where too many miss."""
    error_budget = 1 - spec.slo.attainment
    aimed = max(AIM * error_budget - unreachable, LEAST_AIM * error_budget)
    lately = _doublings(aimed, ease.missed, ease.judged, unreachable * ease.judged)
    given_up = unreachable * ease.judged_now
    most_now = given_up + CHANCE * sqrt(given_up)
    now = _doublings(aimed, ease.missed_now, ease.judged_now, most_now)
    if now < 0:
        return now
    return max(lately, 0.0)


def _doublings(aim: float, missed: float, judged: float, given_up: float) -> float:
    """From a share of misses, but for so many that no fleet serves in time, to the aim."""
    beyond = max(missed - given_up, 0.0)
    share = (beyond + PRIOR_REQUESTS * aim) / (judged + PRIOR_REQUESTS)
    return max(-MOST_DISTANCE, min(MOST_DISTANCE, log2(aim / max(share, 1e-9))))

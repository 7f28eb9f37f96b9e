"""Forecast: the rate to be ready for when a pod asked for now is there.

    max((√x + m)², R), held for as long as a lower wish has to stand

x is what a predictor tells (`predictors`): that the level stays, that it goes on as it went, or that it
comes as it came a period before. The distance m follows it; the reserve R stands whatever it tells. All
three are chosen together by playing them back over the last hour, forth and backwards in time
(`playback`): of those that would have left no more than the share `shortage` of all arrivals beyond what
was ready, the one that would have cost least. So a fleet whose traffic is nearly stationary stands still,
one that sees rare bursts keeps a reserve for them, one whose traffic drifts follows it, one whose traffic
swings is there ahead of it, and nobody says which of them it is. Persistence stands unless another
predictor beats it clearly. The hour is one of 100 s cold starts: where pods start sooner less is played
back, for a burst costs less and a reserve as much.

A choice stands for a step of the playback, since little that it hangs on moves faster.
Until enough has been seen the answer leans on a prior spread, and on a trend as far as noise can't be what
makes it: a fleet that starts knows nothing else of its traffic.

Source: this project (docs/concepts/queueing-model.md); the square roots from a throw-away league.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from tandem.planner import playback, predictors
from tandem.planner.history import History
from tandem.planner.memory import Rates
from tandem.planner.playback import Pace, Path, Rule
from tandem.planner.predictors import Terms

HORIZON = 36.0  # lead times that are played back, an hour at 100 s: what starts soon need not stand by long
MOST_STEP_S = 30.0  # between two moments that are played back; as coarse as what is remembered
STEPS_A_LEAD = 3.0
PRIOR_SAMPLES = 4.0  # independent lead times after which the prior has half the say
BELIEF = 1.5  # power of these: after an hour of 100 s what was seen has 96 % of the say
PRIOR_QUANTILE = 0.82  # of the assumed spread
FRESH = Rule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Rates in requests a second: over the window until now, and to be ready for; how often it was seen.

    `sure_rps` is what comes as far as a rise is certain, the level where there is none; `reserve_rps` what
    stands whatever the level is; `rule` what was chosen, for the next look.
    """

    level_rps: float
    sure_rps: float
    rate_rps: float
    reserve_rps: float
    samples: float
    rule: Rule

    def per(self, amount: float) -> "Forecast":
        """In requests a second, where rows count something of which a request has so much; but for the rule."""
        rates = ("level_rps", "sure_rps", "rate_rps", "reserve_rps")
        return replace(self, **{rate: getattr(self, rate) / amount for rate in rates})


def forecast(
    rates: Rates,
    *,
    window_s: float,
    lead_s: float,
    hold_s: float,
    shortage: float,
    prior: float,
    dispersion: float = 1.0,
    before: Rule = FRESH,
) -> Forecast | None:
    """What to be ready for `lead_s` from the last look on; None when nothing was watched.

    `prior` is the relative spread of the rate that is assumed as long as nothing is known, `dispersion` the
    variance over the mean of arrivals, `before` the rule of the last look.
    """
    if not rates:
        return None
    history = History.of(rates)
    terms = Terms(window_s=window_s, lead_s=lead_s, dispersion=dispersion)
    now_s = np.array([history.end_s])
    root = float(predictors.level(history, now_s, terms)[0])
    if not np.isfinite(root):
        return None
    rising = float(predictors.trend(history, now_s, terms)[0])
    sure_rps = max(root, rising) ** 2  # root, where a trend is NaN
    samples = max(0.0, min(history.span_s, HORIZON * lead_s) - lead_s) / lead_s
    spread = float(ndtri(PRIOR_QUANTILE)) * prior / 2
    assumed_rps = max((root * (1 + spread)) ** 2, sure_rps)
    rule, learnt_rps = before, 0.0
    if samples:
        rule = _rule(history, terms, hold_s, shortage, before)
        told = rule.predicted(history, now_s, replace(terms, period_s=rule.period_s))
        most_rps = max(rule.most_rps, root**2)
        learnt_rps = float(playback.ready(told, rule.move, rule.reserve_rps, most_rps)[0])
    trust = samples**BELIEF / (samples**BELIEF + PRIOR_SAMPLES**BELIEF)
    return Forecast(
        level_rps=root**2,
        sure_rps=sure_rps,
        rate_rps=trust * learnt_rps + (1 - trust) * max(assumed_rps, rule.reserve_rps),
        reserve_rps=rule.reserve_rps,
        samples=samples,
        rule=rule,
    )


def step_s(lead_s: float, steps: float = STEPS_A_LEAD) -> float:
    """Between two moments that are told apart where pods take so long to start."""
    return min(max(lead_s / steps, 1.0), MOST_STEP_S)


def _rule(history: History, terms: Terms, hold_s: float, shortage: float, before: Rule) -> Rule:
    """The rule of before, while it is younger than a step of the playback; else a new choice."""
    apart_s = step_s(terms.lead_s)
    if 0 <= history.end_s - before.chosen_s < apart_s:
        return before
    span_s = min(history.span_s, HORIZON * terms.lead_s)
    at_s = np.arange(history.end_s, history.end_s - span_s, -apart_s)
    pace = Pace(
        step_s=apart_s,
        lag=max(1, round(terms.lead_s / apart_s)),
        hold=max(1, round(hold_s / apart_s)),
    )
    least_s = predictors.LEAST_PERIOD * terms.lead_s
    season = replace(terms, period_s=predictors.period_s(history, MOST_STEP_S, least_s))
    return playback.choose(Path.over(history, at_s, apart_s), season, pace, shortage)

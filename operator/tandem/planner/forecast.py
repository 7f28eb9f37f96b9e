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

The choice stands for a step of what is remembered of the hour, since nothing that it hangs on moves
faster. Until enough has been seen the answer leans on a prior spread, and on a trend as far as noise
can't be what makes it: a fleet that starts knows nothing else of its traffic.

Source: this project (docs/concepts/queueing-model.md); the square roots from a throw-away league.
"""

from dataclasses import dataclass
from math import ceil, sqrt

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
PRIOR_QUANTILE = 0.82  # of the assumed spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The rule that the last playback chose, when, and what came most in a step of it.

    `chosen_s` is below all times before the first one.
    """

    chosen_s: float = -1e12
    most_rps: float = 0.0
    predictor: float = 0.0
    move: float = 0.0
    reserve_rps: float = 0.0
    period_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Rates in requests a second: over the window until now, and to be ready for; how often it was seen.

    `sure_rps` is what comes at least as far as a trend is certain, the level where there is none;
    `reserve_rps` what stands whatever the level is.
    """

    level_rps: float
    sure_rps: float
    rate_rps: float
    reserve_rps: float
    samples: float
    chosen: Chosen


def forecast(
    rates: Rates,
    *,
    window_s: float,
    lead_s: float,
    hold_s: float,
    shortage: float,
    prior: float,
    dispersion: float = 1.0,
    before: Chosen = Chosen(),
) -> Forecast | None:
    """What to be ready for `lead_s` from the last look on; None when nothing was watched.

    `prior` is the relative spread of the rate that is assumed as long as nothing is known.
    """
    if not rates:
        return None
    history = History.of(rates)
    now = np.array([history.end_s])
    terms = Terms(window_s=window_s, lead_s=lead_s, dispersion=dispersion, period_s=before.period_s)
    level = float(predictors.level(history, now, terms)[0])
    if not np.isfinite(level):
        return None
    rising = float(np.nan_to_num(predictors.trend(history, now, terms)[0]))
    surely = max(level, rising)
    samples = max(0.0, min(history.span_s, HORIZON * lead_s) - lead_s) / lead_s
    assumed_rps = max(level * (1 + float(ndtri(PRIOR_QUANTILE)) * prior / 2), surely) ** 2
    chosen = _chosen(history, terms, hold_s, shortage, before) if samples else before
    trust = samples / (samples + PRIOR_SAMPLES)
    learnt_rps = _learnt_rps(history, terms, chosen, level) if samples else 0.0
    reserve_rps = chosen.reserve_rps if samples else 0.0
    return Forecast(
        level_rps=level**2,
        sure_rps=surely**2,
        rate_rps=trust * learnt_rps + (1 - trust) * max(assumed_rps, reserve_rps),
        reserve_rps=reserve_rps,
        samples=samples,
        chosen=chosen,
    )


def _learnt_rps(history: History, terms: Terms, chosen: Chosen, level: float) -> float:
    """What the chosen rule readies now; the level is told where its predictor knows nothing."""
    predictor = predictors.PREDICTORS[int(chosen.predictor) % len(predictors.PREDICTORS)]
    told = float(predictor(history, np.array([history.end_s]), terms)[0])
    root = np.array(told if np.isfinite(told) else level)
    most_rps = max(chosen.most_rps, level**2)
    return float(playback.ready(root, chosen.move, np.array(chosen.reserve_rps), most_rps))


def _chosen(
    history: History, terms: Terms, hold_s: float, shortage: float, before: Chosen
) -> Chosen:
    """The choice of before, while it is younger than a step of the playback; else a new one."""
    step_s = min(max(terms.lead_s / STEPS_A_LEAD, 1.0), MOST_STEP_S)
    if 0 <= history.end_s - before.chosen_s < step_s:
        return before
    span_s = min(history.span_s, HORIZON * terms.lead_s)
    at_s = np.arange(history.end_s, history.end_s - span_s, -step_s)
    path = Path.over(history, at_s, step_s)
    pace = Pace(
        step_s=step_s,
        lag=max(1, round(terms.lead_s / step_s)),
        hold=max(1, round(hold_s / step_s)),
    )
    period_s = predictors.period_s(history, MOST_STEP_S, predictors.LEAST_PERIOD * terms.lead_s)
    terms = Terms(
        window_s=terms.window_s, lead_s=terms.lead_s, dispersion=terms.dispersion, period_s=period_s
    )
    rule = playback.choose(path, terms, pace, shortage)
    return Chosen(
        chosen_s=history.end_s,
        most_rps=float(path.seen.max()),
        predictor=float(rule.predictor),
        move=rule.move,
        reserve_rps=rule.reserve_rps,
        period_s=rule.period_s,
    )

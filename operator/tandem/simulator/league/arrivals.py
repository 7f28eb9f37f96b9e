"""From a load and a seed to the trace that arrives.

The first seed takes a file as it is; every other one begins at another moment of it and wraps around its
end, so that each request still comes exactly once. Superposed copies are shifted by the seed too, and a
built-in load is drawn anew, at the rate that is asked for.
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from tandem.errors import InvalidInputError
from tandem.simulator.league import fingerprint
from tandem.simulator.league.job import Load
from tandem.traces.arrange import shift
from tandem.traces.character import generated
from tandem.traces.model import Trace
from tandem.traces.named import CHARACTERS
from tandem.traces.read import read_trace
from tandem.traces.scale import at_rate, window

FIRST_SEED = 1
_KEPT_REQUESTS = 1_000_000  # of traces that a process remembers, 0.2 GB: jobs of several take turns
_kept: dict[tuple[Load, int], Trace] = {}  # the one that was asked for last at the end


def trace(load: Load, seed: int) -> Trace:
    """What arrives; remembered, with those asked for lately."""
    arriving = _kept.pop((load, seed), None) or _arriving(load, seed)
    _kept[load, seed] = arriving
    while len(_kept) > 1 and sum(len(each.requests) for each in _kept.values()) > _KEPT_REQUESTS:
        del _kept[next(iter(_kept))]
    return arriving


def _arriving(load: Load, seed: int) -> Trace:
    if not load.path:
        return _cut(_drawn(load, seed), load)
    cut = _cut(_read(load.path, load.digest), load)
    if seed != FIRST_SEED:
        cut = shift(cut, np.random.default_rng(seed).uniform(0.0, cut.duration_s))
    return cut if load.rate_rps is None else at_rate(cut, load.rate_rps, seed)


def _drawn(load: Load, seed: int) -> Trace:
    """A built-in load at its rate: copies over each other would fill the idle minutes that it is about."""
    law = CHARACTERS[load.built_in]
    if load.rate_rps is not None:
        law = replace(law, arrivals=replace(law.arrivals, rate_rps=load.rate_rps))
    return generated(law, load.built_in, seed)


@lru_cache(maxsize=1)
def _read(path: str, digest: str) -> Trace:
    if fingerprint.of_file(Path(path), "--trace") != digest:
        same = "the same file throughout a league, on every machine that plays it"
        raise InvalidInputError("--trace", path, same)
    return read_trace(Path(path))


def _cut(whole: Trace, load: Load) -> Trace:
    if load.duration_s is None and not load.start_s:
        return whole
    lasts_s = whole.duration_s - load.start_s if load.duration_s is None else load.duration_s
    return window(whole, load.start_s, lasts_s)

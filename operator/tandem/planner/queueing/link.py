"""KV link: M/G/1 with processor sharing, one link per decode replica.

E[T | x] = x / (1 − ρ): a transfer of x seconds alone is stretched by the share of the link that others
use, whatever the law of x (insensitivity; Kleinrock 1976). T is taken at this mean: its own spread
matters only on links so busy that TTFT is lost anyway.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import inf

from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import RECENT, Floats, LengthMix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinkWork:
    """Seconds to move each length point's KV over an idle link, shape (points,), and their mean."""

    alone_s: Floats
    mean_s: float


@lru_cache(maxsize=RECENT)
def work(profile: EngineProfile, lengths: LengthMix) -> LinkWork:
    """What these prompts cost to move: the whole prompt's KV, cached or computed."""
    per_token_s = profile.kv.bytes_per_token / profile.transfer.bandwidth_bytes_per_s
    alone_s = profile.transfer.latency_s + per_token_s * lengths.input_tokens
    return LinkWork(alone_s=alone_s, mean_s=float(lengths.weights @ alone_s))


def utilisation(work: LinkWork, rate_rps: float, links: int) -> float:
    """Share of the time that a link is in use; 1 and more is overload."""
    return rate_rps * work.mean_s / links


def stretch(utilisation: float) -> float:
    """How many times longer than alone a transfer takes; infinite when overloaded."""
    return inf if utilisation >= 1 else 1 / (1 - utilisation)

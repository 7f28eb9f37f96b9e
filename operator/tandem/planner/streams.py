"""What is forecast for each role: prompt tokens, whose number a request may move, for prefill; requests for decode."""

from collections.abc import Mapping
from dataclasses import dataclass

from tandem.api.role import Role
from tandem.planner.demand import LengthMix, arrival_ca2
from tandem.planner.memory import Rates
from tandem.planner.model import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What came in intervals, how much of it a request is, and variance over mean of its amount."""

    rows: Rates
    a_request: float = 1.0
    dispersion: float


def of(memory: Memory, lengths: LengthMix) -> Mapping[Role, Stream]:
    """The stream of each role; both of requests where nobody counted tokens.

    Of a sum of random sizes variance over mean is (V[N] E[S]² + E[N] V[S]) / (E[N] E[S]) = (φ + Cs²)·E[S].
    """
    dispersion = arrival_ca2(memory.dispersion)
    requests = Stream(rows=memory.rates, dispersion=dispersion)
    if not memory.work:
        return dict.fromkeys(Role, requests)
    new = lengths.input_tokens - lengths.cached_tokens
    mean = lengths.mean_new
    varied = float(lengths.weights @ new**2) / mean**2 - 1
    tokens = Stream(rows=memory.work, a_request=mean, dispersion=(dispersion + varied) * mean)
    return {Role.PREFILL: tokens, Role.DECODE: requests}

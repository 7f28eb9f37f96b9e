"""What a tandem keeps of each role: the steady state of so many replicas."""

from dataclasses import dataclass

from tandem.planner.demand import Floats
from tandem.planner.queueing.decode import DecodePool, DecodeWork
from tandem.planner.queueing.mixed import Part
from tandem.planner.queueing.prefill import PrefillWork
from tandem.planner.queueing.wait import Wait


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrefillStage:
    """Prefill replicas: their central queue, and the shares of the prompts that each kind takes.

    `within` is P(W_prefill <= t) on the grid of the TTFT targets.
    """

    work: PrefillWork
    shares: Floats
    wait: Wait
    within: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodeStage:
    """Decode replicas with their links.

    Attributes:
        parts: the kinds that get any requests.
        work, replicas: what requests cost these, and how many they are.
        pool: their steady state.
        link: utilisation of the busiest kind's links.
        transfer_s: mean X of each length point, shape (points,).
        slack: share of requests that meet TPOT and have so much left to wait for prefill, on the grid of
            the TTFT targets, shape (prefill kinds, targets, cells).

    """

    parts: tuple[Part, ...]
    work: DecodeWork
    replicas: int
    pool: DecodePool
    link: float
    transfer_s: Floats
    slack: Floats

"""What a tandem keeps of each role: the steady state of so many replicas."""

from collections.abc import Mapping
from dataclasses import dataclass

from tandem.planner.demand import Floats
from tandem.planner.queueing.decode import DecodePool, DecodeWork
from tandem.planner.queueing.link import LinkState
from tandem.planner.queueing.mixed import Part
from tandem.planner.queueing.prefill import PrefillWork
from tandem.planner.queueing.wait import Wait

UNLIMITED = 10**6  # replicas of a role so many that nobody waits for it

Counts = tuple[int, ...]  # replicas of each kind


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrefillStage:
    """Prefill replicas: their central queue, and the shares of the prompts that each kind takes.

    `held_up` is the share of the time that a pod has no room for a prompt, for what decode has not taken;
    `within` is P(W_prefill <= t) on the grid of the TTFT targets.
    """

    work: PrefillWork
    shares: Floats
    held_up: float
    wait: Wait
    within: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodeStage:
    """Decode replicas with their links.

    Attributes:
        parts: the kinds that get any requests.
        work, replicas: what requests cost these, and how many they are.
        pool: their steady state.
        link: the ports.
        transfer_s: what is waited for of each length point's transfer on average, shape (points,).
        cases_s: the same as equally likely cases, shape (cases, points).
        pinned_tokens: KV that stays on prefill pods until decode has it, of the whole fleet.
        tpot_met: P(TPOT within its target) of each length point, by target.
        slack: share of requests that meet TPOT and have so much left to wait for prefill, on the grid of
            the TTFT targets, shape (prefill kinds, targets, cells).

    """

    parts: tuple[Part, ...]
    work: DecodeWork
    replicas: int
    pool: DecodePool
    link: LinkState
    transfer_s: Floats
    cases_s: Floats
    pinned_tokens: float
    tpot_met: Mapping[float, Floats]
    slack: Floats

"""What the planner is shown: one frozen value per tick, each figure with its age and exactness.

The same type comes from Prometheus, from direct scrapes and from the simulator. A figure that is not
there is `Missing` with the reason, never 0: zero is a real rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tandem.api.role import Role
from tandem.planner.cells import NO_CELLS, Cells


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, how old it is, and whether it is exact or a bound."""

    value: float
    age_s: float = 0.0
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Missing:
    """No such number, and why (`no scrape for 75 s`)."""

    reason: str


Reading = Figure | Missing
NEVER_READ = Missing("never read")


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthCounts:
    """Requests of one interval by length: cells of (input, cached, output) tokens and counts.

    Lengths are those of the bucket's representative (`planner.lengths`), not of single requests.
    """

    cells: Cells = NO_CELLS

    @classmethod
    def of(cls, counts: Mapping[tuple[int, int, int], float]) -> "LengthCounts":
        """Of how many requests had each of some lengths."""
        return cls(cells=Cells.of(*((*cell, count) for cell, count in sorted(counts.items()))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the gateway and the engines say about the interval since the last look.

    Attributes:
        interval_s: seconds that the counts below cover.
        arrivals: requests that came in during the interval.
        dispersion: index of dispersion of arrival counts (1 for Poisson).
        lengths: finished requests of the interval by length.
        prompts: prompts that were prefilled in the interval, likewise; outputs are 1.
        finished: requests that ended in the interval, whatever became of them.
        met_ttft, met_tpot, met_both: how many of `finished` met those targets.
        ttft_s, tpot_s: means over `finished` of the interval.
        output_tokens: tokens that decode engines generated in the interval.
        transfer_s: mean seconds that KV took to come to decode, of the transfers of the interval.
        queued_requests, queued_tokens: waiting for prefill now, and their input tokens, cached or not.
        running: mean requests in an engine of a role now.
        kv_usage: mean share of KV in use per role now.
        utilisation: share of the role's capacity in use over the interval, as an HPA would see it.
        in_flight: requests at a pod now, by pod name; tells whom to drain.

    """

    interval_s: float = 0.0
    arrivals: Reading = NEVER_READ
    dispersion: Reading = NEVER_READ
    lengths: LengthCounts | Missing = NEVER_READ
    prompts: LengthCounts | Missing = NEVER_READ
    finished: Reading = NEVER_READ
    met_ttft: Reading = NEVER_READ
    met_tpot: Reading = NEVER_READ
    met_both: Reading = NEVER_READ
    ttft_s: Reading = NEVER_READ
    tpot_s: Reading = NEVER_READ
    output_tokens: Reading = NEVER_READ
    transfer_s: Reading = NEVER_READ
    queued_requests: Reading = NEVER_READ
    queued_tokens: Reading = NEVER_READ
    running: Mapping[Role, Reading] = field(default_factory=dict)
    kv_usage: Mapping[Role, Reading] = field(default_factory=dict)
    utilisation: Mapping[Role, Reading] = field(default_factory=dict)
    in_flight: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def untold(cls, why: Missing) -> "Traffic":
        """Where nobody tells anything; of roles and pods nothing is said."""
        return cls(
            arrivals=why,
            dispersion=why,
            lengths=why,
            prompts=why,
            finished=why,
            met_ttft=why,
            met_tpot=why,
            met_both=why,
            ttft_s=why,
            tpot_s=why,
            output_tokens=why,
            transfer_s=why,
            queued_requests=why,
            queued_tokens=why,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PodCounts:
    """Pods of one role: asked for, and what became of them so far."""

    desired: int = 0
    ready: int = 0
    starting: int = 0
    draining: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything one tick knows; `now_s` is on a clock that never goes back.

    `revision` is that of most engines that serve; empty where nobody tells.
    """

    now_s: float
    pods: Mapping[Role, PodCounts]
    traffic: Traffic
    revision: str = ""

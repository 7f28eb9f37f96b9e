"""Explanation: everything that led to a plan, and what would change it; plain values, JSON both ways.

Numbers carry four figures. None stands for what is not known or has no end: JSON has no infinity.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from math import isfinite

from pydantic import TypeAdapter

from tandem.api.role import Role
from tandem.planner.model import Bottleneck, RunnerUp

Pair = Mapping[Role, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A figure of the observation: its value and age, or why it was not used."""

    figure: str
    value: float | None = None
    age_s: float | None = None
    exact: bool = True
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleState:
    """What is believed of a role.

    Attributes:
        times: what the times of its profile are multiplied by, as its engines were seen to take.
        requests: that say so, fading.
        lead_time_s: from the asking for a pod to Ready.
        level_rps, ready_rps, reserve_rps: arrivals now, those to be ready for within the lead time, and
            the part of them that stands whatever the level is; None of a rule that forecasts nothing.
        lead_times_seen: independent lead times that the forecast has learnt from.

    """

    times: float
    requests: float
    lead_time_s: float
    level_rps: float | None = None
    ready_rps: float | None = None
    reserve_rps: float | None = None
    lead_times_seen: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Tokens of the requests that are remembered: means, the 95th percentiles, and how many back them."""

    input_mean: float
    cached_mean: float
    output_mean: float
    input_p95: float
    output_p95: float
    requests: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The model as it stood: arrivals of the last minute, their dispersion, lengths, roles, and the policy's own."""

    rate_rps: float | None = None
    dispersion: float | None = None
    lengths: Lengths | None = None
    roles: Mapping[Role, RoleState] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit that bit: the pair before and after it, and why."""

    limit: str
    before: Pair
    after: Pair
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of the result at the arrivals of the last minute.

    `used` is a share of what it can do, `growth` the factor of load at which it alone uses up the error
    budget, `breaks_at_rps` the arrivals then.
    """

    stage: Bottleneck
    used: float | None
    growth: float | None
    breaks_at_rps: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What users get: shares and seconds. A prediction has percentiles, an observation the means."""

    attainment: float | None
    ttft_s: float | None
    tpot_s: float | None
    ttft_p95_s: float | None = None
    tpot_p95_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Predictions at the arrivals of the last minute, of the result and of the pods ready now, and what is seen.

    Seconds of predictions are medians and 95th percentiles, those seen are means of the last interval.
    """

    result: Outcome | None = None
    ready: Outcome | None = None
    observed: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The load at which a role would be wished another number of replicas, all else as it is.

    `growth` multiplies all arrivals that are remembered; `rate_rps` is the last minute's then.
    """

    role: Role
    replicas: int
    growth: float
    rate_rps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """A target of the SLO so far loosened that the wish gets cheaper: `ttft_s`, `tpot_s` or `attainment`."""

    target: str
    now: float
    to: float
    replicas: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A limit moved so far that, it alone, it lets the result be another, and that result.

    `to` is no farther than the result needs; a ratio is prefill to decode.
    """

    limit: str
    now: str
    to: str
    replicas: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Seconds from the decision until a scale-down that waits is let go, if the wish stays, and the result then."""

    after_s: float
    replicas: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """What would change the answer, each found by asking the planner again."""

    more: tuple[Threshold, ...] = ()
    fewer: tuple[Threshold, ...] = ()
    slo: tuple[Relaxation, ...] = ()
    limits: tuple[Change, ...] = ()
    release: Release | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The SLO that was asked for."""

    ttft_s: float
    tpot_s: float
    attainment: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision from the arrivals to the result.

    Attributes:
        at_s: when, on the observation's clock; None of a sizing, which has no time.
        policy: whose rule.
        slo: what it had to hold.
        before: replicas asked for before it; None of a sizing.
        inputs: figures it was shown.
        state: what the model believed.
        wish: the unclamped answer.
        reasons: why, per role.
        notes: load per stage and the like, in words.
        limits: those that bit, in order; the others left the pair as it was.
        result: what became of the wish.
        paused: nothing of it was asked of the cluster.
        stages: load of each stage; the one of least growth is the bottleneck.
        outlook: predictions, and what is observed.
        runner_up: the next best pair and why it lost.
        what_if: what would change the answer.

    """

    at_s: float | None = None
    policy: str
    slo: Target
    before: Pair | None = None
    inputs: tuple[Input, ...] = ()
    state: State = State()
    wish: Pair
    reasons: Mapping[Role, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    result: Pair
    paused: bool = False
    stages: tuple[Stage, ...] = ()
    outlook: Outlook = Outlook()
    runner_up: RunnerUp | None = None
    what_if: WhatIf = WhatIf()

    @property
    def moved(self) -> bool:
        """Whether it asked the cluster for another number of replicas."""
        is_new = self.before is not None and dict(self.before) != dict(self.result)
        return is_new and not self.paused


def to_json(explanation: Explanation) -> dict[str, object]:
    """As JSON holds it; what says nothing is left out."""
    dumped: dict[str, object] = _adapter().dump_python(
        explanation, mode="json", exclude_defaults=True
    )
    return dumped


def from_json(stored: object) -> Explanation:
    """What `to_json` gave, of this release or another: unknown keys are passed over.

    Raises:
        ValueError: it is none; pydantic's, which names the key at fault.

    """
    return _adapter().validate_python(stored, strict=False)


@cache
def _adapter() -> TypeAdapter[Explanation]:
    return TypeAdapter(Explanation)


def figures(value: float | None) -> float | None:
    """Four figures; None for what is no finite number."""
    return None if value is None or not isfinite(value) else float(f"{value:.4g}")

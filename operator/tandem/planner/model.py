"""What the planner answers: targets with reasons, what it predicts, and what it wants to remember."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.cells import NO_CELLS, Cells

QUANTILES = (0.5, 0.9, 0.95, 0.99)


class Bottleneck(StrEnum):
    """Which stage gives way first when load grows."""

    PREFILL_COMPUTE = "prefillCompute"
    KV_TRANSFER = "kvTransfer"
    DECODE_COMPUTE = "decodeCompute"
    DECODE_KV = "decodeKV"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a fleet of given size would do with a given demand.

    Quantiles are in seconds, at `QUANTILES`; infinite where a stage is overloaded. Utilisations are
    shares: `prefill`, `link`, `decode` of time, `kv` of decode KV capacity at its mean. `classes` is the
    attainment of each class of requests, where there are any. `preempted` is the share of requests that
    decode has to compute again for want of KV, `held_up` the share of the time that prefill pods have no
    room for a prompt because decode has not taken what they computed.
    """

    attainment: float
    ttft_s: tuple[float, ...]
    tpot_s: tuple[float, ...]
    utilisation: Mapping[str, float]
    bottleneck: Bottleneck
    classes: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    preempted: float = 0.0
    held_up: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamp:
    """One limit that bit: which, on which role, and from what to what."""

    limit: str
    role: Role
    before: int
    after: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The target of one role, and why."""

    target: int
    unclamped: int
    reason: str
    clamps: tuple[Clamp, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerUp:
    """The next best pair and why it lost."""

    replicas: Mapping[Role, int]
    reason: str


@dataclass(frozen=True, slots=True)
class Sums:
    """Seconds that work took and that a profile told for it, of how many requests; all fade alike."""

    took_s: float = 0.0
    told_s: float = 0.0
    requests: float = 0.0


@dataclass(frozen=True, slots=True)
class Terms:
    """Decode steps against their profile's three terms: normal equations that fade, weighed by requests.

    A row is (α, β·n, γ·K) as shares of the step that the profile tells, its outcome TPOT over that step.

    Attributes:
        squares: Σ w·rowᵢ·rowⱼ at (0,0), (0,1), (0,2), (1,1), (1,2), (2,2).
        products: Σ w·rowᵢ·outcome.
        residents, kv: what replicas held lately, smoothed over half the life of a request; kv as a share.

    """

    squares: tuple[float, ...] = (0.0,) * 6
    products: tuple[float, ...] = (0.0,) * 3
    residents: float = 0.0
    kv: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the planner remembers between ticks; small, and JSON both ways (`planner.memory`).

    Attributes:
        started_s: when the first tick was, None before it.
        rates: (time s, interval s, arrivals) of past intervals, oldest first, at most an hour.
        cells: decayed length counts, (input, cached, output, weight).
        prompts: likewise of prompts that were prefilled; their answers, not known yet, are 1.
        fresh, fresh_prompts: what came since and is not yet merged into these, for `waited_s`.
        work: (time s, interval s, uncached prompt tokens that came), as `rates`.
        dispersion: smoothed index of dispersion of arrivals.
        wishes: per role, (time s, unclamped wish) of the scale-down window, oldest first.
        times: per role, what its engines' work took against what their profile tells (`calibration`).
        terms: of decode, likewise by term (`terms`).
        links: of KV that came to decode, likewise (`transfers`).
        learnt_s: when the newest figures that engines were judged by were true.
        engines: revision and profiles that all this was learnt of, by what they belong to.
        queued_tokens: of prompts that waited at the last look; None before the first.
        unknown_s: since when arrivals have been unknown; a restart counts anew.
        facts: numbers of a policy's own, by name.

    """

    started_s: float | None = None
    rates: tuple[tuple[float, float, float], ...] = ()
    cells: Cells = NO_CELLS
    prompts: Cells = NO_CELLS
    fresh: Cells = NO_CELLS
    fresh_prompts: Cells = NO_CELLS
    waited_s: float = 0.0
    work: tuple[tuple[float, float, float], ...] = ()
    dispersion: float = 1.0
    wishes: Mapping[Role, tuple[tuple[float, int], ...]] = field(default_factory=dict)
    times: Mapping[Role, Sums] = field(default_factory=dict)
    terms: Terms = Terms()
    links: Sums = Sums()
    learnt_s: float | None = None
    engines: Mapping[str, str] = field(default_factory=dict)
    queued_tokens: float | None = None
    unknown_s: float | None = None
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One decision for the whole fleet.

    `predicted` works out what the targets do with the arrivals of the last minute, once it is asked: not
    every decision is told. None while nothing is known of them.

    `switches` are running pods that change their role, (from, to) each, before roles reach their targets;
    `warm` are pods a role that shall stand by, started. Only the simulator moves these levers so far.
    """

    roles: Mapping[Role, Decision]
    memory: Memory
    predicted: Callable[[], Prediction | None] = field(compare=False, repr=False)
    reasons: tuple[str, ...]
    runner_up: RunnerUp | None
    look_again_s: float
    switches: tuple[tuple[Role, Role], ...] = ()
    warm: Mapping[Role, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def prediction(self) -> Prediction | None:
        """What the targets would do now."""
        return self.predicted()

    @property
    def bottleneck(self) -> Bottleneck:
        """Which stage gives way first; none where nothing is known."""
        return Bottleneck.NONE if self.prediction is None else self.prediction.bottleneck

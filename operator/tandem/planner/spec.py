"""What the planner is asked to hold: the fleet's SLO, bounds, costs and behaviour, in SI units."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from tandem.api.fallback import OnStale, OnUntrusted
from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class TtftTier:
    """The TTFT target of prompts of at most so many tokens, cached ones among them."""

    max_input_tokens: int
    ttft_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """Share `attainment` of all arrivals meets both targets.

    `ttft_s` is the target of prompts that are longer than those of all `tiers`, which ascend.
    """

    ttft_s: float
    tpot_s: float
    attainment: float = 0.99
    tiers: tuple[TtftTier, ...] = ()

    def times(self, factor: float) -> "Slo":
        """The same with every target so many times as long."""
        return replace(
            self,
            ttft_s=self.ttft_s * factor,
            tpot_s=self.tpot_s * factor,
            tiers=tuple(replace(tier, ttft_s=tier.ttft_s * factor) for tier in self.tiers),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestClass:
    """Requests with an SLO of their own.

    `share` is theirs of all arrivals, with lengths as all have them; None where the demand itself tells
    how many they are and how long (`Demand.classes`).
    """

    name: str
    slo: Slo
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Replicas of one kind, of a role that may have several."""

    name: str
    profile: EngineProfile
    min_replicas: int = 0
    max_replicas: int = 64

    def __hash__(self) -> int:
        """Of what tells pools apart: a profile has too many figures to hash them for each look-up."""
        return hash((self.name, self.min_replicas, self.max_replicas))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSpec:
    """One role: its profile and its bounds on replicas.

    Where it has `pools`, their minima come first, then each pool in order up to its maximum, and
    `profile` is that of the first.
    """

    profile: EngineProfile
    min_replicas: int = 1
    max_replicas: int = 64
    lead_time_s: float = 60.0  # from the asking to Ready
    pools: tuple[Pool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioBounds:
    """Prefill replicas per decode replica, as integer pairs (prefill, decode); None is unbounded."""

    lowest: tuple[int, int] | None = None
    highest: tuple[int, int] | None = None

    def allow(self, prefill: int, decode: int) -> bool:
        """Whether a pair lies within the bounds; exact, in integers."""
        low, high = self.lowest, self.highest
        return (low is None or prefill * low[1] >= low[0] * decode) and (
            high is None or prefill * high[1] <= high[0] * decode
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What all pods that are not yet gone may use together; None is unbounded."""

    accelerators: int | None = None
    cost_per_hour: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A zone, rack or island of fast links: KV is handed over only within one. It holds so much at most."""

    name: str
    accelerators: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Behavior:
    """How fast targets may move."""

    up_max_step: int = 8
    down_window_s: float = 300.0
    down_max_step: int = 1
    stale_after_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Fewest replicas of some roles, Ready at each moment of a cron line in a time zone and for `lasts_s` on."""

    cron: str
    timezone: str = "UTC"
    lasts_s: float
    floors: Mapping[Role, int]


# Nothing but a policy's own hold slows it: what a comparison of policies runs each of them with.
OWN_PACE = Behavior(up_max_step=1_000_000, down_window_s=0.0, down_max_step=1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSpec:
    """A fleet as the planner sees it; `slo` is that of requests of none of the `classes`.

    Each pod lies in one of the `domains`, where there are any; else any pod hands KV to any other.
    """

    slo: Slo
    roles: Mapping[Role, RoleSpec]
    classes: tuple[RequestClass, ...] = ()
    ratio: RatioBounds = RatioBounds()
    budget: Budget = Budget()
    domains: tuple[Domain, ...] = ()
    behavior: Behavior = Behavior()
    policy: str = "tandem"
    parameters: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    interval_s: float = 5.0
    paused: bool = False  # plans are made and told, none is applied
    schedules: tuple[Schedule, ...] = ()
    on_stale: OnStale = OnStale.HOLD
    on_untrusted: OnUntrusted = OnUntrusted.BANDS
    switch_s: float | None = (
        None  # until a drained pod is Ready in the other role; None: pods keep their roles
    )

    @property
    def most(self) -> Mapping[Role, int]:
        """The most replicas that each role may have."""
        return {role: given.max_replicas for role, given in self.roles.items()}

    def with_engines(self, change: Callable[[EngineProfile], EngineProfile]) -> "FleetSpec":
        """The fleet with every engine of every pool changed alike."""
        roles = {
            role: replace(
                row,
                profile=change(row.profile),
                pools=tuple(replace(pool, profile=change(pool.profile)) for pool in row.pools),
            )
            for role, row in self.roles.items()
        }
        return replace(self, roles=roles)

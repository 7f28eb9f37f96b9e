"""What one run of the simulator is asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from tandem.api.role import Role
from tandem.perf.step_times import StepTimes
from tandem.planner.spec import FleetSpec
from tandem.simulator.features import ClusterFeatures, Encode, EngineFeatures, Handover, Pool
from tandem.traces.model import Trace

if TYPE_CHECKING:  # a command's --help needs no NumPy
    from tandem.planner.model import Memory, Plan
    from tandem.planner.observation import Observation

Planner = Callable[["Observation", "Memory", FleetSpec], "Plan"]
CLOSED = "closed"
KERNELS = {CLOSED: 1 << 40, "exact": 1}  # the most iterations that one event may stand for


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A trace, a fleet, and who decides about it.

    Attributes:
        trace: what arrives.
        spec: the fleet as the planner sees it; a pod is Ready `lead_time_s` of its role after the asking.
        replicas: pods of each role that are Ready at the start.
        planner: the policy in charge; None leaves the fleet as it started.
        order: the router's queue order (`routing.orders`).
        scrape_age_s: how old traffic figures are when the planner sees them.
        drain_s: how long after the trace what is in flight may go on; the rest is cut off.
        seed: of the trace's scaling or generation; named in the report.
        kernel: `closed` lets a constant decode batch run in one event, `exact` takes one an iteration.
        times: what a role's iterations really take; its profile's own formula where nothing is said.

        handover, engines, encode, cluster: what goes beyond the plain path, all off by default.
        pools: other engines of a role, taken first; its profile is for what they have no room for.
        priorities: of request classes, the lowest number first, for the order `class`.

    """

    trace: Trace
    spec: FleetSpec
    replicas: Mapping[Role, int]
    planner: Planner | None = None
    order: str = "feasible-first"
    scrape_age_s: float = 0.0
    drain_s: float = 600.0
    seed: int = 1
    kernel: str = CLOSED
    handover: Handover = field(default_factory=Handover)
    engines: EngineFeatures = field(default_factory=EngineFeatures)
    encode: Encode = field(default_factory=Encode)
    cluster: ClusterFeatures = field(default_factory=ClusterFeatures)
    pools: Mapping[Role, tuple[Pool, ...]] = field(default_factory=lambda: MappingProxyType({}))
    priorities: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    times: Mapping[Role, StepTimes] = field(default_factory=lambda: MappingProxyType({}))

"""`sageserve`: an hourly forecast says by how many replicas to move; use says when each of them is.

Every hour: change = ceil(forecast load) − replicas. One at a time, and none while one starts:

    change > 0 and use > 0.5: one more     change < 0 and use < 0.25: one fewer     use > 0.9: one more

the last whatever the forecast says, to be given back.

Source: code, kjain1810/SageServe arbiter.py, GlobalAribiterMemoryUtilizationScaling, and global_arbiter.py.
Aggressiveness: `headroom`, a factor to the forecast, 1 there.
Left out: ARIMA, for which the busiest ten minutes of the last hour stand (there, the highest minute from 20 to
60 minutes ahead); the integer program, which shares out models and regions, of which there is one; spot
instances. Its use is memory of instances that do both: here a role's share of what it can do within SLO.
Fails within the hour: a load that has doubled waits for 90 % of use, and gets one replica a cold start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from tandem.api.role import Role
from tandem.planner.demand import Demand, LengthMix, from_cells
from tandem.planner.history import History
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Observation
from tandem.planner.policies import seen, state, velocity
from tandem.planner.policies.proposal import (
    Aggressiveness,
    Parameter,
    Policy,
    Proposal,
    Provenance,
    current,
    held,
    parameter,
)
from tandem.planner.spec import FleetSpec

UP, DOWN, EMERGENCY = 0.5, 0.25, 0.9
BUSY_S, STEP_S = 600.0, 120.0
PARAMETERS = MappingProxyType(
    {
        "headroom": Parameter(default=1.0, least=0.1, most=10.0, meaning="times the forecast"),
        "period_s": Parameter(
            default=3600.0, least=60.0, most=86_400.0, meaning="between two forecasts"
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Replicas still to add or take, and when the next may be."""

    change: float
    free_s: float = -1e9


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Each role on its course."""
    lengths = from_cells(memory.cells)
    if lengths is None or not memory.rates:
        return held(observation, velocity.UNKNOWN)
    planned_s = memory.facts.get("planned_s", -1e9)
    is_due = observation.now_s - planned_s >= parameter(spec, PARAMETERS, "period_s")
    loads = _loads(memory, spec, lengths) if is_due else {}
    wishes, reasons = {}, {}
    facts: dict[str, float] = {}
    for role in Role:
        now = current(observation, role)
        course = state.recalled(Course, f"course-{role}", memory.facts, Course(change=0.0))
        if is_due:
            course = replace(course, change=float(velocity.replicas(loads[role]) - now))
        use = seen.use(observation, spec, lengths, role)
        step, course = stepped(course, use, observation.now_s, spec.roles[role].lead_time_s)
        wishes[role] = max(1, now + step)
        reasons[role] = f"sageserve: {course.change:+.0f} to go, {_said(use)}"
        facts |= state.facts(**{f"course-{role}": course})
    facts["planned_s"] = observation.now_s if is_due else planned_s
    return Proposal(wishes=wishes, reasons=reasons, facts=facts)


def stepped(
    course: Course, use: float | Missing, now_s: float, lead_s: float
) -> tuple[int, Course]:
    """The step of a look, and the course from then on."""
    if isinstance(use, Missing) or now_s < course.free_s:
        return 0, course
    step = 0
    if (course.change > 0 and use > UP) or (course.change == 0 and use > EMERGENCY):
        step = 1
    elif course.change < 0 and use < DOWN:
        step = -1
    if not step:
        return 0, course
    free_s = now_s + lead_s if step > 0 else course.free_s
    return step, Course(change=course.change - step, free_s=free_s)


def _loads(memory: Memory, spec: FleetSpec, lengths: LengthMix) -> Mapping[Role, float]:
    """Replicas that the busiest ten minutes of the last hour fill."""
    history = History.of(memory.rates)
    ends_s = np.arange(history.end_s, history.end_s - max(history.span_s, 1e-9), -STEP_S)
    rates = history.rates_rps(ends_s, BUSY_S)
    busiest = float(np.nanmax(rates)) if np.isfinite(rates).any() else 0.0
    rate_rps = busiest * parameter(spec, PARAMETERS, "headroom")
    demand = Demand(rate_rps=rate_rps, lengths=lengths)
    return {
        Role.PREFILL: velocity.prefill_load(demand, spec),
        Role.DECODE: velocity.decode_load(demand, spec),
    }


def _said(use: float | Missing) -> str:
    return f"held ({use.reason})" if isinstance(use, Missing) else f"{use:.0%} in use"


POLICY = Policy(
    decide=decide,
    source="kjain1810/SageServe, arbiter.py and global_arbiter.py",
    provenance=Provenance.CODE,
    reconstructed=(
        "forecast: the busiest ten minutes of the last hour instead of ARIMA",
        "use: prefill's busy time, decode's share of the largest batch within TPOT, instead of memory",
        "tokens a second of a replica: of the engine profile at the lengths seen",
    ),
    aggressiveness=Aggressiveness(parameter="headroom", sweep=(0.9, 1.0, 1.15, 1.3, 1.6, 2.0, 3.0)),
    fails_where="loads that move within the hour: one replica a cold start, and only at 90 % of use",
    parameters=PARAMETERS,
)

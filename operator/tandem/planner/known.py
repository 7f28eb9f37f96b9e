"""What was known when a plan was made: figures with their ages, and what the model believed."""

from collections.abc import Iterator
from math import isfinite

from tandem.api.role import Role
from tandem.planner import calibration
from tandem.planner.demand import LengthMix
from tandem.planner.explanation import Input, Lengths, RoleState, State, figures
from tandem.planner.figures import readings
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, Missing, Observation, Reading
from tandem.planner.plan import Course, recent, recent_rps
from tandem.planner.prediction import weighted_quantile
from tandem.planner.readings import (
    MOST_DISPERSION,
    MOST_INTERVAL_S,
    MOST_RATE_RPS,
    MOST_REQUESTS,
    MOST_SHARE,
    MOST_TOKENS,
    usable,
)
from tandem.planner.spec import FleetSpec

MOST = {  # of a figure that may be believed, by its name; requests where none is given
    "arrivals": MOST_RATE_RPS * MOST_INTERVAL_S,
    "dispersion": MOST_DISPERSION,
    "queuedTokens": MOST_TOKENS,
    "kvUsage": MOST_SHARE,
    "utilisation": MOST_SHARE,
}
TAIL = 0.95


def inputs(observation: Observation, spec: FleetSpec) -> Iterator[Input]:
    """Every figure with its age, or why it was not believed; seconds are means of the last interval."""
    traffic = observation.traffic
    seconds = ("ttft", traffic.ttft_s), ("tpot", traffic.tpot_s), ("transfer", traffic.transfer_s)
    for name, reading in (*readings(traffic), *seconds):
        most = MOST.get(name.partition(".")[0], MOST_REQUESTS)
        yield _input(name, reading, usable(reading, most, spec.behavior.stale_after_s))


def state(found: Course) -> State:
    """The model as the policy was asked, and what is its own after it."""
    memory, proposal = found.situation.memory, found.proposal
    demand, facts = recent(memory), proposal.facts.items()
    return State(
        rate_rps=figures(recent_rps(memory)),
        dispersion=figures(memory.dispersion),
        lengths=None if demand is None else lengths(demand.lengths, memory),
        roles={role: _role(found, role) for role in Role},
        facts={name: told for name, value in facts if (told := figures(value)) is not None},
    )


def lengths(mix: LengthMix, memory: Memory | None = None) -> Lengths:
    """A mix in a few numbers."""
    return Lengths(
        input_mean=_told(mix.mean_input),
        cached_mean=_told(mix.mean_input - mix.mean_new),
        output_mean=_told(mix.mean_output),
        input_p95=_told(weighted_quantile(mix.input_tokens, mix.weights, TAIL)),
        output_p95=_told(weighted_quantile(mix.output_tokens, mix.weights, TAIL)),
        requests=None if memory is None else figures(memory.cells.requests),
    )


def _input(name: str, reading: Reading, value: float | Missing) -> Input:
    if not isinstance(reading, Figure):
        return Input(figure=name, missing=reading.reason)
    return Input(
        figure=name,
        value=None if name in ("lengths", "prompts") else figures(reading.value),
        age_s=round(reading.age_s, 1) if isfinite(reading.age_s) else None,
        exact=reading.exact,
        missing=value.reason if isinstance(value, Missing) else "",
    )


def _role(found: Course, role: Role) -> RoleState:
    memory, expected = found.situation.memory, found.proposal.expected.get(role)
    times, requests = calibration.mean_factor(memory, role)
    return RoleState(
        times=_told(times),
        requests=_told(requests),
        lead_time_s=found.situation.spec.roles[role].lead_time_s,
        level_rps=None if expected is None else figures(expected.level_rps),
        ready_rps=None if expected is None else figures(expected.rate_rps),
        reserve_rps=None if expected is None else figures(expected.reserve_rps),
        lead_times_seen=None if expected is None else figures(expected.samples),
    )


def _told(value: float) -> float:
    return figures(value) or 0.0

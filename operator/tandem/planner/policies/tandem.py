"""`tandem`: our own. The queueing model, asked about the demand that will be there when a pod is.

1. Times of engines as this fleet takes them, not as their profile tells (`planner.calibration`).
2. A rate to be ready for within each role's lead time and the age of figures, of prompt tokens for prefill
   and of requests for decode: a predictor (the level, its trend, a season), a distance to it and a standing
   reserve, chosen by playing the last hour back (`planner.forecast`).
3. The cheapest pair that meets the SLO at that rate, by the three queues in tandem, with as much of the
   error budget as the misses of users leave (`planner.feedback`). Decode is eased less than prefill: with
   feasible-first order a prefill pod too few costs the excess, a decode pod too few every TPOT.
4. Queued prefill work that the pods in hand will not have done a lead time from now adds prefill, unless
   it waits for decode.
5. Decode is partly known: residents that are already there need room, whatever the forecast says.
6. A model that tells less of misses than users see is given head-room; one that is far off is set aside
   for bands of use until it is right again (`planner.trust`, `planner.untrusted`).
7. For two lead times after the start only what the level and a rise that no noise explains need is added
   and nothing is taken; later nothing is taken that was wished for within the last two lead times, or that
   the present needs.

Source: this project (docs/concepts/queueing-model.md). Aggressiveness: `caution`. Fails where demand rises
faster than pods start and nothing like it was seen within the hour: only a floor of replicas meets that.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner import arriving, evidence, feedback, rebalance, streams, untrusted
from tandem.planner import trust as trusts
from tandem.planner.calibration import calibrated
from tandem.planner.demand import Demand, LengthMix, arrival_ca2
from tandem.planner.evidence import Need
from tandem.planner.feedback import Ease
from tandem.planner.forecast import FRESH, Forecast, forecast
from tandem.planner.model import Memory
from tandem.planner.observation import Observation
from tandem.planner.playback import Rule
from tandem.planner.policies import state
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
from tandem.planner.queueing.stages import UNLIMITED
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.sizing import Sizing, size
from tandem.planner.spec import FleetSpec

WINDOW = 1.5  # lead times over which the level is taken; one would chase bursts that end before pods start
HOLD = 2.0  # lead times that a fleet stands after its start, and that a lower wish must stand
SPARE = (
    0.5  # of the error budget: prompts that no fleet serves in time may use so much of it unheeded
)
CALM = 1.2  # times the level, at most, where no rise is made ready for
DECODE_EASE = 1.5  # doublings of the error budget at most, of decode
MOST_SHORT = 2.5  # likewise of what may come beyond what is ready: calm tells little of a rise
LEAST_RATE_RPS = 1e-9  # nobody comes: no division by zero
LEAST_LEAD_S = 2.0  # warm pods: the window still holds a few arrivals

PARAMETERS = MappingProxyType(
    {
        "caution": Parameter(
            default=0.0,
            least=-5.0,
            most=12.0,
            meaning="halvings of the error budget that is aimed at; each makes ready for 11 % more",
        ),
        "shortage": Parameter(
            default=0.003,
            least=0.0,
            most=0.5,
            meaning="share of arrivals that may come beyond what is ready",
        ),
        "spread": Parameter(
            default=0.25,
            least=0.0,
            most=2.0,
            meaning="relative spread assumed while little is known",
        ),
        "switches": Parameter(
            default=0.0,
            least=0.0,
            most=1.0,
            meaning="1: pods that a role can spare take on the other one, where the fleet lets them",
        ),
    }
)


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """The pair for what will come; as it is while nothing is known of arrivals or lengths."""
    caution = parameter(spec, PARAMETERS, "caution")
    spec = feedback.cautious(calibrated(spec, memory), caution)
    ease = state.recalled(Ease, "ease", memory.facts, Ease())
    trust, window = trusts.observed(*trusts.recalled(memory), observation, memory, spec)
    lengths = arriving.lengths(memory)
    expected = (
        None if lengths is None else _expected(memory, spec, lengths, ease, observation.now_s)
    )
    if lengths is None or expected is None:
        why = "no request has finished yet" if lengths is None else "no arrivals seen yet"
        return replace(
            held(observation, f"{why}, so there is nothing to size for"), facts=memory.facts
        )
    tandem = Tandem(Demand(rate_rps=expected[Role.PREFILL].level_rps, lengths=lengths), spec)
    unreachable = 1 - tandem.attainment(UNLIMITED, UNLIMITED)
    lasts_s = spec.slo.ttft_s + lengths.mean_output * spec.slo.tpot_s
    ease = feedback.observed(ease, observation, spec, unreachable, lasts_s)
    eased = feedback.eased(spec, ease, unreachable)
    alone = feedback.aim(spec, ease.limited(DECODE_EASE), unreachable)
    starts = _is_starting(observation, memory, spec)
    growth = ease.growth * feedback.growth(caution) * trust.widening
    rates = _rates(expected, growth, ease, sure_only=starts)
    sizing = _sizing(rates, lengths, memory, eased, alone)
    needs = {
        Role.PREFILL: evidence.backlog(observation, spec, tandem),
        Role.DECODE: evidence.residents(observation, spec, tandem),
    }
    rules = {str(role): each.rule for role, each in expected.items()}
    proposal = replace(
        _proposal(observation, expected, sizing, needs, starts=starts),
        goal=eased.slo.attainment,
        hold_s=HOLD * _lead_s(spec),
        facts=state.facts(ease=ease, trust=trust, window=window, **rules),
    )
    why = trust.why_not
    if why:
        return untrusted.instead(proposal, observation, spec, why)
    if parameter(spec, PARAMETERS, "switches"):
        return rebalance.rebalanced(proposal, observation, memory, spec)
    return proposal


def _proposal(
    observation: Observation,
    expected: Mapping[Role, Forecast],
    sizing: Sizing,
    needs: Mapping[Role, Need],
    *,
    starts: bool,
) -> Proposal:
    """Each role as it is sized for its own rate, or as the present needs it; a start takes none."""
    least = {
        role: max(need.replicas, current(observation, role) if starts else 0)
        for role, need in needs.items()
    }
    return Proposal(
        wishes={role: max(sizing.replicas[role], least[role]) for role in Role},
        ideal={role: max(sizing.ideal[role], least[role]) for role in Role},
        reasons={role: _reason(expected[role], sizing, needs[role], role) for role in Role},
        notes=_notes(sizing, starts=starts),
        runner_up=sizing.runner_up,
        expected=expected,
    )


def _expected(
    memory: Memory, spec: FleetSpec, lengths: LengthMix, ease: Ease, now_s: float
) -> Mapping[Role, Forecast] | None:
    """The forecast at each role's lead time, in requests a second; None before arrivals were seen."""
    age_s = max(now_s - memory.rates[-1][0], 0.0) if memory.rates else 0.0
    shortage = parameter(spec, PARAMETERS, "shortage") * ease.limited(MOST_SHORT).budget
    expected: dict[Role, Forecast] = {}
    for role, stream in streams.of(memory, lengths).items():
        found = forecast(
            stream.rows,
            window_s=WINDOW * _lead_s(spec),
            lead_s=spec.roles[role].lead_time_s + age_s,
            hold_s=HOLD * _lead_s(spec),
            shortage=shortage,
            prior=parameter(spec, PARAMETERS, "spread"),
            dispersion=stream.dispersion,
            before=state.recalled(Rule, str(role), memory.facts, FRESH),
        )
        if found is None:
            return None
        expected[role] = found.per(stream.a_request)
    return expected


def _rates(
    expected: Mapping[Role, Forecast], growth: float, ease: Ease, *, sure_only: bool
) -> Mapping[Role, float]:
    """Requests a second that each role is made ready for; none are left out before a rise."""
    ahead = expected[Role.PREFILL]
    is_calm = ahead.rate_rps <= CALM * ahead.level_rps
    factors = {Role.PREFILL: growth * (ease.prompts if is_calm else 1.0), Role.DECODE: growth}
    return {
        role: factors[role] * (each.sure_rps if sure_only else each.rate_rps)
        for role, each in expected.items()
    }


def _sizing(
    rates: Mapping[Role, float],
    lengths: LengthMix,
    memory: Memory,
    spec: FleetSpec,
    alone: float,
) -> Sizing:
    """The answer at each role's own rate; `alone` is what decode has to attain where nobody waits for prefill."""
    demand = Demand(
        rate_rps=rates[Role.DECODE],
        lengths=lengths,
        arrival_ca2=arrival_ca2(memory.dispersion),
        prompts=rates[Role.PREFILL] / max(rates[Role.DECODE], LEAST_RATE_RPS),
    )
    return size(demand, spec, spare=SPARE, decode_share=alone)


def _is_starting(observation: Observation, memory: Memory, spec: FleetSpec) -> bool:
    started_s = observation.now_s if memory.started_s is None else memory.started_s
    return observation.now_s - started_s < HOLD * _lead_s(spec)


def _lead_s(spec: FleetSpec) -> float:
    """The longest lead time of all roles."""
    return max(LEAST_LEAD_S, *(role.lead_time_s for role in spec.roles.values()))


def _reason(expected: Forecast, sizing: Sizing, need: Need, role: Role) -> str:
    if need.replicas > sizing.replicas[role]:
        return need.reason
    return (
        f"{expected.level_rps:.3g} requests/s now, ready for {expected.rate_rps:.3g}:"
        f" {sizing.replicas[role]} {role}"
    )


def _notes(sizing: Sizing, *, starts: bool) -> tuple[str, ...]:
    notes = list(sizing.reasons)
    if starts:
        notes.append("starting: only what the present level needs is added, nothing is taken")
    if sizing.infeasible is not None:
        notes.append(
            f"idle engines meet the SLO for {sizing.infeasible.attainment:.2%} of these requests:"
            " the others are not sized for"
        )
    return tuple(notes)


def grown(facts: Mapping[str, float], growth: float) -> Mapping[str, float]:
    """The choices of the forecast at so many times the arrivals: rates grow alike, moves as their roots."""
    factors = {"most_rps": growth, "reserve_rps": growth, "move": growth**0.5}
    return {
        name: value * factors.get(name.rpartition(".")[2], 1.0) for name, value in facts.items()
    }


POLICY = Policy(
    decide=decide,
    source="this project, docs/concepts/queueing-model.md",
    provenance=Provenance.CODE,
    aggressiveness=Aggressiveness(
        parameter="caution", sweep=(-3.0, -2.0, -1.0, 0.0, 0.25, 0.5, 1.0)
    ),
    fails_where="a rise faster than a cold start, the first of its kind within the hour",
    parameters=PARAMETERS,
    learns=True,
    grown=grown,
    own_order="feasible-first",
)

"""From the command line's words to a scenario; a mistake names the flag, the value and what is allowed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tandem.api import duration
from tandem.api.role import Role
from tandem.cli import options
from tandem.cli.simulate.features import same_kv
from tandem.cli.simulate.flags import NEVER, STATIC
from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.library import profile as library_profile
from tandem.perf.step_times import StepTimes
from tandem.perf.truth import truth
from tandem.planner.spec import FleetSpec, RoleSpec
from tandem.simulator.features import Pool
from tandem.simulator.scenario import Planner
from tandem.traces.generate import AZURE_RATE_RPS, generate
from tandem.traces.model import Trace
from tandem.traces.named import load
from tandem.traces.scale import at_rate, window

_GENERATED_S = 600.0
_MOVING = "used together with a --policy that moves replicas"
_SWITCH_S = 5.0
_MOST = 64  # the planner's own default bound


@dataclass(frozen=True, slots=True)
class Replicas:
    """What was said about one role's replicas; None where nothing was."""

    start: int | None
    low: int | None
    high: int | None


def trace(named: str | None, duration_text: str | None, rate_rps: float | None, seed: int) -> Trace:
    """A file's trace, a built-in one or the default, cut to its first `--duration`, then brought to `--rate`."""
    if seed < 0:
        raise InvalidInputError("--seed", seed, "0 or more")
    lasts_s = None if duration_text is None else options.seconds("--duration", duration_text)
    if rate_rps is not None:
        options.positive("--rate", rate_rps)
    if named is None:
        return generate(rate_rps or AZURE_RATE_RPS, lasts_s or _GENERATED_S, seed)
    read = load(named, "--trace", seed)
    cut = read if lasts_s is None else window(read, 0.0, lasts_s)
    return cut if rate_rps is None else at_rate(cut, rate_rps, seed)


def profiles(both: str, own: Mapping[Role, str | None]) -> dict[Role, EngineProfile]:
    """The engines of each role; KV goes from one to the other."""
    base = library_profile(both)
    found = {
        role: library_profile(name, f"--{role}-profile") if name else base
        for role, name in own.items()
    }
    same_kv(f"--{Role.DECODE}-profile", found[Role.DECODE], found[Role.PREFILL])
    return found


def roles(
    said: Mapping[Role, Replicas],
    profiles: Mapping[Role, EngineProfile],
    cold_start: str | None,
    policy: str,
) -> tuple[dict[Role, RoleSpec], dict[Role, int]]:
    """Each role's specification and its replicas at the start."""
    asked_s = None if cold_start is None else no_less_than_zero("--cold-start", cold_start)
    specs, start = {}, {}
    for role, replicas in said.items():
        start[role], low, high = (_fixed if policy == STATIC else _bounded)(role, replicas)
        profile = profiles[role]
        specs[role] = RoleSpec(
            profile=profile,
            min_replicas=low,
            max_replicas=high,
            lead_time_s=profile.cold_start_total_s if asked_s is None else asked_s,
        )
    return specs, start


def switch_s(
    text: str | None, base: Mapping[Role, EngineProfile], others: Mapping[Role, Iterable[Pool]]
) -> float | None:
    """Seconds until a drained pod is Ready in the other role; None where none may, or engines differ."""
    names = sorted({each.name for each in base.values()})
    if len(names) > 1 or any(others.values()):
        if text not in (None, NEVER):
            allowed = f"{NEVER}, or roles of one engine (there are {', '.join(names)})"
            raise InvalidInputError("--switch-time", text, allowed)
        return None
    if text == NEVER:
        return None
    return _SWITCH_S if text is None else no_less_than_zero("--switch-time", text)


def times(text: str, specs: Mapping[Role, RoleSpec]) -> dict[Role, StepTimes]:
    """What iterations of each role's engines really take; roles of one profile share it."""
    by_profile = {
        spec.profile: truth(text, spec.profile, options.data_folder()) for spec in specs.values()
    }
    return {role: by_profile[spec.profile] for role, spec in specs.items()}


def planner(spec: FleetSpec) -> Planner | None:
    """The planner that runs the fleet's policy, its parameters checked; a fixed fleet has none."""
    if spec.policy == STATIC:
        for name, value in spec.parameters.items():
            raise InvalidInputError(f"--param {name}", value, _MOVING)
        return None
    from tandem.planner.check import check  # noqa: PLC0415 - a fixed fleet starts without SciPy
    from tandem.planner.plan import plan  # noqa: PLC0415
    from tandem.planner.policies.proposal import FIELD  # noqa: PLC0415

    try:
        check(spec)
    except InvalidInputError as error:
        known_as = error.field.replace(f"{FIELD}.", "--param ")
        raise InvalidInputError(known_as, error.value, error.allowed) from None
    return plan


def no_less_than_zero(flag: str, text: str) -> float:
    """A duration, "0s" among them."""
    return duration.seconds(text, flag)


def _fixed(role: Role, said: Replicas) -> tuple[int, int, int]:
    for flag, bound in ((f"--min-{role}", said.low), (f"--max-{role}", said.high)):
        if bound is not None:
            raise InvalidInputError(flag, bound, _MOVING)
    if said.start is None or said.start < 1:
        given = "nothing" if said.start is None else said.start
        raise InvalidInputError(f"--{role}", given, "1 or more replicas of a fixed fleet")
    return said.start, said.start, said.start


def _bounded(role: Role, said: Replicas) -> tuple[int, int, int]:
    low = 1 if said.low is None else said.low
    high = max(low, _MOST) if said.high is None else said.high
    low, high = options.bounds(role, low, high)
    start = max(low, 1) if said.start is None else said.start
    if not low <= start <= high:
        between = f"from --min-{role} ({low}) to --max-{role} ({high})"
        raise InvalidInputError(f"--{role}", start, between)
    return start, low, high

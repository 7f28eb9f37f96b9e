"""The steps of an explanation in words and rows of words; what is not known is left out or a dash."""

from collections.abc import Iterator, Mapping

from tandem.api.role import Role
from tandem.planner.explanation import Explanation, Input, Outcome, RoleState, Threshold
from tandem.planner.limits import LIMITS
from tandem.planner.words import seconds, share

Row = tuple[str, ...]
UNKNOWN = "-"
MEANS = ("ttft", "tpot")  # figures in seconds


def pair(replicas: Mapping[Role, int]) -> str:
    """As a person says it: 3 prefill + 4 decode."""
    return " + ".join(f"{replicas[role]} {role}" for role in Role)


def slo(told: Explanation) -> str:
    """What it had to hold."""
    asked = told.slo
    latencies = f"TTFT {seconds(asked.ttft_s)} and TPOT {seconds(asked.tpot_s)}"
    return f"{latencies} for {share(asked.attainment)} of all requests"


def arrivals(told: Explanation) -> list[str]:
    """How many requests, how uneven, how long."""
    state, lines = told.state, []
    if state.rate_rps is not None:
        uneven = "" if state.dispersion is None else f", dispersion {state.dispersion:g}"
        lines.append(f"{state.rate_rps:g} requests/s{uneven} (1 is Poisson)")
    if (lengths := state.lengths) is not None:
        backed = "" if lengths.requests is None else f", of {lengths.requests:g} requests"
        lines.append(
            f"{lengths.input_mean:g} input tokens ({lengths.cached_mean:g} cached,"
            f" 95 % up to {lengths.input_p95:g}), {lengths.output_mean:g} output"
            f" (95 % up to {lengths.output_p95:g}){backed}"
        )
    missing = [f"{each.figure} ({each.missing})" for each in told.inputs if each.missing]
    return [*lines, f"not used: {', '.join(missing)}"] if missing else lines


def inputs(told: Explanation) -> list[Row]:
    """Figures that were used, with their ages."""
    rows = [
        (each.figure, _value(each), _age(each.age_s), "" if each.exact else "a bound")
        for each in told.inputs
        if not each.missing
    ]
    return [("figure", "value", "age", ""), *rows] if rows else []


def state(told: Explanation) -> list[Row]:
    """What is believed of each role."""
    if not told.state.roles:
        return []
    names = ("", "times", "seen of", "lead", "now", "ready for", "reserve")
    return [names, *(_role(role, each) for role, each in told.state.roles.items())]


def facts(told: Explanation) -> list[str]:
    """What the policy itself remembers."""
    named = ", ".join(f"{name} {value:g}" for name, value in told.state.facts.items())
    return [f"the policy remembers {named}"] if named else []


def reasons(told: Explanation) -> list[str]:
    """Why the policy wished so; load per stage."""
    each = [f"{role}: {reason}" for role, reason in told.reasons.items()]
    return [*each, *told.notes]


def limits(told: Explanation) -> list[str]:
    """Those that bit, and the others by name."""
    bit = [
        f"{each.limit}: {pair(each.before)} -> {pair(each.after)}, {each.reason}"
        for each in told.limits
    ]
    names = {each.limit for each in told.limits}
    if told.before is None:
        return bit or ["bounds, ratio and budget allow it"]
    return [*bit, f"did not bite: {', '.join(name for name, _ in LIMITS if name not in names)}"]


def stages(told: Explanation) -> list[Row]:
    """How busy each stage is, and at which arrivals it breaks; the first to break first."""
    ordered = sorted(told.stages, key=lambda each: each.growth or float("inf"))
    rows = [
        (
            str(each.stage),
            "over 100 %" if each.used is None else share(each.used),
            UNKNOWN if each.breaks_at_rps is None else f"{each.breaks_at_rps:g} requests/s",
            UNKNOWN if each.growth is None else f"{each.growth:g} x",
        )
        for each in ordered
    ]
    return [("stage", "used", "breaks at", "load"), *rows] if rows else []


def outcomes(told: Explanation) -> list[Row]:
    """What users get: predicted for the result and for the pods there are, and seen."""
    found = (
        ("the result, predicted", told.outlook.result),
        ("pods ready now, predicted", told.outlook.ready),
        ("observed, means", told.outlook.observed),
    )
    rows = [_outcome(name, each) for name, each in found if each is not None]
    slo = told.slo
    target = ("target", share(slo.attainment), seconds(slo.ttft_s), seconds(slo.tpot_s))
    names = ("", "attained", "TTFT P50/P95", "TPOT P50/P95")
    return [names, *rows, target] if rows else []


def runner_up(told: Explanation) -> list[str]:
    """The next best pair and why it lost."""
    other = told.runner_up
    return [] if other is None else [f"{pair(other.replicas)}: {other.reason}"]


def changes(told: Explanation) -> list[Row]:
    """Under which condition what would be wished or asked for."""
    return list(_changes(told))


def _changes(told: Explanation) -> Iterator[Row]:
    if (release := told.what_if.release) is not None:
        yield f"in {release.after_s:g} s, if the wish stays", f"{pair(release.replicas)}"
    loads = (*told.what_if.fewer, *told.what_if.more)
    for load in sorted(loads, key=lambda each: each.growth):
        yield _load(load), f"{load.replicas} {load.role} wished"
    for each in told.what_if.slo:
        now, to = (_target(each.target, value) for value in (each.now, each.to))
        name = each.target.removesuffix("_s")
        name = name.upper() if each.target.endswith("_s") else name
        yield f"{name} {to} instead of {now}", f"{pair(each.replicas)} wished"
    for moved in told.what_if.limits:
        yield f"{moved.limit} {moved.to} instead of {moved.now}", pair(moved.replicas)


def _load(load: Threshold) -> str:
    return f"{load.rate_rps:g} requests/s ({load.growth:.3g} x)"


def _target(name: str, value: float) -> str:
    return share(value) if name == "attainment" else seconds(value)


def _role(role: Role, each: RoleState) -> Row:
    rates = (each.level_rps, each.ready_rps, each.reserve_rps)
    return (
        str(role),
        f"x {each.times:.3g}",
        f"{each.requests:.0f} requests",
        seconds(each.lead_time_s),
        *(UNKNOWN if rate is None else f"{rate:g}/s" for rate in rates),
    )


def _outcome(name: str, each: Outcome) -> Row:
    latencies = ((each.ttft_s, each.ttft_p95_s), (each.tpot_s, each.tpot_p95_s))
    attained = UNKNOWN if each.attainment is None else share(each.attainment)
    is_predicted = not name.startswith("observed")
    return (name, attained, *(_latency(*both, is_predicted=is_predicted) for both in latencies))


def _latency(middle: float | None, tail: float | None, *, is_predicted: bool) -> str:
    if not is_predicted:
        return UNKNOWN if middle is None else seconds(middle)
    return " / ".join("endless" if each is None else seconds(each) for each in (middle, tail))


def _value(each: Input) -> str:
    if each.value is None:
        return ""
    return seconds(each.value) if each.figure in MEANS else f"{each.value:g}"


def _age(age_s: float | None) -> str:
    return "" if age_s is None else f"{round(age_s, 1):g} s"

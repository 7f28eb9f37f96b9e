"""Reasons in words: what a prediction says to a person, figures with their units."""

from math import isfinite

from tandem.api.role import Role
from tandem.planner import prediction
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.region import Pair
from tandem.planner.spec import FleetSpec

DIGITS = ((100.0, 0), (99.9, 3), (99.0, 2), (90.0, 1))  # of a share in per cent, from so much on


def sizing(tandem: Tandem, spec: FleetSpec, replicas: Pair) -> tuple[str, ...]:
    """Arrivals, load per stage, answer: in the order in which one follows from the other."""
    slo, prefills, decodes = spec.slo, replicas[Role.PREFILL], replicas[Role.DECODE]
    use = prediction.utilisation(tandem, prefills, decodes)
    pool = tandem.decode(decodes, prefills).pool
    wait_s = tandem.wait(prefills, decodes).quantile_s(slo.attainment)
    waits = f"{share(slo.attainment)} of prompts wait at most {seconds(wait_s)}"
    steps = f"{pool.residents:.1f} requests a replica, steps of {seconds(pool.mean_step_s)}"
    return (
        arrivals(tandem),
        f"prefill: {share(use['prefill'])} busy, {waits}",
        f"KV link: {share(use['link'])} busy",
        f"decode: {steps}, KV {share(use['kv'])} full",
        answer(spec, replicas, tandem.attainment(prefills, decodes)),
    )


def answer(spec: FleetSpec, replicas: Pair, attained: float) -> str:
    """What a pair attains of the SLO."""
    slo = spec.slo
    pods = f"{replicas[Role.PREFILL]} prefill and {replicas[Role.DECODE]} decode"
    targets = f"TTFT {seconds(slo.ttft_s)} and TPOT {seconds(slo.tpot_s)}"
    return f"{pods} meet {targets} for {share(attained)}, {share(slo.attainment)} asked"


def arrivals(tandem: Tandem) -> str:
    """The demand in a line."""
    lengths = tandem.demand.lengths
    return (
        f"{tandem.demand.rate_rps:.4g} requests/s of {lengths.mean_input:.0f} input tokens"
        f" ({lengths.mean_input - lengths.mean_new:.0f} cached) and {lengths.mean_output:.0f} output"
        f" tokens, arrival variation {tandem.demand.arrival_ca2:.3g}"
    )


def dearer(more: float, attained: float, chosen: float) -> str:
    """Why a pair that meets the SLO lost."""
    if more > 0:
        return f"costs {more:.4g} more an hour or in accelerators"
    return f"costs the same and attains {share(attained)}, against {share(chosen)}"


def short(attained: float, goal: float) -> str:
    """Why a pair that does not meet the SLO lost."""
    return f"attains {share(attained)}, short of {share(goal)}"


def share(value: float) -> str:
    """A share in per cent, three figures of what is missing near all of it: 65 %, 99.2 %, 99.987 %."""
    if not isfinite(value):
        return "over 100 %"
    per_cent = 100 * value
    digits = next((d for least, d in DIGITS if per_cent >= least), 0)
    text = f"{per_cent:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if digits else text} %"


def seconds(value: float) -> str:
    """Seconds or milliseconds, three figures."""
    if not isfinite(value):
        return "without end"
    return f"{value:.3g} s" if value >= 1 or value == 0 else f"{1000 * value:.3g} ms"

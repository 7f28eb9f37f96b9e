"""The page of one run: what was asked, whether it was held, and where and why it was not."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tandem import __version__
from tandem.simulator.features import switched_on
from tandem.simulator.flight import Outcome
from tandem.simulator.pages import columns, page, run_charts, wording
from tandem.simulator.pages.columns import FINISHED, Floats
from tandem.simulator.pages.minutes import Minutes, minutes
from tandem.simulator.pages.page import Card, Table
from tandem.simulator.pages.verdicts import verdicts
from tandem.simulator.result import Result
from tandem.simulator.scenario import Scenario

_WORST = 10
_DECISIONS = 500  # of a page; --json has all
_LATENCIES = {  # by the names of Result.latencies()
    "ttft_s": "TTFT",
    "tpot_s": "TPOT",
    "itl_s": "ITL",
    "e2e_s": "E2E",
    "encode_s": "encode",
    "queue_s": "queue",
    "transfer_s": "transfer",
}
_PERCENTILES = ("mean", "p50", "p90", "p95", "p99")
_SECTIONS = {
    "summary": "Summary",
    "targets": "Targets",
    "fleet": "Load and fleet",
    "latency": "Latency",
    "decisions": "Decisions",
    "settings": "Settings",
}


def write(path: Path, result: Result) -> None:
    """Write the page; raises OSError where it can't."""
    scenario, slo = result.scenario, result.scenario.spec.slo
    requests = columns.requests(result)
    finished = requests.outcome == FINISHED
    lasts_s = columns.duration_s(result)
    by_minute = minutes(requests, verdicts(requests, slo), lasts_s)
    shown = run_charts.Shown(
        slo=slo,
        duration_s=lasts_s,
        minutes=by_minute,
        attainment=result.attainment,
        pods=columns.pods(result),
        changes=tuple(result.changes),
        ttft_s=requests.ttft_s[finished],
        tpot_s=requests.tpot_s[finished],
    )
    content = {
        "kind": "Simulation of one run",
        "title": f"{scenario.trace.name}: {scenario.spec.policy} – simulation",
        "heading": f"{scenario.spec.policy} on {scenario.trace.name}",
        "verdict": _verdict(result),
        "warning": _warning(result),
        "sections": list(_SECTIONS.items()),
        "cards": list(_cards(result, shown)),
        "worst": _worst(by_minute),
        "latencies": _latencies(result),
        "decisions": _decisions(result),
        "decided": bool(result.changes),
        "settings": list(_settings(result)),
    }
    page.write(path, "run.html", list(run_charts.all_charts(shown)), content)


def _verdict(result: Result) -> str:
    slo = result.scenario.spec.slo
    stands = "held" if result.attainment >= slo.attainment else "missed"
    return (
        f"The target was {stands}: {wording.share(result.attainment)} of {result.arrivals:,} requests got "
        f"their first token within {wording.seconds(slo.ttft_s)} and later ones every "
        f"{wording.seconds(slo.tpot_s)} or faster; {wording.goal(slo.attainment)} was asked. "
        f"It took {wording.plain(result.gpu_hours)} GPU-hours."
    )


def _warning(result: Result) -> str:
    """That the run did not come to its end, if so."""
    if result.cut_s is None:
        return ""
    return (
        f"Stopped at {wording.clock(result.cut_s)} of {wording.clock(result.scenario.trace.duration_s)}: "
        f"{result.never_came:,} requests had not come yet; they count as unfinished."
    )


def _cards(result: Result, shown: run_charts.Shown) -> Iterator[Card]:
    slo = result.scenario.spec.slo
    asked = f"asked {wording.goal(slo.attainment)}"
    yield Card(
        "Attainment", wording.share(result.attainment), asked, result.attainment >= slo.attainment
    )
    yield _percentile("TTFT", shown.ttft_s, slo.ttft_s, slo.attainment)
    yield _percentile("TPOT", shown.tpot_s, slo.tpot_s, slo.attainment)
    yield Card("Goodput", f"{wording.plain(result.goodput_rps)} req/s", "met both targets")
    yield Card("GPU-hours", wording.plain(result.gpu_hours), f"cost {wording.plain(result.cost)}")
    ended = ", ".join(
        f"{result.count(outcome):,} {outcome}" for outcome in Outcome if result.count(outcome)
    )
    yield Card("Requests", wording.count(result.arrivals), ended)
    for role, count in result.replicas.items():
        name = f"{role.capitalize()} replicas"
        yield Card(name, wording.plain(count.mean), f"on average, {count.max} at the most")


def _percentile(name: str, values_s: Floats, target_s: float, share: float) -> Card:
    """A latency at the asked share of finished requests, against its target."""
    known = values_s[~np.isnan(values_s)]
    title = f"{name} P{share * 100:g}"
    if not known.size:
        return Card(title, wording.NOTHING, "nothing finished")
    at = float(np.quantile(known, share))
    return Card(title, wording.seconds(at), f"target {wording.seconds(target_s)}", at <= target_s)


def _worst(by_minute: Minutes) -> Table:
    rows = [
        (
            wording.clock(by_minute.begin_s[index]),
            wording.count(int(by_minute.arrivals[index])),
            wording.count(int(by_minute.missed[index])),
            wording.share(by_minute.attainment[index]),
            by_minute.main_reason(index),
        )
        for index in by_minute.worst(_WORST)
    ]
    heads = [
        ("from", False),
        ("arrivals", True),
        ("missed", True),
        ("attainment", True),
        ("mostly", False),
    ]
    return page.table(f"The worst {by_minute.unit}", heads, rows)


def _latencies(result: Result) -> Table:
    slo = result.scenario.spec.slo
    targets = {"ttft_s": slo.ttft_s, "tpot_s": slo.tpot_s}
    found = result.latencies()
    rows = [
        (
            name,
            *(wording.seconds(getattr(found[key], column)) for column in _PERCENTILES),
            wording.seconds(targets.get(key)),
        )
        for key, name in _LATENCIES.items()
        if key != "encode_s" or found[key].mean is not None  # no encode pods
    ]
    heads = [
        ("", False),
        *((column.replace("p", "P"), True) for column in _PERCENTILES),
        ("target", True),
    ]
    return page.table("Latency of finished requests", heads, rows)


def _decisions(result: Result) -> Table:
    told = result.changes[:_DECISIONS]
    more = len(result.changes) - len(told)
    caption = "Each change of a target, and why" + (
        f" (the first {len(told)}; {more:,} more are in the JSON report)" if more else ""
    )
    rows = [
        (
            wording.clock(change.t_s),
            change.role.value,
            f"{change.before} → {change.after}",
            change.reason,
        )
        for change in told
    ]
    heads = [("at", False), ("role", False), ("replicas", True), ("reason", False)]
    return page.table(caption, heads, rows)


def _settings(result: Result) -> Iterator[tuple[str, str]]:
    scenario, spec = result.scenario, result.scenario.spec
    trace = scenario.trace
    yield "trace", trace.name
    yield "requests", f"{result.arrivals:,} in {wording.clock(trace.duration_s)}"
    yield "seed", str(scenario.seed)
    yield "policy", spec.policy
    if spec.parameters:
        yield (
            "parameters",
            ", ".join(f"{name} = {value:g}" for name, value in spec.parameters.items()),
        )
    yield "queue order", scenario.order
    yield (
        "targets",
        f"TTFT {wording.seconds(spec.slo.ttft_s)}, TPOT {wording.seconds(spec.slo.tpot_s)}, both for {wording.goal(spec.slo.attainment)}",
    )
    for role, bounds in spec.roles.items():
        span = f"{bounds.min_replicas} to {bounds.max_replicas}, {scenario.replicas[role]} at the start"
        yield f"{role} replicas", span
        yield (
            f"{role} profile",
            f"{bounds.profile.name}, ready after {wording.seconds(bounds.lead_time_s)}",
        )
    yield (
        "policy looks",
        f"every {wording.seconds(spec.interval_s)}, at figures {wording.seconds(scenario.scrape_age_s)} old",
    )
    yield "drain after the trace", wording.clock(scenario.drain_s)
    yield from _features(scenario)
    yield "version", f"tandem {__version__}"


def _features(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """What is on beyond the plain path."""
    parts = (scenario.handover, scenario.engines, scenario.encode, scenario.cluster)
    if on := ", ".join(switched_on(*parts)):
        yield "features", on
    for role, pools in scenario.pools.items():
        yield f"{role} pools", ", ".join(f"up to {p.most} of {p.profile.name}" for p in pools)
    if scenario.priorities:
        yield "priorities", ", ".join(f"{name} {n}" for name, n in scenario.priorities.items())

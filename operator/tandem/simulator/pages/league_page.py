"""The page of a league, for a person who was not there."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tandem.simulator.league.outcome import Outcome, Track
from tandem.simulator.pages import league_charts, league_table, page, wording
from tandem.simulator.pages.charts import Chart
from tandem.simulator.pages.minutes import MINUTE_S
from tandem.simulator.pages.page import Row, Table

_WORST = 8  # minutes of each trace
_OURS = "tandem"
_SECTIONS = {
    "result": "Result",
    "frontiers": "Frontiers",
    "fleets": "Fleets over time",
    "worst": "Worst minutes",
    "settings": "Settings",
}


def write(path: Path, outcome: Outcome) -> None:
    """Write the page; raises OSError where it can't."""
    frontiers = [
        league_charts.frontier(outcome, load.trace, f"frontier-{index}")
        for index, load in enumerate(outcome.loads)
    ]
    fleets = list(_fleets(outcome))
    content = {
        "kind": "A league of autoscaling policies",
        "title": f"League of {len(outcome.settings.policies)} policies – simulation",
        "heading": f"{_many(len(outcome.settings.policies), 'policy', 'policies')} on "
        f"{_many(len(outcome.loads), 'trace', 'traces')}",
        "verdict": " ".join(_verdict(outcome)),
        "warning": "" if outcome.complete else _STOPPED,
        "sections": list(_SECTIONS.items()),
        "asked": wording.goal(outcome.settings.attainment),
        "overview": league_table.overview(outcome),
        "headline": league_table.headline(outcome),
        "frontiers": [chart.key for chart in frontiers],
        "fleets": [chart.key for chart in fleets],
        "worst": _worst(outcome),
        "loads": _loads(outcome),
        "settings": list(_settings(outcome)),
    }
    page.write(path, "league.html", [*frontiers, *fleets], content)


_STOPPED = (
    "This league was stopped before all of its runs were done: what stands here is from the runs that were. "
    "Ask for it again, and it goes on where it stopped."
)


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _verdict(outcome: Outcome) -> Iterator[str]:
    """Who needs the fewest GPU-hours on how many traces."""
    asked = wording.goal(outcome.settings.attainment)
    firsts = [league_table.best(outcome, load.trace) for load in outcome.loads]
    won: dict[str, int] = {}
    for first in firsts:
        if first is not None:
            name = league_table.who(first, outcome)
            won[name] = won.get(name, 0) + 1
    traces = _many(len(firsts), "trace", "traces")
    for count in sorted(set(won.values()), reverse=True):
        names = [name for name, times in won.items() if times == count]
        need, each = ("need", " each") if len(names) > 1 else ("needs", "")
        fewest = f"{need} the fewest GPU-hours for {asked} attainment"
        yield f"{'; '.join(names)} {fewest} on {count} of {traces}{each}."
    if nobody := firsts.count(None):
        yield f"No policy reached {asked} on {_many(nobody, 'trace', 'traces')}."


def _fleets(outcome: Outcome) -> Iterator[Chart]:
    """On each trace the best policy, and ours where it is another, against the oracle."""
    for index, load in enumerate(outcome.loads):
        mine = [track for track in outcome.tracks if track.trace == load.trace]
        oracle = next((track for track in mine if track.who == "oracle"), None)
        first = league_table.best(outcome, load.trace)
        wanted = [(first.policy, first.routing)] if first else []
        wanted += [(_OURS, routing) for routing in outcome.settings.routings]
        for number, who in enumerate(dict.fromkeys(wanted)):
            track = _tuned(mine, *who)
            if track is not None:
                yield league_charts.fleets(outcome, track, oracle, f"fleet-{index}-{number}")


def _tuned(tracks: Sequence[Track], policy: str, routing: str) -> Track | None:
    """A policy's tuned run, its default where there is none."""
    mine = [t for t in tracks if (t.who, t.routing) == (policy, routing) and t.kind != "baseline"]
    return min(mine, key=lambda track: (track.kind != "tuned", track.seed), default=None)


def _worst(outcome: Outcome) -> Table:
    """The minutes of each trace in which a tuned policy missed most."""
    heads = (
        ("policy", False),
        ("from", True),
        ("arrivals", True),
        ("missed", True),
        ("attainment", True),
        ("mostly", False),
    )
    groups = {load.trace: list(_minutes(outcome, load.trace)) for load in outcome.loads}
    return Table("Minutes with most missed requests, by trace", heads, groups)


def _minutes(outcome: Outcome, trace: str) -> Iterator[Row]:
    tuned = [t for t in outcome.tracks if t.trace == trace and t.kind == "tuned"]
    found = [
        (sum(row[minute] for row in track.minutes.misses.values()), minute, track)
        for track in tuned
        for minute in range(len(track.minutes.arrivals))
    ]
    found.sort(key=lambda one: (-one[0], one[1]))
    for missed, minute, track in found[:_WORST]:
        if missed:
            yield Row(_minute(outcome, track, minute, missed))


def _minute(outcome: Outcome, track: Track, minute: int, missed: int) -> tuple[str, ...]:
    arrivals = track.minutes.arrivals[minute]
    reason = max(track.minutes.misses, key=lambda name: track.minutes.misses[name][minute])
    return (
        league_table.with_routing(track.who, track.routing, outcome),
        wording.clock(minute * MINUTE_S),
        wording.count(arrivals),
        wording.count(missed),
        wording.share(1 - missed / arrivals),
        reason,
    )


def _loads(outcome: Outcome) -> Table:
    heads = (
        ("trace", False),
        ("source", False),
        ("requests", True),
        ("lasts", True),
        ("requests / s", True),
        ("input tokens", True),
        ("output tokens", True),
        ("TTFT target", True),
        ("cold start", True),
        ("P + D at the start", True),
    )
    rows = [
        (
            load.trace,
            load.source,
            wording.count(load.requests),
            wording.clock(load.duration_s),
            wording.plain(load.rate_rps),
            wording.plain(load.mean_input_tokens, 0),
            wording.plain(load.mean_output_tokens, 0),
            wording.seconds(load.ttft_s),
            wording.seconds(load.cold_start_s),
            f"{load.start[0]} + {load.start[1]}",
        )
        for load in outcome.loads
    ]
    return page.table("Traces", heads, rows)


def _settings(outcome: Outcome) -> Iterator[tuple[str, str]]:
    asked = outcome.settings
    yield "targets", f"TTFT {wording.seconds(asked.ttft_s)}, TPOT {wording.seconds(asked.tpot_s)}"
    yield "attainment asked", wording.goal(asked.attainment)
    yield "policies", ", ".join(asked.policies)
    yield "queue orders", ", ".join(asked.routings)
    yield "profile", asked.profile
    yield "step times from", asked.truth
    starts = ", ".join(map(wording.seconds, asked.cold_starts_s))
    yield "cold starts", f"{starts}, stages vary by {asked.start_spread:.0%}"
    age, interval = wording.seconds(asked.scrape_age_s), wording.seconds(asked.interval_s)
    yield "policies look", f"every {interval}, at figures {age} old"
    yield "drain after the trace", wording.clock(asked.drain_s)
    yield "seeds", ", ".join(map(str, asked.seeds))
    yield "points of a policy", f"{asked.points}, then {asked.bisections} bisections"
    yield "oracle's effort", str(asked.oracle_effort)
    if asked.suite:
        yield "suite", asked.suite
    yield "runs", wording.count(len(outcome.rows))
    yield from outcome.versions.items()

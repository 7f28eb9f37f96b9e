"""From the command line's words to a league; a mistake names the flag, the value and what is allowed."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from tandem import __version__
from tandem.api import duration
from tandem.api.policy_names import COMPARED_POLICY_NAMES
from tandem.cli import options
from tandem.cli.league import loads
from tandem.errors import InvalidInputError
from tandem.simulator.league import fingerprint
from tandem.simulator.league.entry import ROUTINGS, entries
from tandem.simulator.league.job import Conditions, Load
from tandem.simulator.league.league import League
from tandem.simulator.league.outcome import Settings

QUICK, FULL = "quick", "full"
SUITES = (QUICK, FULL)
TTFT = "2s"
Field = tuple[Load, Conditions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How hard is looked: values a policy, halvings towards the target, runs of the oracle, seeds."""

    points: int = 3
    halvings: int = 2
    oracle: int = 40
    seeds: int = 1


EFFORTS = {None: Effort(), QUICK: Effort(halvings=1), FULL: Effort()}
COLD_STARTS = {QUICK: ("100s",), FULL: ("30s", "100s")}


def chosen(
    traces: Sequence[str], suite: str | None, rate_rps: float | None, duration_s: float | None
) -> list[tuple[Load, str | None]]:
    """The loads of `--trace` or of `--suite`, one of which must be given; a suite's with their own TTFT."""
    if suite is not None:
        options.one_of("--suite", suite, SUITES)
    if bool(traces) == (suite is not None):
        allowed = f"either traces, or --suite {' or '.join(SUITES)}"
        raise InvalidInputError("--trace", ", ".join(traces), allowed)
    if suite is None:
        return [(load, None) for load in loads.named(traces, rate_rps, duration_s)]
    for flag, value in (("--rate", rate_rps), ("--duration", duration_s)):
        if value is not None:
            raise InvalidInputError(flag, value, "used with --trace: a suite has its own")
    return (loads.quick if suite == QUICK else loads.full)(options.data_folder())


def fields(
    of: Sequence[tuple[Load, str | None]], under: Conditions, ttft: str | None, colds: Sequence[str]
) -> list[Field]:
    """Every load under every cold start, which a trace's name tells where there are several."""
    several = len(colds) > 1
    found = []
    for (load, own), cold in product(of, colds):
        named = replace(load, name=f"{load.name}, {cold}") if several else load
        conditions = replace(
            under,
            ttft_s=options.seconds("--ttft", ttft or own or TTFT),
            cold_start_s=duration.seconds(cold, "--cold-start"),
        )
        found.append((named, conditions))
    return found


def effort(suite: str | None, points: int | None, seeds: int | None, oracle: int | None) -> Effort:
    """What was said, else what the suite looks with."""
    known = EFFORTS[suite]
    return Effort(
        points=known.points if points is None else at_least("--points", points, 1),
        halvings=known.halvings,
        oracle=known.oracle if oracle is None else at_least("--oracle-effort", oracle, 0),
        seeds=known.seeds if seeds is None else at_least("--seeds", seeds, 1),
    )


def league(
    of: Sequence[Field], policies: Sequence[str], routings: Sequence[str], looked: Effort
) -> League:
    """Every policy with every queue order on all fields."""
    for policy in policies:
        options.one_of("--policy", policy, COMPARED_POLICY_NAMES)
    for routing in routings:
        options.one_of("--routing", routing, ROUTINGS)
    return League(
        fields=tuple(of),
        seeds=tuple(range(1, looked.seeds + 1)),
        entries=tuple(entries(policies, routings)),
        points=looked.points,
        halvings=looked.halvings,
        effort=looked.oracle,
    )


def settings(
    of: League, under: Conditions, policies: Sequence[str], routings: Sequence[str], suite: str
) -> Settings:
    """What was asked, as the outcome tells it."""
    cold_starts = dict.fromkeys(conditions.cold_start_s for _, conditions in of.fields)
    return Settings(
        traces=tuple(load.name for load, _ in of.fields),
        policies=tuple(policies),
        routings=tuple(routings),
        profile=under.profile,
        truth=under.truth,
        ttft_s=under.ttft_s,
        tpot_s=under.tpot_s,
        attainment=under.attainment,
        cold_starts_s=tuple(cold_starts),
        start_spread=under.start_spread,
        scrape_age_s=under.scrape_age_s,
        interval_s=under.interval_s,
        drain_s=under.drain_s,
        seeds=of.seeds,
        points=of.points,
        bisections=of.halvings,
        oracle_effort=of.effort,
        suite=suite,
    )


def versions() -> dict[str, str]:
    """What played, for whoever wants the same figures again."""
    return {
        "tandem": __version__,
        "source": fingerprint.shown(fingerprint.source()),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
    }


def at_least(flag: str, value: int, least: int) -> int:
    """A whole number that is not too small."""
    if value < least:
        raise InvalidInputError(flag, value, f"{least} or more")
    return value

"""Figures of a tick by their names: which are exact, which are bounds, which are missing."""

from collections.abc import Iterator
from math import isfinite

from tandem.api.fleet_status import Exactness, MissingFigure
from tandem.api.role import Role
from tandem.planner.observation import Figure, LengthCounts, Missing, Reading, Traffic


def readings(traffic: Traffic) -> Iterator[tuple[str, Reading]]:
    """Every figure under the name that a status has for it; lengths count as one."""
    lengths = traffic.lengths
    yield from (
        ("arrivals", traffic.arrivals),
        ("dispersion", traffic.dispersion),
        ("lengths", Figure(0.0) if isinstance(lengths, LengthCounts) else lengths),
        ("finished", traffic.finished),
        ("metTTFT", traffic.met_ttft),
        ("metTPOT", traffic.met_tpot),
        ("metBoth", traffic.met_both),
        ("queuedRequests", traffic.queued_requests),
        ("queuedTokens", traffic.queued_tokens),
    )
    per_role = (
        ("running", traffic.running),
        ("kvUsage", traffic.kv_usage),
        ("utilisation", traffic.utilisation),
    )
    for name, by_role in per_role:
        yield from ((f"{name}.{role}", by_role[role]) for role in Role if role in by_role)


def exactness(traffic: Traffic, stale_after_s: float) -> Exactness:
    """How far each figure can be trusted."""
    exact: list[str] = []
    bounds: list[str] = []
    missing: list[MissingFigure] = []
    for name, reading in readings(traffic):
        if isinstance(reading, Missing):
            missing.append(MissingFigure(figure=name, reason=reading.reason))
        elif reading.age_s > stale_after_s:
            missing.append(MissingFigure(figure=name, reason=f"{reading.age_s:.0f} s old"))
        else:
            (exact if reading.exact else bounds).append(name)
    return Exactness(exact=tuple(exact), bounds=tuple(bounds), missing=tuple(missing))


def oldest_s(traffic: Traffic) -> float | None:
    """Age of the oldest figure that is there; None where none is."""
    ages = [r.age_s for _, r in readings(traffic) if isinstance(r, Figure) and isfinite(r.age_s)]
    return max(ages, default=None)

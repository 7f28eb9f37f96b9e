"""Figures of a tick by the names under which a person is told of them."""

from collections.abc import Iterator

from tandem.api.role import Role
from tandem.planner.observation import Figure, LengthCounts, Reading, Traffic


def readings(traffic: Traffic) -> Iterator[tuple[str, Reading]]:
    """Every figure that decides, under the name that a status has for it; lengths count as one each."""
    lengths, prompts = traffic.lengths, traffic.prompts
    yield from (
        ("arrivals", traffic.arrivals),
        ("dispersion", traffic.dispersion),
        ("lengths", Figure(0.0) if isinstance(lengths, LengthCounts) else lengths),
        ("prompts", Figure(0.0) if isinstance(prompts, LengthCounts) else prompts),
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

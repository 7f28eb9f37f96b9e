"""What each chart of a run shows, in a sentence: its caption, and its text for a screen reader."""

from collections.abc import Mapping

import numpy as np

from tandem.api.role import Role
from tandem.simulator.pages import wording
from tandem.simulator.pages.columns import Floats, Pods
from tandem.simulator.pages.minutes import Minutes
from tandem.simulator.pages.verdicts import PARTS, REASONS


def attainment(minutes: Minutes, whole: float, asked: float) -> str:
    """How the run stands to what was asked, and where it was worst."""
    known = minutes.arrivals > 0
    held = int((minutes.attainment[known] >= asked).sum())
    stands = "held" if whole >= asked else "below"
    text = (
        f"{wording.share(whole)} of all requests met both targets: {stands} the {wording.goal(asked)} "
        f"asked; {held:,} of {int(known.sum()):,} {minutes.unit} with arrivals held it."
    )
    if held == known.sum():
        return text
    worst = int(np.nanargmin(minutes.attainment))
    return (
        f"{text} The lowest began at {wording.clock(minutes.begin_s[worst])}: "
        f"{wording.share(minutes.attainment[worst])} of {minutes.arrivals[worst]:,} requests."
    )


def misses(minutes: Minutes) -> str:
    """How many missed, and the reasons by weight."""
    totals = minutes.by_reason.sum(axis=1)
    missed = int(totals[1:].sum())
    if not missed:
        return "No request missed a target."
    codes = [code for code in np.argsort(-totals, kind="stable") if code and totals[code]]
    named = ", ".join(f"{REASONS[code]} {totals[code]:,}" for code in codes)
    return f"{missed:,} of {totals.sum():,} requests missed: {named}."


def arrivals(rate_rps: Floats) -> str:
    """Mean and peak."""
    return (
        f"{wording.plain(float(rate_rps.mean()))} requests per second on average, "
        f"{wording.plain(float(rate_rps.max()))} at the most."
    )


def pods(pods: Mapping[Role, Pods], decisions: int) -> str:
    """The span of each role's target, and how often it moved."""
    spans = " and ".join(
        f"{int(rows.asked.min())} to {int(rows.asked.max())} {role} replicas"
        if rows.asked.min() < rows.asked.max()
        else f"{int(rows.asked[0])} {role} replicas throughout"
        for role, rows in pods.items()
    )
    moved = "without a decision" if not decisions else f"in {decisions:,} decisions"
    return f"{spans[0].upper()}{spans[1:]} were asked for, {moved}."


def ttft(minutes: Minutes, ttft_s: Floats) -> str:
    """The mean, and its largest part."""
    if not ttft_s.size:
        return "No request got a first token."
    weights = np.nan_to_num(minutes.ttft_parts_s) @ minutes.arrivals
    largest = int(np.argmax(weights))
    return (
        f"TTFT was {wording.seconds(float(ttft_s.mean()))} on average; its largest part is "
        f"{PARTS[largest]}, {wording.goal(round(weights[largest] / weights.sum(), 2))} of it."
    )


def tpot(minutes: Minutes, target_s: float) -> str:
    """The span of the means against the target."""
    known = minutes.tpot_s[~np.isnan(minutes.tpot_s)]
    if not known.size:
        return "No request had a second token."
    over = int((known > target_s).sum())
    return (
        f"The mean went from {wording.seconds(known.min())} to {wording.seconds(known.max())}; it was "
        f"over the target of {wording.seconds(target_s)} in {over:,} of {known.size:,} {minutes.unit}."
    )


def percentiles(name: str, known_s: Floats, target_s: float) -> str:
    """P99 against the target, and who was within it."""
    if not known_s.size:
        return f"No finished request has a {name}."
    within = float((known_s <= target_s).mean())
    p99 = float(np.quantile(known_s, 0.99))
    return (
        f"{wording.share(within)} of finished requests were within the {name} target of "
        f"{wording.seconds(target_s)}; P99 is {wording.seconds(p99)}."
    )

"""What the planner remembers: arrivals of the last hour, lengths, dispersion; small, and JSON both ways.

1. Arrivals, and the prompt tokens that came with them, are kept per tick for ten minutes and per half minute
   before that, an hour in all.
2. Lengths are counts that fade (`sketch`).
3. What can't be believed moves nothing: a poisoned figure leaves the memory as it was.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import astuple, replace
from math import exp, inf, isfinite
from typing import Any

from tandem.api.role import Role
from tandem.planner import arriving, sketch
from tandem.planner.cells import Cells
from tandem.planner.demand import Floats
from tandem.planner.model import Memory, Sums, Terms
from tandem.planner.observation import Missing, Observation
from tandem.planner.readings import (
    MOST_DISPERSION,
    MOST_INTERVAL_S,
    MOST_RATE_RPS,
    MOST_TOKENS,
    age_s,
    usable,
)

KEEP_S = 3600.0  # of arrivals; twice it and yesterday's hour would still widen today's residuals
RECENT_S = 600.0
FINE_S, COARSE_S = 2.0, 30.0  # shortest intervals kept of the recent and of the older part
DISPERSION_S = 120.0  # smoothing of the index of dispersion

Rates = tuple[tuple[float, float, float], ...]


def remember(
    observation: Observation, memory: Memory, stale_after_s: float, merge_s: float = 0.0
) -> Memory:
    """The memory after one more look; a clock that went back starts it anew but for the lengths.

    New lengths may wait `merge_s` before they count.
    """
    now_s = observation.now_s
    if not isfinite(now_s):
        return memory
    if memory.started_s is None or memory.started_s > now_s:
        memory = Memory(
            started_s=now_s,
            cells=memory.cells,
            prompts=memory.prompts,
            fresh=memory.fresh,
            fresh_prompts=memory.fresh_prompts,
            waited_s=memory.waited_s,
            dispersion=memory.dispersion,
            times=memory.times,
            terms=memory.terms,
            links=memory.links,
            engines=memory.engines,
        )
    interval_s = observation.traffic.interval_s
    if not (isfinite(interval_s) and 0 < interval_s <= MOST_INTERVAL_S):
        return memory
    if _was_seen(observation, memory):
        return memory
    return _after(observation, memory, stale_after_s, merge_s)


def _after(
    observation: Observation, memory: Memory, stale_after_s: float, merge_s: float
) -> Memory:
    """With the figures of one more interval."""
    traffic, interval_s = observation.traffic, observation.traffic.interval_s
    counted = arriving.prefilled(traffic)
    arrivals = usable(traffic.arrivals, MOST_RATE_RPS * interval_s, stale_after_s)
    queued = usable(traffic.queued_tokens, MOST_TOKENS, stale_after_s)
    queued_tokens = memory.queued_tokens if isinstance(queued, Missing) else queued
    unknown = next((each for each in (arrivals, counted) if isinstance(each, Missing)), None)
    tokens = unknown or _prompt_tokens(sketch.believed(counted), queued_tokens, memory)
    memory = sketch.learnt(memory, traffic.lengths, counted, interval_s, merge_s)
    return replace(
        memory,
        rates=_rows(observation, memory.rates, arrivals),
        work=_rows(observation, memory.work, tokens),
        queued_tokens=queued_tokens,
        dispersion=_dispersion(observation, memory.dispersion, stale_after_s),
    )


def _prompt_tokens(prompts: Floats, queued_tokens: float | None, memory: Memory) -> float:
    """Uncached tokens that came; of those that waited at the first look nobody knows when."""
    before = memory.queued_tokens
    more = 0.0 if queued_tokens is None or before is None else queued_tokens - before
    return arriving.prompt_tokens(prompts, more, memory.prompts)


def _was_seen(observation: Observation, memory: Memory) -> bool:
    """Whether this look's counts are no newer than the last: told twice, or out of order."""
    true_s = observation.now_s - age_s(observation.traffic.arrivals)
    return bool(memory.rates) and isfinite(true_s) and true_s <= memory.rates[-1][0]


def to_json(memory: Memory) -> str:
    """The memory as JSON, under 64 KB."""
    return json.dumps(
        {
            "started_s": memory.started_s,
            "rates": [[round(value, 3) for value in rate] for rate in memory.rates],
            "work": [[round(value, 3) for value in row] for row in memory.work],
            "cells": _rounded(memory.cells),
            "prompts": _rounded(memory.prompts),
            "fresh": _rounded(memory.fresh),
            "fresh_prompts": _rounded(memory.fresh_prompts),
            "waited_s": memory.waited_s,
            "dispersion": round(memory.dispersion, 4),
            "wishes": {str(role): list(wishes) for role, wishes in memory.wishes.items()},
            "times": {str(role): list(astuple(sums)) for role, sums in memory.times.items()},
            "terms": [
                *memory.terms.squares,
                *memory.terms.products,
                memory.terms.residents,
                memory.terms.kv,
            ],
            "links": list(astuple(memory.links)),
            "learnt_s": memory.learnt_s,
            "engines": dict(memory.engines),
            "queued_tokens": memory.queued_tokens,
            "facts": dict(memory.facts),
        },
        separators=(",", ":"),
    )


def from_json(text: str) -> tuple[Memory, str]:
    """The memory that JSON holds, and an empty reason; a fresh one and why when it is damaged."""
    try:
        return _memory(json.loads(text)), ""
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return Memory(), f"the stored memory is damaged ({type(error).__name__}): starting anew"


def _memory(stored: Mapping[str, Any]) -> Memory:
    started_s, learnt_s = stored["started_s"], stored.get("learnt_s")
    queued_tokens = stored.get("queued_tokens")
    return Memory(
        started_s=None if started_s is None else _number(started_s),
        rates=tuple(_row(rate, 3) for rate in stored["rates"]),
        work=tuple(_row(row, 3) for row in stored.get("work", ())),
        cells=_read_cells(stored["cells"]),
        prompts=_read_cells(stored.get("prompts", ())),
        fresh=_read_cells(stored.get("fresh", ())),
        fresh_prompts=_read_cells(stored.get("fresh_prompts", ())),
        waited_s=_number(stored.get("waited_s", 0.0)),
        dispersion=_number(stored["dispersion"]),
        wishes={
            Role(role): tuple((row[0], int(row[1])) for row in (_row(wish, 2) for wish in wishes))
            for role, wishes in stored["wishes"].items()
        },
        queued_tokens=None if queued_tokens is None else _number(queued_tokens),
        times={Role(role): Sums(*_row(sums, 3)) for role, sums in stored.get("times", {}).items()},
        terms=_terms(_row(stored.get("terms", (0.0,) * 11), 11)),
        links=Sums(*_row(stored.get("links", (0.0,) * 3), 3)),
        learnt_s=None if learnt_s is None else _number(learnt_s),
        engines={str(of): str(name) for of, name in stored.get("engines", {}).items()},
        facts={str(name): _number(value) for name, value in stored["facts"].items()},
    )


def _rounded(cells: Cells) -> list[list[float]]:
    return [[*cell[:3], round(cell[3], 4)] for cell in cells]


def _read_cells(stored: Iterable[Iterable[Any]]) -> Cells:
    rows = (_row(cell, 4) for cell in stored)
    return Cells.of(*((int(row[0]), int(row[1]), int(row[2]), row[3]) for row in rows))


def _terms(row: tuple[float, ...]) -> Terms:
    return Terms(squares=row[:6], products=row[6:9], residents=row[9], kv=row[10])


def _row(values: Iterable[Any], length: int) -> Any:
    row = tuple(_number(value) for value in values)
    if len(row) != length:
        raise ValueError(length)
    return row


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(value)
    return float(value)


def _rows(observation: Observation, rows: Rates, count: float | Missing) -> Rates:
    """One more interval of what came, if it can be believed."""
    traffic, now_s = observation.traffic, observation.now_s
    if isinstance(count, Missing):
        return rows
    seen_s = now_s - age_s(traffic.arrivals)
    kept = rows[bisect_right(rows, (now_s - KEEP_S, inf, inf)) :]
    settled, aging, recent = _by_age(kept, now_s)
    newest = (*recent[-1:], (seen_s, traffic.interval_s, count))
    return (*settled, *joined(aging, now_s), *recent[:-1], *joined(newest, now_s))


def _by_age(rows: Rates, now_s: float) -> tuple[Rates, Rates, Rates]:
    """Rows in their order: old at the last look already, grown old since, and recent ones.

    The first are joined as far as they can be, but for the last of them; the recent but for their last.
    """
    if not rows:
        return (), (), ()
    old = bisect_left(rows, (rows[-1][0] - RECENT_S,))
    settled = max(old - 1, 0)
    recent = max(bisect_right(rows, (now_s - RECENT_S, inf, inf)), settled)
    return rows[:settled], rows[settled:recent], rows[recent:]


def joined(rates: Iterable[tuple[float, float, float]], now_s: float) -> Rates:
    """Neighbours joined while together they stay as short as their age asks for."""
    merged: list[tuple[float, float, float]] = []
    for time_s, interval_s, arrivals in rates:
        shortest = FINE_S if now_s - time_s < RECENT_S else COARSE_S
        if merged and merged[-1][1] + interval_s <= shortest:
            _, before_s, others = merged.pop()
            merged.append((time_s, before_s + interval_s, others + arrivals))
        else:
            merged.append((time_s, interval_s, arrivals))
    return tuple(merged)


def _dispersion(observation: Observation, before: float, stale_after_s: float) -> float:
    """The index of dispersion, smoothed over two minutes of looks."""
    seen = usable(observation.traffic.dispersion, MOST_DISPERSION, stale_after_s)
    if isinstance(seen, Missing):
        return before
    return before + (1 - exp(-observation.traffic.interval_s / DISPERSION_S)) * (seen - before)

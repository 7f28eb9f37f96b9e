"""What happened while a fleet was up: replicas over time, changes, and what users felt."""

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tandem.api.role import Role
from tandem.cli.up.load import Felt
from tandem.controller.loop import Change, Tick
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.spec import Slo

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


@dataclass(slots=True)
class History:
    """Ticks as they come, kept as far as the view and the summary need them."""

    slo: Slo
    started_s: float
    last: Tick | None = None
    last_error: str = ""
    changes: list[Change] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    pods: dict[Role, list[int]] = field(default_factory=lambda: {role: [] for role in Role})

    def add(self, tick: Tick) -> None:
        """Take one tick in."""
        if tick.error or tick.observation is None:
            self.last_error = tick.error
            return
        self.last, self.last_error = tick, ""
        self.changes.extend(tick.changes)
        self.times_s.append(tick.observation.now_s)
        for role, counts in tick.observation.pods.items():
            self.pods[role].append(counts.ready + counts.starting + counts.draining)

    def pod_seconds(self, role: Role, until_s: float) -> float:
        """Seconds of pods of a role from the asking until they were gone."""
        edges = [*self.times_s, until_s]
        lengths = itertools.pairwise(edges)
        return sum(
            count * (end - begin)
            for count, (begin, end) in zip(self.pods[role], lengths, strict=False)
        )


def attainment(
    felt: Sequence[Felt], slo: Slo, since_s: float = 0.0, until_s: float = 1e18
) -> float | None:
    """Share of the arrivals of a span that met TTFT and TPOT and were served whole; None without any.

    Those that are still on their way are left out: nobody knows yet.
    """
    first = bisect.bisect_left(felt, since_s, key=lambda one: one.arrival_s)
    last = bisect.bisect_right(felt, until_s, key=lambda one: one.arrival_s)
    span = [one for one in felt[first:last] if one.over and not one.ours]
    if not span:
        return None
    met = sum(f.done and f.ttft_s() <= slo.ttft_s and f.tpot_s() <= slo.tpot_s for f in span)
    return met / len(span)


def summary(
    history: History,
    felt: Sequence[Felt],
    profile: EngineProfile,
    until_s: float,
) -> dict[str, object]:
    """What `tandem up` ends with, as plain values."""
    done = [one for one in felt if one.done]
    hours = {role: history.pod_seconds(role, until_s) / 3600 for role in Role}
    return {
        "duration_s": round(until_s - history.started_s, 1),
        "requests": len(felt),
        "finished": len(done),
        "unsettled": sum(one.ours for one in felt),
        "attainment": attainment(felt, history.slo),
        "ttft_s": _quantiles([one.ttft_s() for one in done]),
        "tpot_s": _quantiles([one.tpot_s() for one in done if one.tokens > 1]),
        "gpu_hours": sum(hours.values()) * profile.accelerators,
        "cost": sum(hours.values()) * profile.cost_per_hour,
        "replicas": {
            role.value: {
                "min": min(history.pods[role], default=0),
                "max": max(history.pods[role], default=0),
            }
            for role in Role
        },
        "changes": [
            {
                "t_s": round(change.at_s - history.started_s, 1),
                "role": change.role.value,
                "from": change.before,
                "to": change.after,
                "reason": change.reason,
            }
            for change in history.changes
        ],
    }


def _quantiles(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    found = np.quantile(values, list(QUANTILES.values()))
    return {name: float(value) for name, value in zip(QUANTILES, found, strict=True)}

"""A result as the JSON that `tandem simulate --json` prints."""

from dataclasses import asdict
from typing import Any

from tandem import __version__
from tandem.api.role import Role
from tandem.simulator.flight import Outcome
from tandem.simulator.result import Result


def report(result: Result, wall_s: float) -> dict[str, Any]:
    """Every figure by its name; only `wall_s` and `requests_per_s` differ between equal runs."""
    scenario = result.scenario
    return {
        "requests": result.arrivals,
        "finished": result.count(Outcome.FINISHED),
        "refused": result.count(Outcome.REFUSED),
        "duration_s": scenario.trace.duration_s,
        "interrupted_at_s": result.cut_s,
        "wall_s": wall_s,
        "requests_per_s": (result.arrivals - result.never_came) / wall_s,
        "attainment": result.attainment,
        "goodput_rps": result.goodput_rps,
        **{name: asdict(figures) for name, figures in result.latencies().items()},
        "gpu_hours": result.gpu_hours,
        "cost": result.cost,
        "replicas": {role.value: asdict(count) for role, count in result.replicas.items()},
        "switches": result.switches,
        "decisions": [
            {
                "t_s": change.t_s,
                "role": change.role.value,
                "from": change.before,
                "to": change.after,
                "reason": change.reason,
            }
            for change in result.changes
        ],
        "policy": scenario.spec.policy,
        "profile": " + ".join(dict.fromkeys(scenario.spec.roles[r].profile.name for r in Role)),
        "trace": scenario.trace.name,
        "seed": scenario.seed,
        "version": __version__,
    }

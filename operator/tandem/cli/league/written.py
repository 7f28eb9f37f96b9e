"""A league's outcome as the JSON that `--json` writes."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tandem.simulator.league.outcome import Baseline, Outcome
from tandem.whole_file import written_whole


def write(outcome: Outcome, path: Path) -> None:
    """Write it whole or not at all."""
    with written_whole(path) as stream:
        stream.write(json.dumps(document(outcome), indent=2, allow_nan=False).encode() + b"\n")


def document(outcome: Outcome) -> dict[str, Any]:
    """Settings, rows, frontier and the baselines by trace; `baselines` has the rest that is known of them."""
    bases = {
        "floor": outcome.floor,
        "oracle": outcome.oracle,
        "static_best": outcome.static_best,
    }
    return {
        "settings": {**asdict(outcome.settings), "versions": dict(outcome.versions)},
        "complete": outcome.complete,
        "rows": [asdict(row) for row in outcome.rows],
        "frontier": [asdict(frontier) for frontier in outcome.frontiers],
        **{name: _hours(of) for name, of in bases.items()},
        "baselines": {name: [asdict(each) for each in of] for name, of in bases.items()},
        "loads": [asdict(load) for load in outcome.loads],
    }


def _hours(baselines: tuple[Baseline, ...]) -> dict[str, float | None]:
    return {baseline.trace: baseline.gpu_hours for baseline in baselines}

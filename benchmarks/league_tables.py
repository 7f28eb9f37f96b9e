"""The tables of docs/league.md, from what `tandem league --suite quick --json FILE` wrote, or `full`.

.venv/bin/python -m benchmarks.league_tables FILE
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
DEFAULT_HEAD = "**Untuned**, all with our queue order: attainment, and GPU-hours over the oracle's."
TUNED_HEAD = "**At its best tuning**, the same order: GPU-hours for the target over the oracle's."
OWN_HEAD = "**With the order of their sources**, at their best tuning:"


def main() -> None:
    """Print three tables in Markdown, for each cold start."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    told = json.loads(parser.parse_args().file.read_text(encoding="utf-8"))
    for head, routing, cell in (
        (DEFAULT_HEAD, "tandem", _default),
        (TUNED_HEAD, "tandem", _tuned),
        (OWN_HEAD, "own", _tuned),
    ):
        if not any(of["routing"] == routing for of in told["frontier"]):
            continue
        print(f"{head}\n")
        for traces in _by_cold_start(told["settings"]["traces"]):
            print("\n".join(_table(told, traces, routing, cell)), end="\n\n")


def _by_cold_start(traces: Sequence[str]) -> list[list[str]]:
    """Names of a table's columns; where there are several cold starts they end with one: "drift, 30s"."""
    tables: dict[str, list[str]] = {}
    for trace in traces:
        tables.setdefault(trace.partition(", ")[2], []).append(trace)
    return list(tables.values())


def _table(
    told: Row, traces: Sequence[str], routing: str, cell: Callable[[Row, float | None], str]
) -> Iterator[str]:
    cold_start = traces[0].partition(", ")[2]
    names = [trace.partition(", ")[0] for trace in traces]
    yield f"| {cold_start and f'cold start {cold_start}'} | {' | '.join(names)} |"
    yield "|---" * (len(traces) + 1) + "|"
    if cell is _default:
        for name in ("floor", "oracle"):
            yield _line(f"{name}, GPU-hours", (_hours(told[name][trace]) for trace in traces))
        fixed = (_over(told["static_best"][trace], told["oracle"][trace]) for trace in traces)
        yield _line("best fixed fleet in hindsight", fixed)
    for policy in told["settings"]["policies"]:
        found = {of["trace"]: of for of in told["frontier"] if _is(of, policy, routing)}
        if found.keys() >= set(traces):
            cells = (cell(found[trace], told["oracle"][trace]) for trace in traces)
            yield _line(f"`{policy}`", cells)


def _is(of: Row, policy: str, routing: str) -> bool:
    """Whether it is that policy's; one whose own order is ours was played once, as its own."""
    if of["policy"] != policy:
        return False
    return of["routing"] == routing or (routing == "tandem" and of["order"] == "feasible-first")


def _default(of: Row, oracle: float | None) -> str:
    hours = of["default"]["gpu_hours"]
    paid = f"{hours:.0f} h" if oracle is None else f"{hours / oracle:.2f}"
    return f"{100 * of['default']['attainment']:.1f} %, {paid}"


def _tuned(of: Row, oracle: float | None) -> str:
    hours = of["gpu_hours_at_target"]
    if hours is None:
        return f"({100 * of['attainment_reached']:.1f} %)"
    return _over(hours, oracle)


def _over(hours: float | None, oracle: float | None) -> str:
    return "-" if hours is None or oracle is None else f"{hours / oracle:.2f}"


def _hours(hours: float | None) -> str:
    return "-" if hours is None else f"{hours:.1f}"


def _line(name: str, cells: Iterator[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()

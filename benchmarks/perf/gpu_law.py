"""The laws of prefill and decode on a real GPU, and how soon calibration finds its times from a profile that is off.

    python -m benchmarks.perf.gpu_law [benchmarks/perf/h200_torch.csv]

The times are those of `gpu_times.py`: one H200 on PyTorch's own kernels, whose attention takes up to twice as long in decode
as that of the profile's engine. Each look of calibration sees a hundred prompts and one decode step at random, of a hundred
requests.
"""

import csv
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from benchmarks.perf.fits import print_fit

from tandem.api.role import Role
from tandem.perf.fit import fit_decode, fit_prefill
from tandem.perf.library import profile
from tandem.planner.calibration import calibrated, observed
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, LengthCounts, Observation, PodCounts, Traffic
from tandem.planner.spec import FleetSpec, RoleSpec, Slo

TIMES = Path(__file__).with_name("h200_torch.csv")
ENGINE = profile("h200-llama-3.1-8b-tp1")
SPEC = FleetSpec(
    slo=Slo(ttft_s=1.0, tpot_s=0.03),
    roles={role: RoleSpec(profile=ENGINE, max_replicas=8) for role in Role},
)
INTERVAL_S, REQUESTS = 5.0, 100  # of a look
LOOKS = (0, 1, 2, 10, 100)
BUSY = 16  # sequences in decode, at least
LONG = 4096  # tokens of each, at most: with these, what a fleet that is sized holds
Row = tuple[int, int, int, float]  # sequences, new tokens, context tokens, seconds


def main() -> None:
    """Print the fits, and errors of the profile as calibration goes on."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else TIMES
    prompts, steps = (_rows(path, phase) for phase in ("prefill", "decode"))
    print_fit("prefill", fit_prefill([_prompt_sample(row) for row in prompts]))
    print_fit("decode", fit_decode(_step_samples(steps)))
    busy = [row for row in steps if row[0] >= BUSY and row[2] <= LONG]
    print(f"decode below: batches of {BUSY} and more, contexts up to {LONG}")
    print_fit("decode", fit_decode(_step_samples(busy)))
    rng, memory = np.random.default_rng(1), Memory()
    print("after requests   prefill mean  worst   decode mean  worst")
    for look in range(LOOKS[-1] + 1):
        if look in LOOKS:
            _print_errors(look * REQUESTS, calibrated(SPEC, memory), prompts, busy)
        memory = observed(_seen(rng, look, prompts, busy), memory, SPEC)


def _rows(path: Path, phase: str) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            (int(row["sequences"]), int(row["new"]), int(row["context"]), float(row["seconds"]))
            for row in csv.DictReader(lines)
            if row["phase"] == phase
        ]


def _prompt_sample(row: Row) -> tuple[float, float, float]:
    _, new, context, seconds = row
    return new, context**2 - (context - new) ** 2, seconds


def _step_samples(rows: list[Row]) -> list[tuple[float, float, float]]:
    return [(sequences, sequences * context, seconds) for sequences, _, context, seconds in rows]


def _seen(rng: np.random.Generator, look: int, prompts: list[Row], steps: list[Row]) -> Observation:
    """What a pod of each role tells after an interval."""
    chosen = [prompts[place] for place in rng.integers(len(prompts), size=REQUESTS)]
    sequences, _, context, step_s = steps[rng.integers(len(steps))]
    kv = sequences * context / ENGINE.kv.capacity_tokens
    return Observation(
        now_s=(look + 1) * INTERVAL_S,
        pods={role: PodCounts(desired=1, ready=1) for role in Role},
        traffic=Traffic(
            interval_s=INTERVAL_S,
            arrivals=Figure(float(REQUESTS)),
            lengths=LengthCounts.of(Counter({(context, 0, 1): REQUESTS})),
            prompts=LengthCounts.of(Counter((c, c - new, 1) for _, new, c, _ in chosen)),
            finished=Figure(float(REQUESTS)),
            tpot_s=Figure(step_s),
            running={Role.DECODE: Figure(float(sequences))},
            kv_usage={Role.DECODE: Figure(kv)},
            utilisation={Role.PREFILL: Figure(sum(row[3] for row in chosen) / INTERVAL_S)},
        ),
    )


def _print_errors(requests: int, spec: FleetSpec, prompts: list[Row], steps: list[Row]) -> None:
    ahead, decode = (spec.roles[role].profile for role in Role)
    of_prompts = [abs(ahead.prefill_s(c, c - new) / s - 1) for _, new, c, s in prompts]
    of_steps = [abs(decode.decode.step_s(n, n * c) / s - 1) for n, _, c, s in steps]
    told = (f"{np.mean(each):14.1%} {max(each):6.1%}" for each in (of_prompts, of_steps))
    print(f"{requests:14} {''.join(told)}")


if __name__ == "__main__":
    main()

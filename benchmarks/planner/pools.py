"""Reference decode pools, kept in `pools.csv`: residents, iteration times, waits for KV, preemptions.

Lengths are lognormal, arrivals Poisson, the engine that of `ENGINE`: the ranges of the report that bars
were set for, short of what a pool can do (92 %, as the planner has it; beyond, no wait is stationary for
long). Played until the 95 % confidence interval of the P95 of the wait is within 2 % of it, or of a tenth
of a stay where that is more, or the time is up (`half_width` tells).

    python -m benchmarks.planner.pools [--only 20]      writes the table anew, some ten minutes
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.planner.decoding import Run, play

from tandem.perf.engine_profile import DecodeCost, EngineProfile, KvCache, PrefillCost, TransferCost
from tandem.planner.demand import Floats, LengthMix, from_requests
from tandem.planner.queueing import decode

TABLE = Path(__file__).with_name("pools.csv")
FLOOR = 0.1  # stays: shorter waits are measured as exactly as this
HALF_WIDTH = 0.02
MOST_USE = 0.92
REQUESTS = 100_000  # of a run
RUNS = (8, 30)  # fewest, most
PAIRS = 50_000  # (input, output) that stand for a law
ENGINE = EngineProfile(
    name="10 ms and 0.16 ms a resident of 1600 tokens",
    model="none",
    accelerator="none",
    accelerators=1,
    prefill=PrefillCost(a_s=0.01, b_s_per_token=9e-5, c_s_per_token2=0.0),
    decode=DecodeCost(alpha_s=0.010, beta_s_per_sequence=6e-5, gamma_s_per_token=6e-8),
    kv=KvCache(bytes_per_token=1e5, capacity_tokens=10**8),
    transfer=TransferCost(latency_s=0.0, bandwidth_bytes_per_s=1e10),
    batch_cap=4096,
)
FITTED = (
    (1500, 0.5, 150, 1.0),
    (1500, 1.5, 150, 1.2),
)  # at n* 10 and 20: the model's constants are
LAWS = ((1500, 0.5, 150, 1.0), (1500, 1.0, 150, 1.2), (1500, 1.5, 150, 1.2), (800, 1.0, 400, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """`residents` a replica where KV is no matter, that would fill `use` of it; lengths are lognormal."""

    residents: int
    use: float
    replicas: int
    input_tokens: int
    input_cv: float
    output_tokens: int
    output_cv: float

    def setting(self) -> tuple[EngineProfile, LengthMix, float]:
        """The engine, the lengths, and requests a second."""
        return _setting(self)

    def lengths(self) -> tuple[Floats, Floats]:
        """Equally likely pairs, those that fit."""
        return _fitting(self)[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolReference(Pool):
    """What was measured, in seconds; `half_width` is that of the P95 of the wait, relative.

    Where fewer than one in twenty waits that P95 is 0, and says little of a model that tells 0 too.
    """

    n: float
    step_s: float
    step99_s: float
    stay_s: float
    wait95_s: float
    waits: float
    preempted: float
    half_width: float

    @property
    def is_new(self) -> bool:
        """Whether no pool like it was among those that the model's constants were fitted to."""
        law = self.input_tokens, self.input_cv, self.output_tokens, self.output_cv
        return law not in FITTED or self.residents not in {10, 20}


@cache
def _fitting(pool: Pool) -> tuple[int, Floats, Floats]:
    """Tokens of KV, and the pairs that fit."""
    rng = np.random.default_rng(11)
    pairs = []
    for mean, cv in (
        (pool.input_tokens, pool.input_cv),
        (pool.output_tokens, pool.output_cv),
    ):
        sigma = np.sqrt(np.log1p(cv * cv))
        drawn = mean * np.exp(rng.normal(-(sigma**2) / 2, sigma, PAIRS))
        pairs.append(np.maximum(1.0, np.round(drawn)))
    inputs, outputs = pairs
    context = decode.work(ENGINE, from_requests(inputs, outputs)).context_tokens
    capacity = int(pool.residents * context / pool.use)
    fit = inputs + outputs <= capacity - ENGINE.kv.block_tokens
    return capacity, inputs[fit], outputs[fit]


@cache
def _setting(pool: Pool) -> tuple[EngineProfile, LengthMix, float]:
    capacity, inputs, outputs = _fitting(pool)
    mix = from_requests(inputs, outputs)
    work = decode.work(ENGINE, mix)
    rate_rps = pool.replicas * pool.residents / work.step_s(pool.residents) / float(outputs.mean())
    return replace(ENGINE, kv=replace(ENGINE.kv, capacity_tokens=capacity)), mix, rate_rps


def pools() -> Iterator[Pool]:
    """All that are compared."""
    for residents, use, replicas, law in product(
        (10, 20, 40), (0.52, 0.62, 0.7, 0.78), (1, 4), LAWS
    ):
        pool = Pool(
            residents=residents,
            use=use,
            replicas=replicas,
            input_tokens=law[0],
            input_cv=law[1],
            output_tokens=law[2],
            output_cv=law[3],
        )
        profile, mix, rate_rps = pool.setting()
        if rate_rps <= MOST_USE * decode.most_rps(decode.work(profile, mix), replicas):
            yield pool


def measured(pool: Pool) -> PoolReference:
    """The figures of a pool, as exact as asked or as there is time for."""
    profile, _, rate_rps = pool.setting()
    inputs, outputs = pool.lengths()
    runs: list[Run] = []
    wait95_s = half = np.inf
    while len(runs) < RUNS[0] or (half > HALF_WIDTH and len(runs) < RUNS[1]):
        rng = np.random.default_rng([7, len(runs)])
        chosen = rng.integers(0, len(inputs), REQUESTS)
        arrivals_s = np.cumsum(rng.exponential(1 / rate_rps, REQUESTS))
        runs.append(play(profile, pool.replicas, arrivals_s, inputs[chosen], outputs[chosen]))
        stay_s = float(np.mean([np.nanmean(run.stay_s) for run in runs]))
        wait95_s, half_s = _quantile(runs, 0.95)
        half = half_s / max(wait95_s, FLOOR * stay_s)
    every = np.concatenate([run.wait_s for run in runs])
    counts = np.sum([run.counts for run in runs], axis=0)
    return PoolReference(
        residents=pool.residents,
        use=pool.use,
        replicas=pool.replicas,
        input_tokens=pool.input_tokens,
        input_cv=pool.input_cv,
        output_tokens=pool.output_tokens,
        output_cv=pool.output_cv,
        n=round(float(np.mean([run.residents for run in runs])), 3),
        step_s=round(float(np.mean([run.mean_step_s for run in runs])), 6),
        step99_s=round(replace(runs[0], counts=counts).step_quantile_s(0.99), 6),
        stay_s=round(stay_s, 3),
        wait95_s=round(wait95_s, 3),
        waits=round(float((every > 1e-9).mean()), 4),
        preempted=round(float(np.mean([(run.preempted > 0).mean() for run in runs])), 4),
        half_width=round(float(half), 4),
    )


def _quantile(runs: list[Run], share: float) -> tuple[float, float]:
    """A quantile of the wait and half of its 95 % interval, from the spread over runs."""
    each = [float(np.nanquantile(run.wait_s, share)) for run in runs]
    value = float(np.nanquantile(np.concatenate([run.wait_s for run in runs]), share))
    return value, 2.1 * float(np.std(each, ddof=1)) / np.sqrt(len(each)) if len(
        each
    ) > 1 else np.inf


def read() -> Iterator[PoolReference]:
    """The table as it is kept."""
    whole = {"residents", "replicas", "input_tokens", "output_tokens"}
    with TABLE.open() as lines:
        for row in csv.DictReader(lines):
            numbers: dict[str, Any] = {
                name: int(value) if name in whole else float(value) for name, value in row.items()
            }
            yield PoolReference(**numbers)


def main() -> None:
    """Play all pools and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", type=int, help="of the pools, evenly chosen")
    only, chosen = parser.parse_args().only, list(pools())
    chosen = chosen[:: max(1, len(chosen) // only)] if only else chosen
    with TABLE.open("w", newline="") as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(field.name for field in fields(PoolReference))
        for place, pool in enumerate(chosen, start=1):
            table.writerow(astuple(measured(pool)))
            lines.flush()
            print(f"\r{place} of {len(chosen)}", end="", flush=True)
    print()


if __name__ == "__main__":
    main()

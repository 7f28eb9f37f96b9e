"""Measured end-to-end rows, and the same load on simulated engines.

The rows are of aiconfigurator's `silicon_sample.csv` (Apache-2.0): mean TTFT and TPOT of a load that
keeps `concurrency` equal requests in flight. An aggregated row is one engine that prefills and
decodes; a disaggregated one has prefill and decode workers.

The load is that of aiconfigurator's own runner (`eval/benchmarks/genai_perf_runner.py`): ten requests a
user, all users at once, after a warm-up that ends before. So a tenth of the requests met a queue of all
users, and weigh in the means.
"""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tandem.api.role import Role
from tandem.perf.engine import Engine
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.library import profile
from tandem.perf.sequence import Sequence
from tandem.perf.step import Outcome
from tandem.perf.step_times import StepTimes
from tandem.planner.spec import FleetSpec, RoleSpec, Slo
from tandem.simulator.run import simulate
from tandem.simulator.scenario import Scenario
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

FILE = "aic_silicon_sample_e2e.csv.gz"
ROUNDS = 10  # requests that each of the concurrent users sends
_MEMORY_BYTES = {"h100_sxm": 80e9, "h200_sxm": 141e9}
_MEMORY_SHARE = 0.9  # vLLM's gpu_memory_utilization
# Bytes of the weights, and of a token's KV.
_SIZES = {
    "Llama-3.1-8B-Instruct": (16.1e9, 131_072),
    "Llama-3.1-8B-Instruct-FP8": (9.1e9, 131_072),
    "Qwen3-32B": (65.5e9, 262_144),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One row: the load, and what was measured."""

    model: str
    system: str
    backend: str
    precision: str
    workers: tuple[int, int]  # prefill and decode; none of the former prefill where they decode
    tp: tuple[int, int]
    input_tokens: int
    output_tokens: int
    concurrency: int
    ttft_s: float
    tpot_s: float

    @property
    def e2e_s(self) -> float:
        """First and all following tokens, of means."""
        return self.ttft_s + self.tpot_s * (self.output_tokens - 1)


@dataclass(frozen=True, slots=True)
class Simulated:
    """Means of the same load on simulated engines."""

    ttft_s: float
    tpot_s: float


def rows(folder: Path) -> Iterator[Measured]:
    """The rows of models whose sizes are known here, on single nodes, without pipeline stages."""
    with gzip.open(folder / FILE, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            known = (
                row["model_path"].rsplit("/", 1)[-1] in _SIZES and row["system"] in _MEMORY_BYTES
            )
            if known and row["pp_size"] in ("", "1.0"):
                yield _measured(row)


def _measured(row: dict[str, str]) -> Measured:
    split = row["mode"] == "disagg"
    workers = _pair(row, "num_workers") if split else (0, 1)
    per_worker = int(float(row["decode_batch_size" if split else "batch_size"]))
    return Measured(
        model=row["model_path"],
        system=row["system"],
        backend=row["backend"],
        precision=row["precision"] or "bf16",
        workers=workers,
        tp=_pair(row, "tp_size") if split else (0, int(float(row["tp_size"]))),
        input_tokens=int(row["isl"]),
        output_tokens=int(row["osl"]),
        concurrency=per_worker * workers[1],
        ttft_s=float(row["silicon_ttft_ms"]) / 1e3,
        tpot_s=float(row["silicon_tpot_ms"]) / 1e3,
    )


def _pair(row: dict[str, str], column: str) -> tuple[int, int]:
    return int(float(row[f"prefill_{column}"])), int(float(row[f"decode_{column}"]))


def engine_profile(row: Measured, tp: int) -> EngineProfile:
    """The engine of a row: its KV is what its weights leave of the memory; the rest is of a built-in one."""
    weights_bytes, token_bytes = _SIZES[row.model.rsplit("/", 1)[-1]]
    free_bytes = tp * _MEMORY_SHARE * _MEMORY_BYTES[row.system] - weights_bytes
    base = profile("h100-llama-3.1-8b-tp1")
    kv = replace(
        base.kv, bytes_per_token=token_bytes, capacity_tokens=int(free_bytes / token_bytes)
    )
    accelerator = "nvidia-" + row.system.removesuffix("_sxm")
    named = {"model": row.model, "accelerator": accelerator, "accelerators": tp}
    return replace(base, kv=kv, batch_cap=512, **named)  # type: ignore[arg-type]


def aggregated(row: Measured, times: StepTimes, **limits: int) -> Simulated:
    """One engine, its users in a closed loop without thinking, all beginning at once.

    `limits` are fields of its profile: `batch_cap`, `batch_tokens`.
    """
    engine = replace(engine_profile(row, row.tp[1]), **limits)  # type: ignore[arg-type]
    return _ClosedLoop(Engine(engine, times), row).played()


class _ClosedLoop:
    def __init__(self, engine: Engine, row: Measured) -> None:
        self.engine, self.row, self.now_s = engine, row, 0.0
        self.sent: dict[str, float] = {}
        self.first: dict[str, float] = {}
        self.ttfts_s: list[float] = []
        self.tpots_s: list[float] = []

    def played(self) -> Simulated:
        for user in range(self.row.concurrency):
            self.send(f"{user} 1")
        while (step := self.engine.begin()) is not None:
            self.now_s += step.seconds
            self.ended(self.engine.end())
        return Simulated(_mean(self.ttfts_s), _mean(self.tpots_s))

    def send(self, key: str) -> None:
        self.sent[key] = self.now_s
        row = self.row
        self.engine.add(
            Sequence(key=key, input_tokens=row.input_tokens, output_tokens=row.output_tokens)
        )

    def ended(self, outcome: Outcome) -> None:
        for sequence in outcome.prefilled:
            self.first.setdefault(sequence.key, self.now_s)
        for sequence in outcome.finished:
            user, turn = sequence.key.split()
            self.ttfts_s.append(self.first[sequence.key] - self.sent[sequence.key])
            decode_s = self.now_s - self.first[sequence.key]
            self.tpots_s.append(decode_s / (self.row.output_tokens - 1))
            if int(turn) < ROUNDS:
                self.send(f"{user} {int(turn) + 1}")


def disaggregated(row: Measured, times: dict[Role, StepTimes]) -> Simulated:
    """The row's workers under the simulator, its users as closed loops of sessions."""
    roles = {
        role: RoleSpec(profile=engine_profile(row, tp))
        for role, tp in zip(Role, row.tp, strict=True)
    }
    spec = FleetSpec(slo=Slo(ttft_s=2.0, tpot_s=0.05), roles=roles, policy="static")
    replicas = dict(zip(Role, row.workers, strict=True))
    asked = Scenario(trace=_sessions(row), spec=spec, replicas=replicas, times=times)
    latencies = simulate(asked).latencies()
    ttft_s, tpot_s = latencies["ttft_s"].mean, latencies["tpot_s"].mean
    assert ttft_s is not None, "requests finish"
    assert tpot_s is not None, "of more than a token"
    return Simulated(ttft_s, tpot_s)


def _sessions(row: Measured) -> Trace:
    requests = [
        TraceRequest(
            arrival_s=0.0,
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
            session=f"user {user}",
        )
        for user in range(row.concurrency)
        for _ in range(ROUNDS)
    ]
    return Trace(name="closed loops", requests=tuple(requests))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)

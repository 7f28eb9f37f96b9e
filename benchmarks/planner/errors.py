"""Errors of the queueing models against simulations: what docs/concepts/queueing-model.md quotes.

Each figure is predicted over simulated, less one; the range over seeds and cases is printed.

    .venv/bin/python -m benchmarks.planner.errors [--seeds 3]
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from tests.planner.queueing.simulated import decode_run, lognormal, waits_s

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.library import profile
from tandem.planner.demand import Demand, from_requests
from tandem.planner.model import QUANTILES
from tandem.planner.prediction import predict
from tandem.planner.queueing import decode, prefill
from tandem.planner.queueing.tokens import steps_within
from tandem.planner.spec import FleetSpec, RoleSpec, Slo
from tandem.simulator.run import simulate
from tandem.simulator.scenario import Scenario
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

ENGINE = profile("h200-llama-3.1-8b-tp1")
ROOMY = replace(
    ENGINE, kv=replace(ENGINE.kv, capacity_tokens=10**8), batch_cap=4096, batch_tokens=8192
)


def main() -> None:
    """Print a line for each kind of case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    print("prefill: P99 wait of M/G/c, utilisation 0.7 to 0.9, 1 to 16 pods")
    for cv in (0.0, 0.5, 1.0, 1.5, 2.0):
        _say(f"  lognormal service, cv {cv}", _prefill(cv, 1.0, seeds))
    for ca2 in (0.25, 4.0, 8.0):
        _say(f"  cv 1, arrivals of Ca² {ca2:g}", _prefill(1.0, ca2, seeds))
    print("decode: 1 to 16 replicas, ρ 0.3 and 0.6")
    for ca2 in (0.25, 4.0, 8.0):
        pools = list(_decode(1.0, ca2, seeds))
        _say(f"  lengths of cv 1, Ca² {ca2:g}: P99 step", [pool[2] for pool in pools])
    for cv in (0.0, 1.0, 1.5):
        pools = list(_decode(cv, 1.0, seeds))
        for place, name in enumerate(("residents n*", "mean step", "P99 step", "P99 TPOT")):
            _say(f"  lengths of cv {cv}: {name}", [pool[place] for pool in pools])
    print("decode: KV 55 to 75 % full on average, n* = 20")
    scarce = list(_scarce_kv(seeds))
    for place, name in enumerate(("P(wait for KV)", "P99 from pull to first token")):
        _say(f"  {name}", [case[place] for case in scarce])
    print("fleet: the simulator, first come first served")
    for place, name in enumerate(("TTFT", "TPOT")):
        for cv in (0.0, 1.0):
            fleets = list(_fleets(cv, seeds))
            for index, quantile in enumerate(QUANTILES):
                errors = [fleet[place][index] for fleet in fleets]
                _say(f"  lengths of cv {cv}: {name} P{100 * quantile:g}", errors)


def _say(name: str, errors: list[float]) -> None:
    print(f"{name:45} {min(errors):+7.1%} to {max(errors):+7.1%}", flush=True)


def _prefill(cv: float, ca2: float, seeds: range) -> list[float]:
    errors = []
    for seed in seeds:
        for servers, use in (
            (1, 0.7),
            (1, 0.9),
            (2, 0.8),
            (4, 0.7),
            (4, 0.9),
            (16, 0.8),
            (16, 0.9),
        ):
            rng = np.random.default_rng(seed)
            sigma = np.sqrt(np.log1p(cv * cv))
            service_s = np.minimum(0.1 * np.exp(rng.normal(-(sigma**2) / 2, sigma, 200_000)), 4.0)
            work = prefill.of_service(service_s, np.full(len(service_s), 1 / len(service_s)))
            rate_rps = use * servers / work.mean_s
            arrivals_s = np.cumsum(rng.gamma(1 / ca2, ca2 / rate_rps, len(service_s)))
            seen_s = float(np.quantile(waits_s(arrivals_s, service_s, servers), 0.99))
            errors.append(prefill.wait(work, rate_rps, ca2, servers).quantile_s(0.99) / seen_s - 1)
    return errors


def _decode(cv: float, ca2: float, seeds: range) -> Iterator[tuple[float, float, float, float]]:
    for seed in seeds:
        for rho, replicas in ((0.3, 1), (0.6, 1), (0.3, 4), (0.6, 4), (0.3, 16)):
            rng = np.random.default_rng(seed)
            size = 40_000 * min(replicas, 4)
            lengths = lognormal(rng, 1500, cv, size), lognormal(rng, 150, cv, size)
            mix = from_requests(*lengths)
            work = decode.work(ROOMY, mix)
            rate_rps = rho / work.resident_s / work.mean_steps * replicas
            run = decode_run(ROOMY, replicas, rate_rps, lengths, rng, arrival_ca2=ca2)
            pool = decode.pool(work, rate_rps, replicas, arrival_ca2=ca2)
            seconds = np.linspace(pool.step_s[0], pool.step_s[-1], 4000)
            step99_s = np.interp(0.99, steps_within(pool, seconds), seconds)
            left = decode.averaging(pool, mix.output_tokens)
            steps = pool.mean_step_s + (seconds[:, None] - pool.mean_step_s) / left
            tpot99_s = np.interp(0.99, steps_within(pool, steps) @ mix.weights, seconds)
            yield (
                pool.residents / run.residents - 1,
                pool.mean_step_s / run.mean_step_s - 1,
                step99_s / run.step_quantile_s(0.99) - 1,
                tpot99_s / float(np.quantile(run.tpot_s[run.outputs > 1], 0.99)) - 1,
            )


def _scarce_kv(seeds: range) -> Iterator[tuple[float, float]]:
    for seed in seeds:
        for use in (0.55, 0.65, 0.75):
            rng = np.random.default_rng(seed)
            lengths = lognormal(rng, 1500, 0.6, 30_000), lognormal(rng, 150, 1.0, 30_000)
            mix = from_requests(*lengths)
            free = decode.work(ROOMY, mix)
            rate_rps = 20 / free.step_s(20) / free.mean_steps
            room = int(20 * free.context_tokens / use)
            tight = replace(ROOMY, kv=replace(ROOMY.kv, capacity_tokens=room))
            run = decode_run(tight, 1, rate_rps, lengths, rng)
            pool = decode.pool(decode.work(tight, mix), rate_rps, 1)
            steps_s = 2 * pool.mean_step_s  # what is left of one, and one's own
            waited = run.first_token_s > 1.1 * steps_s
            first_s = pool.admission.quantile_s(0.99) + steps_s
            yield (
                pool.admission.probability / float(waited.mean()) - 1,
                first_s / float(np.quantile(run.first_token_s, 0.99)) - 1,
            )


def _fleets(cv: float, seeds: range) -> Iterator[tuple[list[float], list[float]]]:
    for seed in seeds:
        for rate_rps, prefills, decodes in (
            (16.0, 1, 1),
            (30.0, 2, 1),
            (80.0, 5, 2),
            (250.0, 14, 6),
        ):
            rng = np.random.default_rng(seed)
            size = 40_000 if prefills > 10 else 20_000
            lengths = lognormal(rng, 1200, cv, size), lognormal(rng, 200, cv, size)
            arrivals_s = np.cumsum(rng.exponential(1 / rate_rps, size))
            yield _fleet_errors(ENGINE, (prefills, decodes), arrivals_s.tolist(), *lengths)


def _fleet_errors(
    engine: EngineProfile,
    pods: tuple[int, int],
    arrivals_s: list[float],
    inputs: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    outputs: "np.ndarray[tuple[int], np.dtype[np.float64]]",
) -> tuple[list[float], list[float]]:
    requests = tuple(
        TraceRequest(arrival_s=at, input_tokens=int(i), output_tokens=int(o))
        for at, i, o in zip(arrivals_s, inputs, outputs, strict=True)
    )
    spec = FleetSpec(
        slo=Slo(ttft_s=1.0, tpot_s=0.05), roles={role: RoleSpec(profile=engine) for role in Role}
    )
    replicas = dict(zip(Role, pods, strict=True))
    trace = Trace(name="poisson", requests=requests)
    seen = simulate(Scenario(trace=trace, spec=spec, replicas=replicas, order="fcfs")).latencies()
    rate_rps = len(requests) / arrivals_s[-1]
    told = predict(
        Demand(rate_rps=rate_rps, lengths=from_requests(inputs, outputs)), spec, replicas
    )
    both = []
    for name, values in (("ttft_s", told.ttft_s), ("tpot_s", told.tpot_s)):
        simulated = [getattr(seen[name], f"p{100 * quantile:g}") for quantile in QUANTILES]
        both.append([value / truth - 1 for value, truth in zip(values, simulated, strict=True)])
    return both[0], both[1]


if __name__ == "__main__":
    main()

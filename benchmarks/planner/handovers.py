"""Transfers of KV, told by the planner and simulated: mean and P95, by shape, use and hand-over.

The mean prompt takes 145 ms to compute; bandwidth is set so that the narrower kind of port (prefill pods
that send, decode pods that take) is used as asked, prefill to 70 %. What is waited for after the prefill
counts; errors are relative to that, or to a tenth of a prefill where that is more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from benchmarks.planner.pools import ENGINE

from tandem.api.role import Role
from tandem.planner.demand import Demand, Floats, from_requests
from tandem.planner.queueing import prefill
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.spec import FleetSpec, RoleSpec, Slo
from tandem.simulator.features import Handover
from tandem.simulator.run import simulate
from tandem.simulator.scenario import Scenario
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

SHAPES = ((1, 1), (4, 1), (8, 2), (4, 4), (2, 8), (16, 16))
USES = (0.1, 0.3, 0.5, 0.7, 0.9)
PUSHES = (0, 32)
REQUESTS = 12_000
PREFILL_USE = 0.7
SETTLED = 0.1  # of the requests, left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Mean and P95 in seconds, as told and as simulated."""

    prefills: int
    decodes: int
    use: float
    push_layers: int
    told_s: tuple[float, float]
    seen_s: tuple[float, float]
    errors: tuple[float, float]


def compared(*, quick: bool) -> Iterator[Compared]:
    """All shapes, or a few."""
    for prefills, decodes in SHAPES[1:5:2] if quick else SHAPES:
        for use in USES[1:4:2] if quick else USES:
            for push_layers in PUSHES:
                yield _compared(prefills, decodes, use, push_layers)


def _compared(prefills: int, decodes: int, use: float, push_layers: int) -> Compared:
    rng = np.random.default_rng(5)
    sigma = np.sqrt(np.log(2.0))
    inputs, outputs = (
        np.maximum(1.0, np.round(mean * np.exp(rng.normal(-(sigma**2) / 2, sigma, REQUESTS))))
        for mean in (1500, 150)
    )
    mix = from_requests(inputs, outputs)
    prefill_s = prefill.work(ENGINE, mix).mean_s
    rate_rps = PREFILL_USE * prefills / prefill_s
    moved = rate_rps * mix.mean_input * ENGINE.kv.bytes_per_token / min(prefills, decodes)
    transfer = replace(ENGINE.transfer, bandwidth_bytes_per_s=moved / use, push_layers=push_layers)
    engine = replace(ENGINE, transfer=transfer)
    roles = {role: RoleSpec(profile=engine) for role in Role}
    spec = FleetSpec(slo=Slo(ttft_s=1.0, tpot_s=1.0), roles=roles)
    arrivals_s = np.cumsum(rng.exponential(1 / rate_rps, REQUESTS))
    seen_s = _simulated_s(spec, (prefills, decodes), arrivals_s, inputs, outputs)
    told_s = _told_s(Tandem(Demand(rate_rps=rate_rps, lengths=mix), spec), prefills, decodes)
    known_s = float(seen_s.mean()), float(np.quantile(seen_s, 0.95))
    return Compared(
        prefills=prefills,
        decodes=decodes,
        use=use,
        push_layers=push_layers,
        told_s=told_s,
        seen_s=known_s,
        errors=(
            (told_s[0] - known_s[0]) / max(known_s[0], prefill_s / 10),
            (told_s[1] - known_s[1]) / max(known_s[1], prefill_s / 10),
        ),
    )


def _told_s(tandem: Tandem, prefills: int, decodes: int) -> tuple[float, float]:
    stage, weights = tandem.decode(decodes, prefills), tandem.lengths.weights
    paths_s, shares = tandem.paths(prefills, decodes)
    own_s = tandem.prefill_work.service_s + tandem.decode_work.own_s
    transfers_s = paths_s - np.tile(own_s, len(paths_s) // len(own_s))
    order = np.argsort(transfers_s)
    below = np.cumsum(shares[order])
    return float(weights @ stage.transfer_s), float(np.interp(0.95, below, transfers_s[order]))


def _simulated_s(
    spec: FleetSpec, pods: tuple[int, int], arrivals_s: Floats, inputs: Floats, outputs: Floats
) -> Floats:
    requests = tuple(
        TraceRequest(arrival_s=float(at), input_tokens=int(i), output_tokens=int(o))
        for at, i, o in zip(arrivals_s, inputs, outputs, strict=True)
    )
    push_layers = spec.roles[Role.DECODE].profile.transfer.push_layers
    table = simulate(
        Scenario(
            trace=Trace(name="poisson", requests=requests),
            spec=spec,
            replicas=dict(zip(Role, pods, strict=True)),
            order="fcfs",
            handover=Handover(push_layers=push_layers),
        )
    ).table
    waited_s = table.times["pulled_s"] - table.times["prefilled_s"]
    return waited_s[~np.isnan(waited_s)][int(SETTLED * REQUESTS) :]

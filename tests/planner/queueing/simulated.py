"""Throw-away simulations that the closed forms are held to."""

import heapq
from collections.abc import Sequence as Many
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.perf.engine import Engine
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.sequence import Sequence, Stage
from tandem.planner.spec import FleetSpec, RoleSpec, Slo
from tandem.simulator.run import simulate
from tandem.simulator.scenario import Scenario
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

Floats = NDArray[np.float64]


def lognormal(rng: np.random.Generator, mean: float, cv: float, size: int) -> Floats:
    """Whole numbers of at least 1."""
    sigma = np.sqrt(np.log1p(cv * cv))
    return np.maximum(1.0, np.round(mean * np.exp(rng.normal(-(sigma**2) / 2, sigma, size))))


def waits_s(arrivals_s: Floats, service_s: Floats, servers: int) -> Floats:
    """Waits in a first-come queue for any of `servers`; the first twentieth is left out."""
    free = [0.0] * servers
    waits = np.empty(len(arrivals_s))
    for index, (now_s, busy_s) in enumerate(zip(arrivals_s, service_s, strict=True)):
        start_s = max(free[0], now_s)
        waits[index] = start_s - now_s
        heapq.heapreplace(free, start_s + busy_s)
    return waits[len(waits) // 20 :]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRun:
    """What a pool of engines did in the middle of a run.

    `steps` has a row (seconds, residents) for each iteration; the others an entry for each request.
    """

    steps: Floats
    first_token_s: Floats
    tpot_s: Floats
    outputs: Floats

    @property
    def residents(self) -> float:
        """Mean over time of residents in a busy replica."""
        return float(np.average(self.steps[:, 1], weights=self.steps[:, 0]))

    @property
    def mean_step_s(self) -> float:
        """Mean over tokens."""
        return float(np.average(self.steps[:, 0], weights=self.steps[:, 1]))

    def step_quantile_s(self, share: float) -> float:
        """Over tokens."""
        order = np.argsort(self.steps[:, 0])
        shares = np.cumsum(self.steps[order, 1]) / self.steps[:, 1].sum()
        return float(self.steps[order][np.searchsorted(shares, share), 0])


def decode_run(
    profile: EngineProfile,
    replicas: int,
    rate_rps: float,
    lengths: tuple[Floats, Floats],
    rng: np.random.Generator,
    *,
    arrival_ca2: float = 1.0,
) -> DecodeRun:
    """Arrivals whose KV is there at once, sent to the replica with the shortest step.

    Gaps are gamma variables of squared variation `arrival_ca2`: 1 is Poisson.
    """
    pool = _Pool(profile, replicas, *lengths)
    gaps_s = rng.gamma(1 / arrival_ca2, arrival_ca2 / rate_rps, len(lengths[0]))
    arrivals_s = np.cumsum(gaps_s)
    pool.play(arrivals_s)
    middle = slice(len(arrivals_s) // 6, len(arrivals_s) * 9 // 10)
    steps = np.array(pool.steps)
    inside = (steps[:, 2] > arrivals_s[middle.start]) & (steps[:, 2] < arrivals_s[middle.stop])
    later = np.maximum(lengths[1] - 1, 1.0)
    return DecodeRun(
        steps=steps[inside, :2],
        first_token_s=(pool.firsts_s - arrivals_s)[middle],
        tpot_s=((pool.ends_s - pool.firsts_s) / later)[middle],
        outputs=lengths[1][middle],
    )


def transfers(
    profile: EngineProfile,
    pods: tuple[int, int],
    rate_rps: float,
    lengths: tuple[Floats, Floats],
    rng: np.random.Generator,
) -> Floats:
    """Seconds from the end of each prefill to when decode has its KV, in a fleet with KV to spare."""
    roomy = replace(profile, kv=replace(profile.kv, capacity_tokens=10**8), batch_cap=4096)
    arrivals_s = np.cumsum(rng.exponential(1 / rate_rps, len(lengths[0])))
    requests = tuple(
        TraceRequest(arrival_s=float(at), input_tokens=int(i), output_tokens=int(o))
        for at, i, o in zip(arrivals_s, *lengths, strict=True)
    )
    roles = {role: RoleSpec(profile=roomy) for role in Role}
    table = simulate(
        Scenario(
            trace=Trace(name="poisson", requests=requests),
            spec=FleetSpec(slo=Slo(ttft_s=10.0, tpot_s=1.0), roles=roles),
            replicas=dict(zip(Role, pods, strict=True)),
            order="fcfs",
        )
    ).table
    waited_s = table.times["pulled_s"] - table.times["prefilled_s"]
    return waited_s[~np.isnan(waited_s)]


class _Pool:
    def __init__(
        self, profile: EngineProfile, replicas: int, inputs: Floats, outputs: Floats
    ) -> None:
        self.cost = profile.decode
        self.engines = [Engine(profile) for _ in range(replicas)]
        self.loads = [[0, 0] for _ in range(replicas)]  # requests, tokens at their ends
        self.busy = [False] * replicas
        self.joining: list[list[Sequence]] = [[] for _ in range(replicas)]
        self.inputs, self.outputs = inputs.astype(int), outputs.astype(int)
        self.firsts_s, self.ends_s = np.zeros(len(inputs)), np.zeros(len(inputs))
        self.steps: list[tuple[float, int, float]] = []
        self.events: list[tuple[float, int, int, Many[Sequence]]] = []
        self.begun = 0

    def play(self, arrivals_s: Floats) -> None:
        coming = 0
        while coming < len(arrivals_s) or self.events:
            if coming < len(arrivals_s) and (
                not self.events or arrivals_s[coming] <= self.events[0][0]
            ):
                self._arrive(coming, float(arrivals_s[coming]))
                coming += 1
            else:
                self._end(*heapq.heappop(self.events))

    def _arrive(self, index: int, now_s: float) -> None:
        tokens = int(self.inputs[index] + self.outputs[index])
        where = min(
            range(len(self.engines)),
            key=lambda i: self.cost.step_s(self.loads[i][0] + 1, self.loads[i][1] + tokens),
        )
        self.loads[where][0] += 1
        self.loads[where][1] += tokens
        sequence = Sequence(
            key=str(index),
            input_tokens=int(self.inputs[index]),
            output_tokens=int(self.outputs[index]),
            remote_kv=True,
        )
        self.engines[where].add(sequence)
        self.joining[where].append(sequence)
        if not self.busy[where]:
            self._begin(where, now_s)

    def _begin(self, where: int, now_s: float) -> None:
        engine = self.engines[where]
        while (sequence := engine.next_load()) is not None:
            engine.loaded(sequence.key)
        step = engine.begin()
        self.busy[where] = step is not None
        if step is None:
            return
        joined = [s for s in self.joining[where] if s.stage is Stage.DECODING]
        self.joining[where] = [s for s in self.joining[where] if s.stage is not Stage.DECODING]
        self.begun += 1
        if step.decoding:
            self.steps.append((step.seconds, step.decoding, now_s))
        heapq.heappush(self.events, (now_s + step.seconds, self.begun, where, joined))

    def _end(self, now_s: float, _: int, where: int, joined: Many[Sequence]) -> None:
        outcome = self.engines[where].end()
        for sequence in joined:
            self.firsts_s[int(sequence.key)] = now_s
        for sequence in outcome.finished:
            index = int(sequence.key)
            self.ends_s[index] = now_s
            self.loads[where][0] -= 1
            self.loads[where][1] -= int(self.inputs[index] + self.outputs[index])
        self._begin(where, now_s)

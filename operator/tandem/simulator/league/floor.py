"""The floor: GPU-hours that no schedule can go below, whoever decides and whatever it knows.

Work is conserved: a request that meets its targets was computed somewhere, and what that takes of a
GPU's time has a lower bound that neither batching nor order nor foresight can pass.

Let an iteration take at least α + Σ w over the sequences it decodes, w = β + γ context, plus
b n + c (L² − p²) over the chunks of prompts it computes. Charge each iteration to what it computed: the
marginal terms to their owners, and α to the decoding sequences in proportion to their w.

Prefill. A prompt's chunks cost it b L + c L² in all, wherever it was cut. (The fixed cost a is not charged:
an iteration of both kinds pays only the larger of a and α.) Engines keep prefixes, so KV blocks that
several requests share are computed once at least: each of the k requests that name a block is charged 1/k
of the least that it takes any of them, so that any subset of them is charged at most what it takes.

Decode. An iteration of time τ holds W = Σ w <= τ − α. Its charge to one sequence, w + α w/W, is at least
w (1 + α/(τ − α)). The S gaps of an answer take S TPOT in all, at most, so by Cauchy and Schwarz

    Σ α w_j/(τ_j − α)  >=  α (Σ √w_j)² / Σ (τ_j − α)  >=  α (Σ √w_j)² / (S (TPOT − α))

and W never passes β cap + γ KV, so Σ α w_j/W_j >= α Σ w_j / (β cap + γ KV) too; the larger counts. A
first token that the decode leg computes lies in no gap and is charged by the second bound alone.

Preempting an answer replaces a step by a prompt of its whole context, which is dearer wherever b L
exceeds a step's charge; all profiles are far within that (b L is 10 ms and more at 200 tokens).

Sum. All of the time spent is at least the sum of the charges of those that met their targets, and at
least the share `attainment` of all arrivals has: the cheapest such set is the floor. It is no less than
the least replicas over the length of the trace.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.step_times import StepTimes
from tandem.planner.spec import FleetSpec
from tandem.simulator.league.least import Least, least
from tandem.traces.columns import columns
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest
from tandem.traces.statistics import block_tokens

Floats = NDArray[np.float64]
BIN_S = 15.0
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """Least seconds of a pod that each request takes, infinite where no fleet meets its targets.

    `resident_s` is how long it decodes if it just meets TPOT.
    """

    prefill_s: Floats
    decode_s: Floats
    resident_s: Floats


def work(trace: Trace, spec: FleetSpec, times: Mapping[Role, StepTimes]) -> Work:
    """The charges of the module's text, request by request; `times` are the true ones of each role."""
    seen = columns(trace)
    inputs = seen.input_tokens.astype(np.float64)
    outputs = seen.output_tokens.astype(np.float64)
    profiles = {role: spec.roles[role].profile for role in Role}
    room, block = _room(profiles), block_tokens(trace)
    fits = inputs + outputs - 1 <= room
    longest = float((inputs + outputs)[fits].max(initial=1.0))
    ends = np.concatenate([inputs, np.arange(0.0, inputs.max(), block)]) if block else inputs
    costs = {role: least(times[role], profiles[role], ends, longest) for role in Role}
    prefill_s = costs[Role.PREFILL].prompt_s(inputs)
    if block:
        prefill_s = _shared_s(costs[Role.PREFILL], trace.requests, block)
    decode = Decoding(costs[Role.DECODE], profiles[Role.DECODE], spec.slo.tpot_s)
    decode_s = decode.least_s(inputs, outputs, inf if block else float(room))
    return Work(
        prefill_s=prefill_s,
        decode_s=np.where(fits, decode_s, inf),
        resident_s=outputs * spec.slo.tpot_s,
    )


def gpu_hours(of: Work, spec: FleetSpec, duration_s: float) -> float:
    """The floor of a trace: its cheapest share, but no less than the fewest pods there must be."""
    accelerators = {role: spec.roles[role].profile.accelerators for role in Role}
    charges_s = of.prefill_s * accelerators[Role.PREFILL]
    charges_s = np.sort(charges_s + of.decode_s * accelerators[Role.DECODE])
    needed = ceil(spec.slo.attainment * len(charges_s) - 1e-9)  # 0.99 of 100 is 99, not 100
    least_s = sum(spec.roles[role].min_replicas * accelerators[role] for role in Role) * duration_s
    return max(float(charges_s[:needed].sum()), least_s) / _SECONDS_PER_HOUR


def pods_by_bin(of: Work, arrival_s: Floats, duration_s: float) -> tuple[Floats, Floats]:
    """Pods at full efficiency, per role and bin, if prompts are served as they come.

    Prefill work lies in the moment of arrival, decode work evenly over the time of the answer. Requests
    whose targets no fleet meets count as nothing.
    """
    edges = np.arange(0.0, duration_s + BIN_S, BIN_S)
    decode_s = np.where(np.isfinite(of.decode_s), of.decode_s, 0.0)
    prefill, _ = np.histogram(arrival_s, edges, weights=of.prefill_s)
    done = _done_by(edges, arrival_s, of.resident_s, decode_s)
    return prefill / BIN_S, np.diff(done) / BIN_S


def _shared_s(costs: Least, requests: Sequence[TraceRequest], block: int) -> Floats:
    """Prompts of hashed blocks, each charged by how many requests name it; what no hash tells is one's own."""
    pieces = [_pieces_s(costs, request, block) for request in requests]
    least_s: dict[int, float] = {}
    sharers = Counter(each for request in requests for each in request.hash_ids)
    for request, seconds in zip(requests, pieces, strict=True):
        for each, taken_s in zip(request.hash_ids, seconds, strict=False):
            least_s[each] = min(taken_s, least_s.get(each, inf))
    shares = {each: taken_s / sharers[each] for each, taken_s in least_s.items()}
    return np.array(
        [
            sum(shares[each] for each in request.hash_ids) + seconds[-1]
            for request, seconds in zip(requests, pieces, strict=True)
        ]
    )


def _pieces_s(costs: Least, request: TraceRequest, block: int) -> list[float]:
    """Least seconds of each hashed block of a prompt, and of the rest."""
    ends = np.arange(len(request.hash_ids) + 1.0) * block
    edges = np.append(np.minimum(ends, request.input_tokens), request.input_tokens)
    return [*np.diff(costs.prompt_s(edges)).tolist()]


@dataclass(frozen=True, slots=True)
class Decoding:
    """Least costs of decode, and the pace that it must hold."""

    costs: Least
    profile: EngineProfile
    tpot_s: float

    def least_s(self, inputs: Floats, outputs: Floats, room_tokens: float) -> Floats:
        """Seconds of a pod that answers take at least; infinite where no step is fast enough."""
        steps, alpha = outputs - 1, self.costs.alpha_s
        first, last = self._w(inputs), self._w(inputs + steps)
        total = steps * first + self.costs.gamma_s * steps * (steps + 1) / 2
        longest = float((inputs + outputs).max())
        by_room = alpha / self._fullest_s(min(room_tokens, self.profile.batch_cap * longest))
        slack_s = self.tpot_s - alpha
        by_pace = np.full_like(steps, inf)
        if slack_s > 0:
            by_pace = alpha * _root(first, last, steps) ** 2 / (np.maximum(steps, 1.0) * slack_s)
        gaps = np.where(steps > 0, total + np.maximum(by_pace, by_room * total), 0.0)
        if self.profile.first_token is Role.DECODE:
            gaps = gaps + first * (1 + by_room)
        return np.asarray(gaps)

    def _w(self, context: Floats) -> Floats:
        """β + γ context, of one sequence."""
        return self.costs.beta_s + self.costs.gamma_s * context

    def _fullest_s(self, context: float) -> float:
        """β + γ context, of a batch that is full."""
        return self.costs.beta_s * self.profile.batch_cap + self.costs.gamma_s * context


def _root(first: Floats, last: Floats, steps: Floats) -> Floats:
    """Σ √w at least: its integral, in a form that is exact and stable down to γ = 0."""
    ends = np.maximum(np.sqrt(first) + np.sqrt(last), 1e-300)
    return np.asarray(2 / 3 * steps * (first + np.sqrt(first * last) + last) / ends)


def _done_by(times_s: Floats, begin_s: Floats, lasts_s: Floats, work_s: Floats) -> Floats:
    """Work done by each time if each piece is done evenly over its own span."""
    rate = work_s / np.maximum(lasts_s, 1e-9)
    return _ramp(times_s, begin_s, rate) - _ramp(times_s, begin_s + lasts_s, rate)


def _ramp(times_s: Floats, begin_s: Floats, rate: Floats) -> Floats:
    """Σ rate (t − begin) over those that have begun."""
    order = np.argsort(begin_s)
    rates = np.concatenate([[0.0], np.cumsum(rate[order])])
    moments = np.concatenate([[0.0], np.cumsum(rate[order] * begin_s[order])])
    begun = np.searchsorted(begin_s[order], times_s)
    return np.asarray(rates[begun] * times_s - moments[begun])


def _room(profiles: Mapping[Role, EngineProfile]) -> int:
    """Tokens of the longest request that an engine of either role holds, or a little more."""
    return min(
        profile.kv.capacity_tokens // profile.kv.block_tokens * profile.kv.block_tokens
        for profile in profiles.values()
    )

"""Stages of replicas that differ: which share of the requests each kind gets, and what all do together.

- A prompt goes to any idle prefill pod, or waits for the next one. Pods of one kind that take x requests a
  second each are idle for 1 − x/μ of the time, and idle pods are found alike: x = κ/(1 + κ/μ), with κ such
  that all pods take λ. With λ near what they can do x is μ. The queue is then M/G/c with the mixture of all
  kinds' service times; derived here, checked against `simulator` (tests/planner/test_pools.py).
- A decode request goes where the iteration is shortest, which keeps τ alike: n = (τ − α)/b residents on
  each kind, less what it holds, and Σ D·n/τ = λE[O] gives τ (a pool whose α is above τ gets nobody).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tandem.planner.demand import Floats
from tandem.planner.queueing.decode import DecodePool, DecodeWork
from tandem.planner.queueing.prefill import PrefillWork, of_service
from tandem.planner.queueing.wait import Wait

ROUNDS = 40  # of a search for a root; each gains a bit
LEAST_RATE_RPS = 1e-9  # nobody comes, without a division by zero
NEARLY = 1 - 1e-9  # of what pods can do: beyond it, all work all of the time


def prefill_shares(mean_s: Sequence[float], pods: Sequence[int], rate_rps: float) -> Floats:
    """Shares of the prompts that each kind takes, of kinds with these mean times."""
    most_rps, count = 1 / np.array(mean_s), np.array(pods, dtype=np.float64)
    capacity_rps, rate_rps = float(count @ most_rps), max(rate_rps, LEAST_RATE_RPS)
    if rate_rps >= NEARLY * capacity_rps:
        busy: Floats = count * most_rps
        return busy / capacity_rps
    kappa = rate_rps / float(count.sum())
    for _ in range(ROUNDS):  # Newton, from below, of an increasing concave function
        lacks = rate_rps - float(count @ (kappa * most_rps / (most_rps + kappa)))
        if lacks <= 1e-9 * rate_rps:
            break
        kappa += lacks / float(count @ (most_rps / (most_rps + kappa)) ** 2)
    shares: Floats = count * most_rps / (most_rps + kappa)
    return shares / shares.sum()


def prefill_work(works: Sequence[PrefillWork], shares: Floats, weights: Floats) -> PrefillWork:
    """The mixture of kinds that take these shares."""
    service_s = np.concatenate([work.service_s for work in works])
    return of_service(service_s, np.outer(shares, weights).ravel())


def decode_shares(works: Sequence[DecodeWork], replicas: Sequence[int], rate_rps: float) -> Floats:
    """Shares of the requests that each kind takes."""
    count = np.array(replicas, dtype=np.float64)
    fixed_s, each_s, most = np.array(
        [(work.fixed_s, work.resident_s, work.capacity) for work in works]
    ).T
    tokens_per_s = rate_rps * max(works[0].mean_steps, 1e-9)
    low_s, high_s = float(fixed_s.min()), float((fixed_s + each_s * most).max())
    for _ in range(ROUNDS):
        step_s = (low_s + high_s) / 2
        if _given(count, step_s, fixed_s, each_s, most).sum() < tokens_per_s:
            low_s = step_s
        else:
            high_s = step_s
    rates = _given(count, high_s, fixed_s, each_s, most)
    shares: Floats = rates / rates.sum()
    return shares


def _given(count: Floats, step_s: float, fixed_s: Floats, each_s: Floats, most: Floats) -> Floats:
    """Tokens a second that kinds give when none makes a request wait longer for its next one."""
    residents = np.minimum(np.maximum((step_s - fixed_s) / each_s, 0.0), most)
    return count * residents / (fixed_s + each_s * residents)


def most_residents(work: DecodeWork, tpot_s: float) -> float:
    """Residents of a replica whose iteration takes the TPOT target, within its batch cap and KV."""
    room_s = max(tpot_s - work.fixed_s, 0.0)
    return min(room_s / work.resident_s, work.capacity)


def most_rps(work: DecodeWork, residents: float) -> float:
    """Requests a second that a replica ends with so many residents, at least one."""
    residents = max(residents, 1.0)
    return residents / (work.step_s(residents) * max(work.mean_steps, 1e-9))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Decode replicas of one kind: their share of the requests, their steady state and their links."""

    kind: int
    share: float
    pool: DecodePool
    link: float
    transfer_s: Floats


def as_one(parts: Sequence[Part]) -> DecodePool:
    """What requests see of all parts together; each part's own step is its requests' for all of their stay."""
    if len(parts) == 1:
        return parts[0].pool
    shares = np.array([part.share for part in parts])
    step_s = np.concatenate([part.pool.step_s for part in parts])
    order = np.argsort(step_s)
    of = np.concatenate([part.share * part.pool.shares for part in parts])
    waits = [part.pool.admission for part in parts]
    return DecodePool(
        step_s=step_s[order],
        shares=of[order],
        residents=float(shares @ [part.pool.residents for part in parts]),
        busy=float(shares @ [part.pool.busy for part in parts]),
        relaxation_s=float(shares @ [part.pool.relaxation_s for part in parts]),
        admission=Wait(
            min(1.0, float(shares @ [wait.probability for wait in waits])),
            min(wait.decay_per_s for wait in waits),
        ),
        kv_tokens=float(shares @ [part.pool.kv_tokens for part in parts]),
    )

"""Stages of replicas that differ: which share of the requests each kind gets, and what all do together.

- A prompt goes to any idle prefill pod, or waits for the next one. Pods of one kind that take x requests a
  second each are idle for 1 − x/μ of the time, and idle pods are found alike: x = κ/(1 + κ/μ), with κ such
  that all pods take λ. With λ near what they can do x is μ. The queue is then M/G/c with the mixture of all
  kinds' service times; derived here, checked against `simulator` (tests/planner/test_pools.py).
- A decode request goes where the iteration is shortest, which keeps τ alike: n = (τ − α)/b residents on
  each kind, and Σ D·n/τ = λE[O] gives τ (a kind whose α is above τ gets nobody). All swing as one pool.
- Links are taken at the mean of what the kinds' transfers take, at as many ports of one kind as are as busy
  as those of the busiest kind: too much for requests of the others, and never an overload that is not told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from tandem.planner.demand import Floats
from tandem.planner.queueing.decode import DecodeWork
from tandem.planner.queueing.link import LinkWork
from tandem.planner.queueing.prefill import PrefillWork, of_service

ROUNDS = 24  # of a search for a root; each gains a bit
PRECISE = 1e-9  # of a rate
LEAST_RATE_RPS = 1e-9  # nobody comes, without a division by zero
NEARLY = 1 - 1e-9  # of what pods can do: beyond it, all work all of the time
ALL = np.ones(1)  # of the prompts go to the only kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Decode replicas of one kind, and their share of the requests."""

    kind: int
    replicas: int
    share: float


def prefills(
    works: Sequence[PrefillWork], pods: Sequence[int], rate_rps: float, weights: Floats
) -> tuple[PrefillWork, Floats]:
    """What prompts cost pods of all kinds together, and the shares that each kind takes."""
    if len(works) == 1:
        return works[0], ALL
    if not any(pods):
        return works[0], np.eye(len(works))[0]
    shares = prefill_shares([work.mean_s for work in works], pods, rate_rps)
    return prefill_work(works, shares, weights), shares


def prefill_shares(mean_s: Sequence[float], pods: Sequence[int], rate_rps: float) -> Floats:
    """Shares of the prompts that each kind takes, of kinds with these mean times."""
    kinds = [(count, 1 / each_s) for count, each_s in zip(pods, mean_s, strict=True)]
    capacity_rps = sum(count * most_rps for count, most_rps in kinds)
    rate_rps = max(rate_rps, LEAST_RATE_RPS)
    if rate_rps >= NEARLY * capacity_rps:
        return np.array([count * most_rps / capacity_rps for count, most_rps in kinds])
    kappa = rate_rps / sum(pods)
    for _ in range(ROUNDS):  # Newton, from below, of an increasing concave function
        taken = [count * kappa * most_rps / (most_rps + kappa) for count, most_rps in kinds]
        lacks = rate_rps - sum(taken)
        if lacks <= PRECISE * rate_rps:
            break
        kappa += lacks / sum(count * (most / (most + kappa)) ** 2 for count, most in kinds)
    shares = np.array([count * most_rps / (most_rps + kappa) for count, most_rps in kinds])
    return shares / float(shares.sum())


def prefill_work(works: Sequence[PrefillWork], shares: Floats, weights: Floats) -> PrefillWork:
    """The mixture of kinds that take these shares."""
    service_s = np.concatenate([work.service_s for work in works])
    return of_service(service_s, np.outer(shares, weights).ravel())


def parts(
    works: Sequence[DecodeWork], replicas: Sequence[int], rate_rps: float
) -> tuple[Part, ...]:
    """The decode kinds that get any requests; the first where there is no replica."""
    there = [kind for kind, count in enumerate(replicas) if count] or [0]
    if len(there) == 1:
        return (Part(kind=there[0], replicas=replicas[there[0]], share=1.0),)
    counts = [replicas[kind] for kind in there]
    each = residents([works[kind] for kind in there], counts, rate_rps)
    held = [count * one for count, one in zip(counts, each, strict=True)]
    return tuple(
        Part(kind=kind, replicas=count, share=float(of / sum(held)))
        for kind, count, of in zip(there, counts, held, strict=True)
        if of > 0
    )


def residents(works: Sequence[DecodeWork], replicas: Sequence[int], rate_rps: float) -> list[float]:
    """Requests in a replica of each kind when none makes a request wait longer for its next token."""
    kinds = [(work.fixed_s, work.resident_s, work.capacity) for work in works]
    tokens_per_s = rate_rps * max(works[0].mean_steps, 1e-9)
    low_s = min(fixed_s for fixed_s, _, _ in kinds)
    high_s = max(fixed_s + each_s * most for fixed_s, each_s, most in kinds)
    for _ in range(ROUNDS):
        step_s, given = (low_s + high_s) / 2, 0.0
        for count, (fixed_s, each_s, most) in zip(replicas, kinds, strict=True):
            held = min(max((step_s - fixed_s) / each_s, 0.0), most)
            given += count * held / (fixed_s + each_s * held)
        if given < tokens_per_s:
            low_s = step_s
        else:
            high_s = step_s
    return [min(max((high_s - fixed_s) / each_s, 0.0), most) for fixed_s, each_s, most in kinds]


def decode_work(works: Sequence[DecodeWork], parts: Sequence[Part]) -> DecodeWork:
    """The one kind of which as many replicas have the same iteration at any number of requests in all.

    With τ alike, Σ D·(τ − α)/b of them: τ is linear in their number, so α is the mean of all kinds' with
    weights D/b, and b their harmonic mean. Room is the mean: requests go where there is some.
    """
    if len(parts) == 1:
        return works[parts[0].kind]
    works = [works[part.kind] for part in parts]
    replicas = [part.replicas for part in parts]
    count = np.array(replicas) / sum(replicas)
    columns = np.array(
        [
            (
                work.fixed_s,
                work.resident_s,
                work.heavy_s / work.resident_s,
                work.batch_cap,
                work.capacity,
                work.kv_tokens,
                work.prompt_s,
            )
            for work in works
        ]
    ).T
    quick = count / columns[1]
    fixed_s, heavy = (float(quick @ column / quick.sum()) for column in (columns[0], columns[2]))
    batch_cap, capacity, kv_tokens, prompt_s = (float(count @ column) for column in columns[3:])
    resident_s = float(1 / quick.sum())
    return replace(
        works[0],
        own_s=np.average([work.own_s for work in works], axis=0, weights=quick),
        fixed_s=fixed_s,
        resident_s=resident_s,
        heavy_s=heavy * resident_s,
        batch_cap=batch_cap,
        capacity=capacity,
        kv_tokens=kv_tokens,
        prompt_s=prompt_s,
    )


def link_work(works: Sequence[LinkWork], parts: Sequence[Part]) -> LinkWork:
    """The one kind of link that takes as long for each prompt, and as much of the domain, on average.

    Whether KV is pushed is told by the first kind.
    """
    if len(parts) == 1:
        return works[parts[0].kind]
    works, share = [works[part.kind] for part in parts], np.array([part.share for part in parts])
    mean_s = np.array([work.mean_s for work in works])
    of_domain_s = float(share @ [work.mean_s / work.domain_ports for work in works])
    return replace(
        works[0],
        alone_s=share @ [work.alone_s for work in works],
        mean_s=float(share @ mean_s),
        domain_ports=float(share @ mean_s) / of_domain_s if of_domain_s else inf,
        loading_token_s=float(share @ [work.loading_token_s for work in works]),
    )


def ports(works: Sequence[LinkWork], parts: Sequence[Part], work: LinkWork) -> float:
    """Ports of the mixed kind of link of which each is as busy as those of the busiest kind."""
    if len(parts) == 1:
        return parts[0].replicas
    return min(
        part.replicas * work.mean_s / (part.share * works[part.kind].mean_s) for part in parts
    )


def most_residents(work: DecodeWork, tpot_s: float) -> float:
    """Residents of a replica whose iteration takes the TPOT target, within its batch cap and KV."""
    room_s = max(tpot_s - work.fixed_s, 0.0)
    return min(room_s / work.resident_s, work.capacity)


def most_rps(work: DecodeWork, residents: float) -> float:
    """Requests a second that a replica ends with so many residents, at least one."""
    residents = max(residents, 1.0)
    return residents / (work.step_s(residents) * max(work.mean_steps, 1e-9))

"""Prefill is for nothing where no decode pod can read its KV: only pods of one revision pair."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tandem.api.role import Role
from tandem.routing.model import RoutePod


def paired(pods: Iterable[RoutePod]) -> Sequence[RoutePod]:
    """The pods; a prefill pod without a decode pod of its revision takes nothing new."""
    every = list(pods)
    readable = {pod.revision for pod in every if pod.role is Role.DECODE and not pod.draining}
    return [
        pod
        if pod.role is not Role.PREFILL or pod.revision in readable
        else replace(pod, draining=True)
        for pod in every
    ]


def lack(pods: Iterable[RoutePod]) -> str:
    """What a fleet lacks to serve anyone, in words; "" where a pair is there."""
    every = [pod for pod in pods if not pod.draining]
    revisions = {role: {pod.revision for pod in every if pod.role is role} for role in Role}
    absent = [role for role in Role if not revisions[role]]
    if absent:
        return f"no {' and no '.join(absent)} pod is ready"
    if not set.intersection(*revisions.values()):
        return "the prefill and the decode pods that are ready are of different revisions"
    return ""

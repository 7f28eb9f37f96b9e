"""A fleet's decisions as its cluster holds them."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tandem.api import duration
from tandem.api.decision_status import DecisionStatus, ReplicaPair
from tandem.api.parse import parse_fleet
from tandem.api.role import Role
from tandem.cluster.kubernetes.api import FLEET, KubernetesApi
from tandem.cluster.kubernetes.connection import default_namespace
from tandem.cluster.kubernetes.decisions import stored
from tandem.errors import InvalidInputError
from tandem.planner.decisions import Decisions, from_text
from tandem.planner.explanation import Explanation, Limit, Pair, State, Target
from tandem.planner.model import RunnerUp


async def decisions(name: str, namespace: str | None) -> Decisions:
    """What the operator kept of the fleet's decisions; what its status tells where that is all there is.

    Raises:
        InvalidInputError: there is no such fleet, or nothing was decided yet.
        TandemError: no way to a cluster, or no answer of it.

    """
    api = await KubernetesApi.connect()
    try:
        return await read(api, namespace or default_namespace(), name)
    finally:
        await api.close()


async def read(api: KubernetesApi, namespace: str, name: str) -> Decisions:
    """The same of an API server."""
    body = await api.get(FLEET, namespace, name)
    if body is None:
        there = sorted(each["metadata"]["name"] for each in await api.list(FLEET, namespace))
        known = ", ".join(there) or "there is none"
        raise InvalidInputError("NAME", name, f"a fleet in namespace {namespace}: {known}")
    for found in (_kept(await stored(api, namespace, name)), _told(body)):
        if found.told:
            return found
    raise InvalidInputError("NAME", name, "a fleet whose operator has decided something yet")


def _kept(text: str | None) -> Decisions:
    """Nothing where an operator of another release wrote what can't be read."""
    try:
        return Decisions() if text is None else from_text(text)
    except ValueError:
        return Decisions()


def _told(body: Mapping[str, Any]) -> Decisions:
    text = json.dumps((body.get("status") or {}).get("lastDecision"))
    try:
        last = DecisionStatus.model_validate_json(text, by_alias=True, by_name=False)
        return Decisions((of_status(body, last),))
    except ValidationError:
        return Decisions()


def of_status(body: Mapping[str, Any], last: DecisionStatus) -> Explanation:
    """As much of an explanation as a status holds."""
    slo = parse_fleet(body).spec.slo
    pair = dict(_pair(last.unclamped))
    limits = []
    for clamp in last.clamps:
        before, pair = pair, {**pair, clamp.role: clamp.after}
        limits.append(Limit(limit=clamp.limit, before=before, after=pair, reason=clamp.reason))
    other = last.counterfactual
    return Explanation(
        at_s=last.time.timestamp(),
        policy=parse_fleet(body).spec.autoscaling.policy.name,
        slo=Target(
            ttft_s=duration.seconds(slo.ttft.target),
            tpot_s=duration.seconds(slo.tpot.target),
            attainment=slo.attainment,
        ),
        state=State(
            rate_rps=last.inputs.arrivals_per_second, dispersion=last.inputs.arrival_dispersion
        ),
        wish=_pair(last.unclamped),
        notes=(last.reason,),
        limits=tuple(limits),
        result=_pair(last.final),
        runner_up=None
        if other is None
        else RunnerUp(replicas=_pair(other.replicas), reason=other.reason),
    )


def _pair(of: ReplicaPair) -> Pair:
    return {Role.PREFILL: of.prefill, Role.DECODE: of.decode}

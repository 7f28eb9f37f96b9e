"""Pods as the API server tells them, and what the fleet's port shows of them."""

from collections.abc import Mapping
from typing import Any

from tandem.api.role import Role
from tandem.cluster.kubernetes.labels import ENGINE_PORT, REVISION, ROLE
from tandem.cluster.kubernetes.trouble import (
    Trouble,
    condition,
    is_ready,
    last_words,
    seconds,
    statuses,
    trouble,
)
from tandem.cluster.pod import Pod, PodPhase

__all__ = ["Trouble", "is_engine", "is_gone", "pod", "trouble"]

Body = Mapping[str, Any]


def pod(body: Body) -> Pod:
    """An engine pod, from its labels, its status and its deletion timestamp."""
    metadata, phase = body["metadata"], _phase(body)
    ready = phase is PodPhase.READY
    return Pod(
        name=metadata["name"],
        role=Role(metadata["labels"][ROLE]),
        phase=phase,
        url=_url(body),
        revision=metadata["labels"].get(REVISION, ""),
        asked_s=seconds(metadata.get("creationTimestamp")) or 0.0,
        ready_s=seconds(condition(body, "Ready").get("lastTransitionTime")) if ready else None,
        restarts=sum(status.get("restartCount", 0) for status in statuses(body)),
        message=_message(body),
    )


def is_engine(body: Body) -> bool:
    """Whether a pod has the label of a role that exists."""
    return (body["metadata"].get("labels") or {}).get(ROLE, "") in set(Role)


def is_gone(body: Body) -> bool:
    """Whether all of a pod's containers have ended for good: evicted, or drained and done."""
    return body.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def _phase(body: Body) -> PodPhase:
    if "deletionTimestamp" in body["metadata"]:
        return PodPhase.DRAINING
    return PodPhase.READY if is_ready(body) else PodPhase.STARTING


def _url(body: Body) -> str:
    address = body.get("status", {}).get("podIP", "")
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{ENGINE_PORT}" if address else ""


def _message(body: Body) -> str:
    """Why it is not ready, why it goes, or how it last died."""
    found = trouble(body)
    if found is not None:
        return f"{found.reason}: {found.message}"
    disrupted = condition(body, "DisruptionTarget")
    if disrupted.get("status") == "True":
        return f"{disrupted.get('reason')}: {disrupted.get('message', '')}"
    died = (last_words(each) for each in statuses(body) if each.get("restartCount", 0))
    return next((words for words in died if words), "")

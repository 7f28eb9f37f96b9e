"""Why a pod does not serve, read from its status in the words a person needs.

Reasons are stable, so that a condition does not flap between two words for one thing: a pull that
fails is `ImagePullBackOff` between its tries too, and a container that dies again and again is
`CrashLoopBackOff` while it runs in between.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

STARTING_PATIENCE_S = 600.0  # of loading a model
LOST_PATIENCE_S = 60.0  # of a pod that was ready before
_CALM = frozenset({"ContainerCreating", "PodInitializing", ""})
_ONE_WORD = {"ErrImagePull": "ImagePullBackOff", "RegistryUnavailable": "ImagePullBackOff"}
_JUST_STARTED_S = 5.0

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a pod is not ready: a stable CamelCase reason, and a sentence."""

    reason: str
    message: str


def trouble(body: Body, now_s: float | None = None) -> Trouble | None:
    """What keeps a pod from serving; None where nothing does or it only needs time.

    With `now_s`, seconds since the epoch, also that it is not ready for too long.
    """
    if "deletionTimestamp" in body["metadata"] or is_ready(body):
        return None
    return _unscheduled(body) or _stuck(body) or _died(body) or _slow(body, now_s)


def condition(body: Body, type_: str) -> Body:
    """A condition of a pod; {} where it has none of that type."""
    conditions = body.get("status", {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == type_), {})


def is_ready(body: Body) -> bool:
    """Whether a pod's Ready condition holds."""
    return bool(condition(body, "Ready").get("status") == "True")


def statuses(body: Body) -> Iterator[Body]:
    """Statuses of all containers, those that run before the others first."""
    status = body.get("status", {})
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def seconds(stamp: str | None) -> float | None:
    """A timestamp of the API server in seconds since the epoch."""
    return datetime.fromisoformat(stamp).timestamp() if stamp else None


def last_words(status: Body) -> str:
    """How a container ended last; "" where it never did."""
    ended = _ended(status)
    if not ended:
        return ""
    count = status.get("restartCount", 0)
    times = f" {count} times, last" if count > 1 else ""
    reason, message = ended.get("reason", ""), _line(ended.get("message"))
    why = f" ({reason})" if reason not in {"", "Error", "Completed"} else ""
    said = f": {message}" if message else ""
    return (
        f"container {status['name']} ended{times} with exit code {ended.get('exitCode')}{why}{said}"
    )


def _unscheduled(body: Body) -> Trouble | None:
    scheduled = condition(body, "PodScheduled")
    if scheduled.get("status") != "False":
        return None
    reason = scheduled.get("reason") or "Unschedulable"
    return Trouble(reason, f"no node takes the pod: {_line(scheduled.get('message')) or reason}")


def _stuck(body: Body) -> Trouble | None:
    """A container that waits for what will not come by itself."""
    for status in statuses(body):
        waiting = status.get("state", {}).get("waiting", {})
        reason = _ONE_WORD.get(waiting.get("reason", ""), waiting.get("reason", ""))
        if reason in _CALM or (reason == "CrashLoopBackOff" and _ended(status)):
            continue
        said = _line(waiting.get("message")) or "the kubelet gave no message"
        if "Image" in reason:
            return Trouble(reason, f"image {status.get('image')} can't be had: {said}")
        return Trouble(reason, f"container {status['name']} can't be started: {said}")
    return None


def _died(body: Body) -> Trouble | None:
    """A container that ended and has not been ready since."""
    if _was_ready(body):
        return None
    for status in statuses(body):
        ended = _ended(status)
        if not ended or status.get("ready") or _finished(status):
            continue
        if ended.get("reason") == "OOMKilled":
            advice = "it needs more memory than its limit"
            return Trouble("OOMKilled", f"{last_words(status)}: {advice}")
        return Trouble("CrashLoopBackOff", last_words(status))
    return None


def _slow(body: Body, now_s: float | None) -> Trouble | None:
    """Not ready for longer than a start, or a lapse, may take."""
    since_s = seconds(condition(body, "Ready").get("lastTransitionTime"))
    if now_s is None or since_s is None:
        return None
    started_s, lost = _started_s(body), _was_ready(body)
    for_s = now_s - since_s
    if for_s < (LOST_PATIENCE_S if lost else STARTING_PATIENCE_S):
        return None
    if started_s is None:
        return Trouble("ContainerCreating", f"containers are being made for {for_s:.0f} s")
    failing = "its readiness probe fails" if lost else "it started, but is not ready"
    return Trouble("NotReady", f"{failing} for {for_s:.0f} s")


def _was_ready(body: Body) -> bool:
    """Whether the pod was ready after its containers started: then it became unready later."""
    since_s, started_s = (
        seconds(condition(body, "Ready").get("lastTransitionTime")),
        _started_s(body),
    )
    return since_s is not None and started_s is not None and since_s > started_s + _JUST_STARTED_S


def _started_s(body: Body) -> float | None:
    """When the last container of the pod started; None while one has not."""
    running = [status.get("state", {}).get("running") for status in _main(body)]
    if not running or not all(running):
        return None
    return max(seconds(each.get("startedAt")) or 0.0 for each in running if each)


def _main(body: Body) -> list[Body]:
    return list(body.get("status", {}).get("containerStatuses") or ())


def _ended(status: Body) -> Body:
    """The last end of a container, {} where it never ended."""
    for state in (status.get("state", {}), status.get("lastState", {})):
        if state.get("terminated"):
            ended: Body = state["terminated"]
            return ended
    return {}


def _finished(status: Body) -> bool:
    """An init container that did what it should."""
    return bool(status.get("state", {}).get("terminated", {}).get("exitCode") == 0)


def _line(message: str | None) -> str:
    return " ".join((message or "").split())

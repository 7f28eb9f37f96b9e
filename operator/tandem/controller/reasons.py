"""Types and reasons of conditions, and the words in which a trouble is told: one table each."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

from tandem.cluster.kubernetes.api_error import ApiError
from tandem.cluster.kubernetes.trouble import Trouble as PodTrouble
from tandem.errors import InvalidInputError


class Type(StrEnum):
    """The claims, in the order in which a status lists them."""

    READY = "Ready"
    RECONCILED = "Reconciled"
    METRICS_FRESH = "MetricsFresh"
    SLO_MET = "SLOMet"
    CAPACITY_AVAILABLE = "CapacityAvailable"
    PROVISIONING = "Provisioning"
    RATIO_SATISFIED = "RatioSatisfied"
    MODEL_TRUSTED = "ModelTrusted"
    MEMORY_KEPT = "MemoryKept"
    PAUSED = "Paused"


class Reason(StrEnum):
    """Why a condition holds or not."""

    ENOUGH_PODS = "EnoughPods"  # every role has its fewest replicas Ready
    PODS_STARTING = "PodsStarting"  # pods are on their way, nothing is amiss
    NOTHING_STARTING = "NothingStarting"  # every pod that was asked for is there
    NOT_LOOKED = "NotLooked"  # no tick has ended yet
    AS_ASKED = "AsAsked"  # the last tick asked the cluster for all that was planned
    FRESH = "Fresh"  # arrivals are known and young enough
    METRICS_MISSING = "MetricsMissing"  # they are missing, stale or impossible: autoscaling.onStale
    ATTAINED = "Attained"  # of the last minutes' requests, the share asked for met both targets
    MISSED = "Missed"  # a smaller share did
    NO_REQUESTS = "NoRequests"  # none ended, so there is nothing to judge
    TOO_FEW = "TooFewRequests"  # too few ended to judge by
    PODS_PLACED = "PodsPlaced"  # every pod has a node
    WITHIN_BOUNDS = "WithinBounds"  # ready pods keep to the ratio, or none was set
    OUT_OF_BOUNDS = "OutOfBounds"  # they do not
    AS_PREDICTED = "AsPredicted"  # users miss about as many targets as the model says
    NOT_AS_PREDICTED = "NotAsPredicted"  # they do not: autoscaling.onUntrusted
    NO_MODEL = "NoModel"  # the policy asks none, or has not yet
    KEPT = "Kept"  # the planner's memory is whole
    MODE_PAUSED = "ModePaused"  # autoscaling.mode is Paused
    MODE_AUTO = "ModeAuto"  # it is not

    INVALID_SPEC = "InvalidSpec"  # the resource asks for what can't be done
    PROFILE_NOT_FOUND = "ProfileNotFound"  # it names an EngineProfile that is not there
    API_ERROR = "ApiError"  # the API server is away, slow, or refused a request
    TICK_FAILED = "TickFailed"  # any other error ended a tick
    UNSCHEDULABLE = "Unschedulable"  # the scheduler finds no node for a pod
    IMAGE_PULL_FAILED = "ImagePullFailed"  # a node can't get an image
    PODS_REFUSED = "PodsRefused"  # quota or admission keeps pods from being made
    PODS_NOT_READY = "PodsNotReady"  # a pod crashes, or starts for too long
    NO_GATEWAY = "NoGateway"  # no pod of the gateway takes requests
    MEMORY_REBUILT = "MemoryRebuilt"  # the planner's memory was lost or damaged


# How a trouble is told: what it is, the words that were found, what to do about it.
SAID: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.INVALID_SPEC: "The spec can't be carried out, so nothing changes until it is mended: {}.",
        Reason.PROFILE_NOT_FOUND: "An EngineProfile is missing, make it or mend profileRef: {}.",
        Reason.API_ERROR: "A request to the API server failed and is tried again: {}.",
        Reason.TICK_FAILED: "A look at the fleet failed and is tried again: {}.",
        Reason.UNSCHEDULABLE: "No node has room for a pod, add nodes or lower replicas.max: {}.",
        Reason.IMAGE_PULL_FAILED: "An image can't be pulled, mend its name or the pull secret: {}.",
        Reason.PODS_REFUSED: "Pods are refused, raise the quota or mend the pool's template: {}.",
        Reason.PODS_NOT_READY: "A pod does not get Ready, look at it and at its log: {}.",
        Reason.NO_GATEWAY: "No gateway takes requests: {}.",
        Reason.MEMORY_REBUILT: "The planner learns the last hour's traffic anew: {}.",
    }
)
SPEC = (Reason.INVALID_SPEC, Reason.PROFILE_NOT_FOUND)
LOOP = (Reason.API_ERROR, Reason.TICK_FAILED)
PODS = (  # the one that a person can do something about comes first
    Reason.IMAGE_PULL_FAILED,
    Reason.UNSCHEDULABLE,
    Reason.PODS_REFUSED,
    Reason.PODS_NOT_READY,
)
# What the kubelet, the scheduler and the Deployment controller call it; the rest is a pod's own.
_FOUND = {
    "Unschedulable": Reason.UNSCHEDULABLE,
    "SchedulerError": Reason.UNSCHEDULABLE,
    "ReplicaFailure": Reason.PODS_REFUSED,
    "FailedCreate": Reason.PODS_REFUSED,
}
_NO_PROFILE = "the name of an EngineProfile"  # how `planner.from_resource` says what it lacks
_REQUEST_ERRORS = ("ApiError", "Conflict", "Forbidden", "Unreachable", "TimeoutError", "OSError")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is amiss: a reason of `SAID`, and the words that were found."""

    reason: Reason
    words: str

    @property
    def message(self) -> str:
        """One sentence that a person can act on."""
        return SAID[self.reason].format(self.words.strip().rstrip("."))


def of_pod(name: str, found: PodTrouble) -> Trouble:
    """The trouble of a pod, or of a Deployment that gets none, by the word that Kubernetes has."""
    reason = _FOUND.get(found.reason, Reason.PODS_NOT_READY)
    if "Image" in found.reason:
        reason = Reason.IMAGE_PULL_FAILED
    return Trouble(reason, f"{name}: {found.message}")


def of_error(error: Exception) -> Trouble:
    """The trouble that an error of a turn stands for."""
    if isinstance(error, InvalidInputError):
        missing = error.field.endswith(".profileRef") and error.allowed.startswith(_NO_PROFILE)
        return Trouble(Reason.PROFILE_NOT_FOUND if missing else Reason.INVALID_SPEC, str(error))
    if isinstance(error, ApiError):
        refused = error.status == HTTPStatus.UNPROCESSABLE_ENTITY  # a child of a bad pod template
        return Trouble(Reason.INVALID_SPEC if refused else Reason.API_ERROR, str(error))
    reason = Reason.API_ERROR if isinstance(error, OSError) else Reason.TICK_FAILED
    return Trouble(reason, f"{type(error).__name__}: {error}".rstrip(": "))


def of_tick(error: str) -> Trouble:
    """The trouble of a tick that tells its error as "Type: message"."""
    is_request = error.partition(":")[0] in _REQUEST_ERRORS
    return Trouble(Reason.API_ERROR if is_request else Reason.TICK_FAILED, error)

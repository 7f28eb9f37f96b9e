"""Alerts: when, how loud, what it means, and what to do about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tandem.cluster import series
from tandem.dashboards import promql, slo
from tandem.dashboards.promql import FLEET, FLEET_NAMESPACE, is_, select
from tandem.dashboards.rules import BY, attainment, burn_rate, of_fleets, target

_ROLE = (*BY, "role")
_ON = f"on ({', '.join(BY)})"
_KNOWN = promql.most(series.ATTAINMENT_TARGET, *BY)  # fleets whose resource could be read
_WHO = f"{{{{ $labels.{FLEET_NAMESPACE} }}}}/{{{{ $labels.{FLEET} }}}}"
_VALUE = "{{ $value | humanize }}"
_SHARE = "{{ $value | humanizePercentage }}"

_TURNS = 6  # ups, and as many downs, of a role within an hour: more is flapping
_EXPIRED = 0.01  # of the arrivals: more KV that expires is no accident
_OFF = 0.1  # of the requests: a prediction that is so much too good misleads


class Severity(StrEnum):
    """Critical wakes somebody, a warning waits until the morning."""

    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert; `lasts` is how long its query must hold before it fires."""

    name: str
    promql: str
    lasts: str
    severity: Severity
    summary: str
    description: str
    runbook: str


def alerts() -> Iterator[Alert]:
    """Every alert, those that users feel first."""
    yield _burn("TandemFastBurn", slo.FAST, Severity.CRITICAL)
    yield _burn("TandemSteadyBurn", slo.STEADY, Severity.CRITICAL)
    yield _burn("TandemSlowBurn", slo.SLOW, Severity.WARNING)
    yield from (_at_limit(), _model_off(), _untrusted(), _flapping(), _kv_expires())
    yield from (_not_ready(), _no_capacity(), _stale(), _invalid(), _ticks_fail(), _down())


def _burn(name: str, burn: slo.Burn, severity: Severity) -> Alert:
    above = (f"{burn_rate(window)} > {burn.rate:g}" for window in (burn.long, burn.short))
    return Alert(
        name=name,
        promql=" and ".join(above),
        lasts="0m",
        severity=severity,
        summary=f"{_WHO} misses its SLO.",
        description=f"The error budget of {_WHO} is used up {_VALUE} times too fast over "
        f"{burn.long}, and it still goes on.",
        runbook="Open the dashboard Tandem / Fleet: the tallest band of the time to first token "
        "says which stage is slow. Pods that wait or do not start come first (kubectl describe "
        "dllm), then replicas.max, budget and ratio, then the targets themselves.",
    )


def _at_limit() -> Alert:
    short = " > ".join(promql.most(name, *_ROLE) for name in (series.OPTIMAL, series.DESIRED))
    return Alert(
        name="TandemAtItsLimit",
        promql=f"({short}) and {_ON} ({attainment('30m')} < {target()})",
        lasts="15m",
        severity=Severity.WARNING,
        summary=f"{_WHO} misses its SLO and may not grow.",
        description=f"The policy would run {_VALUE} {{{{ $labels.role }}}} pods, but a limit of "
        "the resource forbids it, and fewer requests meet the SLO than were promised.",
        runbook="Raise replicas.max or the budget, widen the ratio, or lower what the SLO asks "
        "for; kubectl describe dllm names the limit that bites.",
    )


def _model_off() -> Alert:
    predicted = promql.most(series.PREDICTED_ATTAINMENT, *BY)
    return Alert(
        name="TandemPredictionOff",
        promql=f"{predicted} - {attainment('30m')} > {_OFF}",
        lasts="30m",
        severity=Severity.WARNING,
        summary=f"Fewer requests of {_WHO} meet the SLO than the model predicts.",
        description=f"The prediction of {_WHO} is {_SHARE} of the requests too good.",
        runbook="If desired pods are missing, mend that first. Else the EngineProfile does not "
        "fit the engine: measure it anew on the accelerators in use, with the engine's flags.",
    )


def _untrusted() -> Alert:
    return Alert(
        name="TandemModelUntrusted",
        promql=_condition("ModelTrusted"),
        lasts="10m",
        severity=Severity.WARNING,
        summary=f"The model of {_WHO} is set aside.",
        description=f"For 10 minutes replicas of {_WHO} have gone by autoscaling.onUntrusted (bands of "
        "use, if it says nothing), for users get something else than the model says.",
        runbook="status.model tells what was learnt of the engines against their EngineProfile, and of "
        "which role. A profile of other engines, flags or accelerators has to be measured anew; "
        "else look for pods that are slower than the others.",
    )


def _flapping() -> Alert:
    changes = promql.total(promql.growth(series.DECISIONS, "1h"), *_ROLE, "direction")
    return Alert(
        name="TandemFlapping",
        promql=f"min by ({', '.join(_ROLE)}) ({changes}) > {_TURNS}",
        lasts="0m",
        severity=Severity.WARNING,
        summary=f"{_WHO} goes up and down again and again.",
        description=f"{{{{ $labels.role }}}} pods of {_WHO} were added and removed {_VALUE} times "
        "each within an hour.",
        runbook="Lengthen autoscaling.behavior.scaleDown.window or lower its maxStep; look whether "
        "traffic comes in waves that are shorter than a pod's start.",
    )


def _kv_expires() -> Alert:
    expired, came = (
        of_fleets(promql.growth(name, "15m")) for name in (series.VLLM.kv_expired, series.ARRIVALS)
    )
    return Alert(
        name="TandemKVLeaseExpires",
        promql=f"{expired} > {_EXPIRED} * {came}",
        lasts="5m",
        severity=Severity.WARNING,
        summary=f"KV of {_WHO} expires before decode engines pull it.",
        description=f"{_VALUE} prompts of the last 15 minutes were computed and their KV lost: "
        "each cost a prefill for nothing, or was computed twice.",
        runbook="Look for decode pods that are full or stuck (KV cache in use, requests that "
        "wait), then for a gateway that was killed; raise engine.kvTransfer.lease only if pulls "
        "are merely slow.",
    )


def _not_ready() -> Alert:
    return Alert(
        name="TandemFleetNotReady",
        promql=f"{_condition('Ready')} and {_KNOWN}",
        lasts="15m",
        severity=Severity.CRITICAL,
        summary=f"{_WHO} has fewer pods than it needs at least.",
        description=f"For 15 minutes a role of {_WHO} has had fewer pods Ready than replicas.min.",
        runbook="kubectl describe dllm says in the condition Ready what keeps pods back: an image, "
        "a node, a quota or a crash; kubectl logs of the pod has the rest.",
    )


def _no_capacity() -> Alert:
    return Alert(
        name="TandemNoCapacity",
        promql=_condition("CapacityAvailable"),
        lasts="5m",
        severity=Severity.WARNING,
        summary=f"No node has room for a pod of {_WHO}.",
        description=f"Pods that {_WHO} needs have waited for a node for 5 minutes.",
        runbook="Add nodes with the accelerators that the pool's template asks for, free some, or "
        "lower replicas.max; the condition CapacityAvailable has the scheduler's words.",
    )


def _stale() -> Alert:
    return Alert(
        name="TandemMetricsStale",
        promql=_condition("MetricsFresh"),
        lasts="5m",
        severity=Severity.WARNING,
        summary=f"Nobody knows the arrivals of {_WHO}.",
        description=f"Figures of {_WHO} have been missing or too old for 5 minutes; replicas stay "
        "as they are, or at their maximum (autoscaling.onStale), whatever the traffic does.",
        runbook="The condition MetricsFresh says which figure is missing and why. Look whether the "
        "gateway's pod is there and whether its /metrics, or the Prometheus of spec.metrics, can "
        "be reached from the operator.",
    )


def _invalid() -> Alert:
    return Alert(
        name="TandemFleetInvalid",
        promql=f"{_condition('Reconciled')} unless {_KNOWN}",
        lasts="5m",
        severity=Severity.WARNING,
        summary=f"{_WHO} can't be carried out as it is written.",
        description=f"The operator can't read {_WHO}, or what it refers to; nothing of it changes "
        "until it is mended.",
        runbook="kubectl describe dllm: the condition Reconciled names the field, the value and "
        "what is allowed, or the EngineProfile that is missing.",
    )


def _ticks_fail() -> Alert:
    failed, all_ = (
        promql.total(promql.growth(select(series.TICKS, *matchers), "10m"), *BY)
        for matchers in ((is_("outcome", "error"),), ())
    )
    return Alert(
        name="TandemTicksFail",
        promql=f"({promql.share(failed, all_)} > 0.5) and {_KNOWN}",
        lasts="5m",
        severity=Severity.WARNING,
        summary=f"The operator fails to look after {_WHO}.",
        description=f"{_SHARE} of the turns of {_WHO} failed within 10 minutes.",
        runbook="The condition Reconciled and the operator's log have the error. 403 is a missing "
        "right, 409 again and again is another controller that writes the same fields, no answer "
        "is the API server or the network.",
    )


def _down() -> Alert:
    return Alert(
        name="TandemOperatorDown",
        promql=f"absent({series.BUILD})",
        lasts="5m",
        severity=Severity.CRITICAL,
        summary="No operator is seen.",
        description="For 5 minutes Prometheus has had no figures of the operator: no fleet is "
        "scaled, though all go on serving as they are.",
        runbook="Look at the operator's pod in its namespace (kubectl get pods, kubectl logs "
        "--previous), then whether Prometheus scrapes it.",
    )


def _condition(type_: str) -> str:
    return f"{promql.most(select(series.CONDITION, is_('type', type_)), *BY)} == 0"

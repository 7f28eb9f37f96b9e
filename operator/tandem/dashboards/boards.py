"""The dashboards: one fleet, and the operator of all fleets."""

from tandem.api.role import Role
from tandem.cluster import series
from tandem.dashboards import health, latency, load, scaling, service_level
from tandem.dashboards.model import Board, Line, Look, Panel, Row, Step, Unit, Variable
from tandem.dashboards.promql import (
    FLEET,
    FLEET_NAMESPACE,
    is_,
    is_not,
    most,
    rate,
    select,
    share,
    total,
)

_FLEET = f"{{{{{FLEET_NAMESPACE}}}}}/{{{{{FLEET}}}}}"
_CALM = 'type!~"Provisioning|Paused"'  # conditions that are no fault whatever they say
_MOST_SHOWN = 10  # fleets in one panel


def fleet() -> Board:
    """One fleet, chosen by namespace and name."""
    chosen = select(series.CONDITION, is_(FLEET_NAMESPACE, "$namespace"))
    return Board(
        name="fleet",
        title="Tandem / Fleet",
        text="One fleet: whether it keeps its SLO, where the time goes, what the operator decided.",
        rows=(
            service_level.row(),
            *latency.rows(),
            scaling.row(),
            load.row(),
            health.row(),
        ),
        variables=(
            Variable(
                name="namespace",
                label="Namespace",
                query=f"label_values({series.CONDITION}, {FLEET_NAMESPACE})",
            ),
            Variable(name="fleet", label="Fleet", query=f"label_values({chosen}, {FLEET})"),
        ),
        marks=scaling.marks(),
    )


def operator() -> Board:
    """The operator: its turns, its requests, and the fleets that are not well."""
    turns = (_ticks(), _tick_seconds(), _requests(), _refused())
    return Board(
        name="operator",
        title="Tandem / Operator",
        text="The operator: whether its turns end well and in time, what it asks of the API "
        "server, and which fleets are not well.",
        rows=(
            Row("Fleets", (*_counts(), _unwell(), _oldest(), _decisions())),
            Row("Turns and requests", turns),
        ),
    )


ALL = (fleet, operator)


def _counts() -> tuple[Panel, Panel, Panel]:
    ready = select(series.CONDITION, is_("type", "Ready"))
    fleets = f"count(max by ({FLEET_NAMESPACE}, {FLEET}) ({ready}))"
    unready = f"count(max by ({FLEET_NAMESPACE}, {FLEET}) ({ready}) < 1) or vector(0)"
    pods = total(most(select(series.READY), FLEET_NAMESPACE, FLEET, "role"), "role")
    return (
        Panel(
            title="Fleets",
            text="Fleets that the operator looks after.",
            unit=Unit.NUMBER,
            look=Look.NUMBERS,
            lines=(Line(promql=fleets, legend="fleets"),),
        ),
        Panel(
            title="Fleets that are not Ready",
            text="Fleets with fewer pods Ready than a role needs at least, or not looked at yet.",
            unit=Unit.NUMBER,
            look=Look.NUMBERS,
            lines=(Line(promql=unready, legend="not Ready"),),
            steps=(Step(None, "green"), Step(1.0, "red")),
        ),
        Panel(
            title="Pods that take requests",
            text="Ready pods of all fleets, by role.",
            unit=Unit.NUMBER,
            look=Look.NUMBERS,
            lines=(Line(promql=pods, legend="{{role}}"),),
        ),
    )


def _unwell() -> Panel:
    false = f"{select(series.CONDITION, _CALM)} == bool 0"
    return Panel(
        title="Conditions that are False",
        text="How many fleets have each condition False. The fleet's own dashboard and `kubectl "
        "describe dllm` say why.",
        unit=Unit.NUMBER,
        lines=(Line(promql=total(false, "type"), legend="{{type}}"),),
    )


def _oldest() -> Panel:
    oldest = most(select(series.METRICS_AGE), FLEET_NAMESPACE, FLEET)
    return Panel(
        title="Fleets with the oldest figures",
        text="Age of the oldest figure that the last look at a fleet was based on.",
        unit=Unit.SECONDS,
        lines=(
            Line(
                promql=f"topk({_MOST_SHOWN}, {oldest})",
                legend=_FLEET,
                may_be_empty="no figure of the last looks had an age",
            ),
        ),
    )


def _decisions() -> Panel:
    changes = total(rate(select(series.DECISIONS)), "role", "direction")
    return Panel(
        title="Decisions a second",
        text=f"Changes of {' and '.join(Role)} replicas over all fleets.",
        unit=Unit.PER_SECOND,
        lines=(Line(promql=changes, legend="{{role}} {{direction}}"),),
    )


def _ticks() -> Panel:
    return Panel(
        title="Turns a second",
        text="Looks at fleets, by how they ended. A turn that failed is tried again after a pause "
        "that grows; the operator's log has its error.",
        unit=Unit.PER_SECOND,
        width=12,
        lines=(Line(promql=total(rate(select(series.TICKS)), "outcome"), legend="{{outcome}}"),),
    )


def _tick_seconds() -> Panel:
    summed, counted = (f"{series.TICK_SECONDS}_{part}" for part in ("sum", "count"))
    whole = share(total(rate(summed)), total(rate(counted)))
    by = (FLEET_NAMESPACE, FLEET)
    each = share(total(rate(summed), *by), total(rate(counted), *by))
    return Panel(
        title="Seconds a turn",
        text="Mean seconds of a turn over all fleets, and of the slowest fleets. Most of it is "
        "waiting for metrics and for the API server.",
        unit=Unit.SECONDS,
        width=12,
        lines=(
            Line(promql=whole, legend="all fleets"),
            Line(promql=f"topk({_MOST_SHOWN}, {each})", legend=_FLEET),
        ),
    )


def _requests() -> Panel:
    return Panel(
        title="Requests to the API server",
        text="Requests a second by verb and answer; those of watches are not counted.",
        unit=Unit.REQUESTS_PER_SECOND,
        width=12,
        lines=(
            Line(
                promql=total(rate(select(series.API_REQUESTS)), "verb", "code"),
                legend="{{verb}} {{code}}",
            ),
        ),
    )


def _refused() -> Panel:
    bad = select(series.API_REQUESTS, 'code!~"2.."', is_not("code", "404"))
    return Panel(
        title="Requests that the API server did not grant",
        text="Answers other than 2xx and 404, a second. 409 is a change by somebody else in the "
        "meantime and is tried again; 403 is a missing right; 0 is no answer.",
        unit=Unit.REQUESTS_PER_SECOND,
        width=12,
        lines=(
            Line(
                promql=total(rate(bad), "verb", "code"),
                legend="{{verb}} {{code}}",
                may_be_empty="every request was granted",
            ),
        ),
    )

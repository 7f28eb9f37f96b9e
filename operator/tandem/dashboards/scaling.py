"""Prefill and decode: what is there, what was decided, what would be best, and which stage is full."""

from tandem.api.role import Role
from tandem.cluster import series
from tandem.dashboards import promql
from tandem.dashboards.model import Line, Look, Mark, Panel, Row, State, Unit
from tandem.dashboards.promql import is_, most, share, told, total
from tandem.planner.model import Bottleneck

_OVERLOADED = "a stage that is predicted to be overloaded has no finite utilisation"
_COUNTS = {
    "ready": series.READY,
    "starting": series.STARTING,
    "draining": series.DRAINING,
    "desired": series.DESIRED,
}


def row() -> Row:
    """The row."""
    pods = tuple(_replicas(role) for role in Role)
    return Row(
        "Prefill and decode",
        (_pods_now(), _ratio_now(), *pods, _ratio(), _utilisation(), _bottleneck(), *_money()),
    )


def marks() -> tuple[Mark, ...]:
    """Decisions, up and down."""
    desired = most(told(series.DESIRED), "role")
    before = most(f"{told(series.DESIRED)} offset 1m", "role")
    return tuple(
        Mark(
            name=f"Scaled {direction}",
            promql=f"{desired} {sign} {before}",
            title=f"{{{{role}}}} {direction}",
            colour=colour,
            may_be_empty="nothing was decided within the last minute",
        )
        for direction, sign, colour in (("up", ">", "orange"), ("down", "<", "blue"))
    )


def _replicas(role: Role) -> Panel:
    mine = is_("role", role.value)
    counts = (
        Line(promql=most(told(name, mine)), legend=legend) for legend, name in _COUNTS.items()
    )
    optimal = Line(promql=most(told(series.OPTIMAL, mine)), legend="optimal", target=True)
    return Panel(
        title=f"{role.value.capitalize()} pods",
        text=f"{role.value.capitalize()} pods that take requests, that are on their way and that "
        "finish what they have; what was decided, and the policy's wish before any limit. Desired "
        "below optimal for long: a limit (max, ratio, budget) holds the fleet back.",
        unit=Unit.NUMBER,
        width=12,
        lines=(*counts, optimal),
    )


def _pods_now() -> Panel:
    return Panel(
        title="Pods now",
        text="Pods that take requests, and how many the policy would have without any limit.",
        unit=Unit.NUMBER,
        look=Look.NUMBERS,
        width=16,
        lines=tuple(
            Line(promql=most(told(name, is_("role", role.value))), legend=f"{role.value} {legend}")
            for role in Role
            for legend, name in (("ready", series.READY), ("optimal", series.OPTIMAL))
        ),
    )


def _ratio_now() -> Panel:
    return Panel(
        title="Prefill pods for each decode pod, now",
        text="The ratio of the pods that take requests, and the one that the policy would have.",
        unit=Unit.NUMBER,
        look=Look.NUMBERS,
        lines=_ratios(),
    )


def _ratio() -> Panel:
    return Panel(
        title="Prefill pods for each decode pod",
        text="The ratio over time. Traffic with longer prompts moves the best one up, traffic "
        "with longer answers moves it down.",
        unit=Unit.NUMBER,
        lines=_ratios(),
    )


def _ratios() -> tuple[Line, Line]:
    now, best = (
        share(*(most(told(name, is_("role", role.value))) for role in (Role.PREFILL, Role.DECODE)))
        for name in (series.READY, series.OPTIMAL)
    )
    return Line(promql=now, legend="now"), Line(promql=best, legend="optimal", target=True)


def _utilisation() -> Panel:
    used = most(told(series.UTILISATION), "stage")
    return Panel(
        title="Predicted utilisation",
        text="Share of each stage's capacity that the model expects to be used by the replicas "
        "that were decided on. Near 1 waiting grows without end.",
        unit=Unit.SHARE,
        lines=(Line(promql=used, legend="{{stage}}", may_be_empty=_OVERLOADED),),
    )


def _bottleneck() -> Panel:
    stages = [stage for stage in Bottleneck if stage is not Bottleneck.NONE]
    named = "|".join(stage.value for stage in stages)
    matcher = f'stage=~"{named}"'
    return Panel(
        title="Gives way first",
        text="The stage that the model expects to break the SLO first when load grows.",
        unit=Unit.NUMBER,
        look=Look.STATES,
        lines=(Line(promql=most(told(series.BOTTLENECK, matcher), "stage"), legend="{{stage}}"),),
        states=(State(0, "holds", "transparent"), State(1, "gives way first", "orange")),
    )


def _money() -> tuple[Panel, Panel]:
    cost = Line(
        promql=most(told(series.COST)),
        legend="cost per hour",
        may_be_empty="no price stands in the EngineProfiles",
    )
    steps = total(promql.growth(told(series.DECISIONS)), "role", "direction")
    return (
        Panel(
            title="Cost per hour",
            text="What all pods that are not yet gone cost an hour, in the currency of the "
            "EngineProfiles.",
            unit=Unit.NUMBER,
            lines=(cost,),
        ),
        Panel(
            title="Decisions",
            text="How often replicas were changed. Up and down in turn, again and again, is "
            "flapping: a longer scaleDown.window calms it.",
            unit=Unit.NUMBER,
            width=16,
            lines=(Line(promql=steps, legend="{{role}} {{direction}}"),),
        ),
    )

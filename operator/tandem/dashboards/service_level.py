"""The first row for one fleet: is the promise kept, and how fast is its error budget used up?"""

from tandem.cluster import series
from tandem.dashboards import promql, slo
from tandem.dashboards.model import Line, Look, Panel, Row, Step, Unit
from tandem.dashboards.promql import most, told

_BURN_STEPS = (
    Step(None, "green"),
    Step(slo.SLOW.rate, "yellow"),
    Step(slo.STEADY.rate, "orange"),
    Step(slo.FAST.rate, "red"),
)


def row() -> Row:
    """The row."""
    return Row("Service level", (_now(), _budget(), _burn_now(), _attainment(), _burn()))


def _now() -> Panel:
    return Panel(
        title="Attainment, last 5 minutes",
        text="Share of the requests that met both the TTFT and the TPOT target, beside the share "
        "that the SLO asks for. Requests that were refused or broke off count as missed.",
        unit=Unit.SHARE,
        look=Look.NUMBERS,
        lines=(
            Line(promql=slo.attainment("5m"), legend="attained"),
            Line(promql=slo.target(), legend="asked"),
        ),
    )


def _budget() -> Panel:
    return Panel(
        title="Error budget left, 30 days",
        text="What is left of the requests that may miss the SLO, over 30 days or as far back as "
        "Prometheus keeps samples. Below 0 the SLO is broken for the period.",
        unit=Unit.SHARE,
        look=Look.NUMBERS,
        lines=(Line(promql=slo.budget_left(), legend="left"),),
        steps=(Step(None, "red"), Step(0.0, "orange"), Step(0.25, "green")),
    )


def _burn_now() -> Panel:
    return Panel(
        title="Burn rate now",
        text="How many times too fast the error budget is used up, over four windows. 1 uses up "
        "exactly the budget of 30 days; alerts come at 14.4 (1 h and 5 min), 6 (6 h and 30 min) "
        "and 1 (3 d and 6 h).",
        unit=Unit.NUMBER,
        look=Look.NUMBERS,
        lines=tuple(Line(promql=slo.burn_rate(each), legend=each) for each in slo.WINDOWS),
        steps=_BURN_STEPS,
    )


def _attainment() -> Panel:
    return Panel(
        title="Attainment",
        text="Share of the requests that met both targets as the gateway counted them, as the "
        "operator read it, and as the model predicted it for the replicas that were decided on.",
        unit=Unit.SHARE,
        width=12,
        from_zero=False,
        lines=(
            Line(promql=slo.attainment(grown=promql.rate), legend="attained"),
            Line(promql=most(told(series.ATTAINMENT)), legend="as the operator read it"),
            Line(promql=most(told(series.PREDICTED_ATTAINMENT)), legend="predicted"),
            Line(promql=slo.target(), legend="asked", target=True),
        ),
    )


def _burn() -> Panel:
    return Panel(
        title="Burn rate",
        text="How many times too fast the error budget is used up. A short window above the "
        "line while a long one is not is a spike; both above it is an alert.",
        unit=Unit.NUMBER,
        width=12,
        lines=tuple(Line(promql=slo.burn_rate(each), legend=each) for each in slo.WINDOWS[:3]),
        steps=_BURN_STEPS,
    )

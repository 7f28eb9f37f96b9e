"""What users felt: time to first token and where it went, time per token, and what was predicted."""

from tandem.api.role import Role
from tandem.cluster import series
from tandem.dashboards import promql
from tandem.dashboards.model import Line, Panel, Row, Unit
from tandem.dashboards.promql import average, most, quantile, told
from tandem.planner.model import QUANTILES

_SHOWN = (0.5, 0.95, 0.99)
_TRANSFER = series.VLLM.kv_transfer
_PULLER = promql.is_(promql.TARGET_ROLE, Role.DECODE.value)
_NO_PULL = "an engine that keeps KV by itself, or finds all of a prompt cached, pulls nothing"


def rows() -> tuple[Row, Row]:
    """Both rows."""
    felt = (
        _percentiles("Time to first token", series.TTFT, series.TTFT_TARGET),
        _percentiles("Time per output token", series.TPOT, series.TPOT_TARGET),
        _percentiles("Time between streamed tokens", series.ITL, series.TPOT_TARGET),
        _mean_split(),
        _slow_split(),
        _percentiles("Whole answer", series.E2E, None),
    )
    predicted = (
        _compared("Time to first token", series.TTFT, series.PREDICTED_TTFT, series.TTFT_TARGET),
        _compared("Time per output token", series.TPOT, series.PREDICTED_TPOT, series.TPOT_TARGET),
    )
    return Row("Latency", felt), Row("Predicted against observed", predicted)


def _percentiles(title: str, observed: str, target: str | None) -> Panel:
    asked = () if target is None else (_target(target),)
    return Panel(
        title=title,
        text=f"{title} as the gateway saw it: half, 95 % and 99 % of the requests were faster"
        + ("." if target is None else ", beside the SLO's target."),
        unit=Unit.SECONDS,
        lines=(*(_observed(at, observed, f"p{at * 100:.0f}") for at in _SHOWN), *asked),
    )


def _compared(title: str, observed: str, predicted: str, target: str) -> Panel:
    assert set(_SHOWN) <= set(QUANTILES)
    pairs = (
        line
        for at in _SHOWN
        for line in (
            _observed(at, observed, f"p{at * 100:.0f} observed"),
            Line(
                promql=most(told(predicted, promql.is_("quantile", str(at)))),
                legend=f"p{at * 100:.0f} predicted",
                may_be_empty="a stage that is predicted to be overloaded has no finite quantile",
            ),
        )
    )
    return Panel(
        title=f"{title}, predicted and observed",
        text="What the gateway saw, beside what the model predicted for the replicas that were "
        "decided on and the arrivals of the last minute. They part where the model is wrong, where "
        "pods are still on their way, or where the profile does not fit the engine.",
        unit=Unit.SECONDS,
        width=12,
        lines=(*pairs, _target(target)),
    )


def _mean_split() -> Panel:
    transfer, handover = average(_TRANSFER, _PULLER), average(series.HANDOVER)
    first = f"clamp_min({handover} - ({transfer} or vector(0)), 0)"
    return Panel(
        title="Where the time to first token goes, mean",
        text="Mean seconds of a request in each stage up to its first token: waiting at the "
        "gateway, the prefill leg, the pull of its KV, and the first decode step with the wait "
        "before it, of streamed answers. Means add up; quantiles do not. The tallest band is the "
        "stage to look at.",
        unit=Unit.SECONDS,
        stacked=True,
        lines=(
            Line(promql=average(series.QUEUE), legend="queue"),
            Line(promql=average(series.PREFILL_LEG), legend="prefill"),
            Line(promql=transfer, legend="transfer", may_be_empty=_NO_PULL),
            Line(promql=first, legend="first decode"),
        ),
    )


def _slow_split() -> Panel:
    stages = (
        (series.QUEUE, "queue", ()),
        (series.PREFILL_LEG, "prefill", ()),
        (_TRANSFER, "transfer", (_PULLER,)),
        (series.HANDOVER, "hand-over (transfer and first decode)", ()),
    )
    return Panel(
        title="Where the time to first token goes, 95th percentile",
        text="Each stage by itself: 95 % of the requests spent less in it. The stages of one "
        "request need not be slow together, so these do not add up. The hand-over is that of "
        "streamed answers.",
        unit=Unit.SECONDS,
        lines=tuple(
            Line(
                promql=quantile(0.95, name, *matchers),
                legend=legend,
                may_be_empty=_NO_PULL if name == _TRANSFER else "",
            )
            for name, legend, matchers in stages
        ),
    )


def _observed(at: float, name: str, legend: str) -> Line:
    return Line(promql=quantile(at, name), legend=legend)


def _target(name: str) -> Line:
    return Line(promql=most(told(name)), legend="target", target=True)

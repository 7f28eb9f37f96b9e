"""What is amiss with one fleet: its conditions, old figures, tries again, KV that was lost, bad ends."""

from tandem.cluster import series
from tandem.dashboards.model import Line, Look, Panel, Row, State, Unit
from tandem.dashboards.promql import is_not, most, rate, scraped, told, total

_NEVER_YET = "nothing of the kind has happened since the gateway started"


def row() -> Row:
    """The row."""
    return Row("Trouble", (_conditions(), _age(), _ended(), _retries(), _kv()))


def _conditions() -> Panel:
    return Panel(
        title="Conditions",
        text="Conditions of the resource; `kubectl describe dllm` has each one's reason and what "
        "to do. Provisioning and Paused are no faults.",
        unit=Unit.NUMBER,
        look=Look.STATES,
        width=16,
        lines=(Line(promql=most(told(series.CONDITION), "type"), legend="{{type}}"),),
        states=(
            State(1, "True", "green"),
            State(0, "False", "orange"),
            State(-1, "Unknown", "blue"),
        ),
    )


def _age() -> Panel:
    return Panel(
        title="Age of the figures",
        text="Age of the oldest figure that the last look at the fleet was based on. Beyond "
        "metrics.maxAge autoscaling.onStale says what follows.",
        unit=Unit.SECONDS,
        lines=(
            Line(
                promql=most(told(series.METRICS_AGE)),
                legend="oldest figure",
                may_be_empty="no figure of the last look had an age",
            ),
        ),
    )


def _ended() -> Panel:
    bad = total(rate(scraped(series.FINISHED, is_not("outcome", "ok"))), "outcome")
    return Panel(
        title="Requests that ended otherwise than well",
        text="Refused: no room or no pod in time. Cut: broken after the first token. Error: every "
        "try failed. Cancelled: the user left. Invalid: the user's mistake.",
        unit=Unit.REQUESTS_PER_SECOND,
        lines=(Line(promql=bad, legend="{{outcome}}"),),
    )


def _retries() -> Panel:
    tries = total(rate(scraped(series.RETRIES)), "leg", "reason")
    return Panel(
        title="Legs that were tried again",
        text="Legs of a request that failed before its first token and went to another pair of "
        "pods, by what went wrong.",
        unit=Unit.REQUESTS_PER_SECOND,
        lines=(Line(promql=tries, legend="{{leg}}: {{reason}}", may_be_empty=_NEVER_YET),),
    )


def _kv() -> Panel:
    let_go = total(rate(scraped(series.RELEASES)), "outcome")
    return Panel(
        title="KV that was not handed over",
        text="A second: prompts whose KV expired before anybody pulled it, pulls that failed, and "
        "KV that the gateway let go because the user had left. The first two cost a prefill each.",
        unit=Unit.PER_SECOND,
        lines=(
            Line(promql=total(rate(scraped(series.VLLM.kv_expired))), legend="expired"),
            Line(promql=total(rate(scraped(series.VLLM.kv_failed))), legend="pulls that failed"),
            Line(promql=let_go, legend="let go: {{outcome}}", may_be_empty=_NEVER_YET),
        ),
    )

"""What comes in, what waits, and how full engines are."""

from tandem.api.role import Role
from tandem.cluster import series
from tandem.dashboards.model import Line, Panel, Row, Unit
from tandem.dashboards.promql import (
    TARGET_ROLE,
    engines,
    is_,
    mean,
    most,
    rate,
    scraped,
    total,
)

_ENGINE = series.VLLM
_ROLE = f"{{{{{TARGET_ROLE}}}}}"


def row() -> Row:
    """The row."""
    panels = (_arrivals(), _tokens(), _bursts(), _waiting(), _waiting_tokens(), _flight())
    return Row("Load", (*panels, _kv_use(), _busy(), _preempted()))


def _arrivals() -> Panel:
    ended = rate(scraped(series.FINISHED, is_("outcome", "ok")))
    return Panel(
        title="Arrivals",
        text="Requests a second that came in, and that were answered to their last token.",
        unit=Unit.REQUESTS_PER_SECOND,
        lines=(
            Line(promql=total(rate(scraped(series.ARRIVALS))), legend="came in"),
            Line(promql=total(ended), legend="answered"),
        ),
    )


def _tokens() -> Panel:
    prompts, answers = (
        total(rate(engines(name, role)))
        for name, role in (
            (_ENGINE.prompt_tokens, Role.PREFILL),
            (_ENGINE.generation_tokens, Role.DECODE),
        )
    )
    return Panel(
        title="Tokens a second",
        text="Tokens of prompts through prefill engines, and of answers from decode engines.",
        unit=Unit.PER_SECOND,
        lines=(Line(promql=prompts, legend="prompts"), Line(promql=answers, legend="answers")),
    )


def _bursts() -> Panel:
    spans = ((series.DISPERSION, "1 s"), (series.DISPERSION_10S, "10 s"))
    young = "a gateway knows it after its first minutes with requests"
    return Panel(
        title="Burstiness",
        text="Variance over mean of the arrivals in 1 s and in 10 s. 1 is a Poisson stream; the "
        "higher, the more room the model leaves for bursts.",
        unit=Unit.NUMBER,
        lines=tuple(
            Line(promql=most(scraped(name)), legend=legend, may_be_empty=young)
            for name, legend in spans
        ),
    )


def _waiting() -> Panel:
    engine = total(scraped(_ENGINE.waiting), TARGET_ROLE)
    return Panel(
        title="Requests that wait",
        text="At the gateway for a prefill pod, and inside the engines of each role. The gateway "
        "keeps the queue, so engines should have next to none.",
        unit=Unit.NUMBER,
        lines=(
            Line(promql=total(scraped(series.QUEUED_REQUESTS)), legend="gateway"),
            Line(promql=engine, legend=_ROLE),
        ),
    )


def _waiting_tokens() -> Panel:
    return Panel(
        title="Prompt tokens that wait",
        text="Input tokens of the requests that wait at the gateway: the work ahead of a new one.",
        unit=Unit.NUMBER,
        lines=(Line(promql=total(scraped(series.QUEUED_TOKENS)), legend="gateway"),),
    )


def _flight() -> Panel:
    return Panel(
        title="Requests in flight",
        text="Legs that the gateway has out at the pods of each role, and prompts that are done "
        "but whose KV nobody has pulled yet.",
        unit=Unit.NUMBER,
        lines=(
            Line(promql=total(scraped(series.IN_FLIGHT), "role"), legend="{{role}}"),
            Line(promql=total(scraped(series.PINNED)), legend="not pulled yet"),
        ),
    )


def _kv_use() -> Panel:
    used = scraped(_ENGINE.kv_usage)
    return Panel(
        title="KV cache in use",
        text="Share of the KV cache in use: the mean over the pods of a role, and the fullest one. "
        "A full decode engine preempts requests.",
        unit=Unit.SHARE,
        lines=(
            Line(promql=mean(used, TARGET_ROLE), legend=f"{_ROLE}, mean"),
            Line(promql=most(used, TARGET_ROLE), legend=f"{_ROLE}, fullest"),
        ),
    )


def _busy() -> Panel:
    return Panel(
        title="Prefill pods at work",
        text="Share of the time that a prefill pod had a prompt to compute: mean over the pods.",
        unit=Unit.SHARE,
        lines=(Line(promql=mean(rate(scraped(series.PREFILL_BUSY))), legend="busy"),),
    )


def _preempted() -> Panel:
    return Panel(
        title="Preemptions",
        text="Requests a second that an engine put back for want of KV; each is computed again.",
        unit=Unit.PER_SECOND,
        lines=(Line(promql=total(rate(scraped(_ENGINE.preemptions)), TARGET_ROLE), legend=_ROLE),),
    )

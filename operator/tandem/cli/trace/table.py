"""A trace's figures as a person reads them, and as JSON holds them."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from tandem.traces.statistics import Lengths, Statistics

_UNKNOWN = "-"


def as_json(name: str, figures: Statistics) -> dict[str, Any]:
    """The figures; what a trace can't tell is null."""
    fano = {f"{window_s:g}s": value for window_s, value in figures.fano.items()}
    return {"trace": name, **asdict(figures), "fano": fano, "classes": dict(figures.classes)}


def show(name: str, figures: Statistics) -> None:
    """Print the figures."""
    console = Console(highlight=False)
    told = Table(box=None, pad_edge=False, show_header=False)
    told.add_column()
    told.add_column(style="bold", justify="right", no_wrap=True)
    for row in rows(name, figures):
        told.add_row(*row)
    console.print(told)
    console.print(_lengths(figures))


def rows(name: str, figures: Statistics) -> Iterator[tuple[str, str, str]]:
    """Each figure's name, its value, and what to know of it."""
    yield "trace", name, ""
    yield "requests", f"{figures.requests:,}", f"in {figures.span_s:,.6g} s"
    yield (
        "requests/s",
        number(figures.rate_rps),
        f"on average, {number(figures.peak_rps)} in the busiest 10 s",
    )
    for window_s, value in figures.fano.items():
        yield f"Fano, {window_s:g} s", number(value), "variance over mean of counts; Poisson: 1"
    yield "gap variation", number(figures.gap_cv), "deviation over mean of gaps; Poisson: 1"
    yield "idle minutes", share(figures.idle_share), "in which nothing arrives"
    ratio = figures.input_per_output
    swing = f"{number(ratio.least)} to {number(ratio.most)} by 10 minutes"
    yield "input:output", number(ratio.mean), f"tokens in for each out, {swing}"
    if figures.prefix_reuse is not None:
        yield "prefix reuse", share(figures.prefix_reuse), "of input tokens an endless cache has"
    if figures.sessions:
        yield "sessions", f"{figures.sessions:,}", "closed loops"
    for kind, count in figures.classes.items():
        yield f"class {kind}", f"{count:,}", "requests"


def number(value: float | None) -> str:
    """Three figures, or a dash for what is not known."""
    return _UNKNOWN if value is None else f"{value:.3g}"


def share(value: float | None) -> str:
    """A share in per cent."""
    return _UNKNOWN if value is None else f"{value:.0%}"


def columns(lengths: Lengths) -> tuple[str, ...]:
    """Mean, percentiles and largest, as heads of `HEADS` name them."""
    values = (lengths.mean, lengths.p50, lengths.p90, lengths.p99, lengths.largest)
    return tuple(f"{value:,.0f}" for value in values)


HEADS = ("tokens", "mean", "P50", "P90", "P99", "largest")


def _lengths(figures: Statistics) -> Table:
    told = Table(box=None, pad_edge=False)
    for head in HEADS:
        told.add_column(head, justify="left" if head == HEADS[0] else "right")
    told.add_row("input", *columns(figures.input_tokens))
    told.add_row("output", *columns(figures.output_tokens))
    return told

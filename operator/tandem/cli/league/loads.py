"""Which traces compete: files and built-in loads by name, or a suite of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tandem.errors import InvalidInputError
from tandem.simulator.league import fingerprint
from tandem.simulator.league.job import Load
from tandem.traces.named import CHARACTERS
from tandem.traces.names import LOADS

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Contender:
    """A load of the suites: the hour it begins with, and the rate at which it takes some ten pods.

    `ttft` is its own where two seconds are less than an idle engine needs for its prompts.
    """

    name: str
    source: str
    hour: int = 0
    rate_rps: float | None = None
    ttft: str | None = None


CONTENDERS = (
    Contender("azure-conv", "azure2023/AzureLLMInferenceTrace_conv.csv.gz", rate_rps=20.0),
    Contender("mooncake", "mooncake/synthetic_trace.jsonl.gz", ttft="30s"),  # as its paper asks
    Contender("m-large", "servegen/m-large_day2_x0.05.parquet", hour=8, rate_rps=15.0),
    Contender("mm-image", "servegen/mm-image_24h.parquet", hour=8, rate_rps=15.0),
    Contender("sine-10528", "sine-10528", ttft="3s"),  # as the issue does
    Contender("bursty", "bursty", rate_rps=10.0),
    Contender("drift", "drift", hour=6, ttft="5s"),
    Contender("multi-turn", "multi-turn", ttft="30s"),
)


def named(texts: Sequence[str], rate_rps: float | None, duration_s: float | None) -> list[Load]:
    """Loads of `--trace`, each a file or the name of a built-in one."""
    loads = [replace(_load(text), rate_rps=rate_rps, duration_s=duration_s) for text in texts]
    for name, load in zip((load.name for load in loads), loads, strict=True):
        if [other.name for other in loads].count(name) > 1:
            raise InvalidInputError("--trace", load.path or name, "traces of different names")
    return loads


def quick(data: Path | None) -> list[tuple[Load, str | None]]:
    """An hour of every contender, with the TTFT of its own."""
    return list(_suite(data, HOUR_S))


def full(data: Path | None) -> list[tuple[Load, str | None]]:
    """Six hours of every contender that lasts so long, the others whole."""
    return list(_suite(data, 6 * HOUR_S))


def _suite(data: Path | None, lasts_s: float) -> Iterator[tuple[Load, str | None]]:
    for of in CONTENDERS:
        text = of.source if of.source in CHARACTERS else str(_file(data, of.source))
        load = replace(_load(text), name=of.name, rate_rps=of.rate_rps)
        yield replace(load, start_s=of.hour * HOUR_S, duration_s=lasts_s), of.ttft


def _file(data: Path | None, name: str) -> Path:
    if data is None or not (data / name).is_file():
        allowed = f"a folder of real traces that holds {name}: the suites need it"
        raise InvalidInputError("$TANDEM_DATA", str(data) if data else "", allowed)
    return data / name


def _load(text: str) -> Load:
    if text in CHARACTERS:
        return Load(name=text, built_in=text)
    path = Path(text)
    if not path.exists():
        allowed = f"a file that can be read (there is none), or one of {', '.join(LOADS)}"
        raise InvalidInputError("--trace", text, allowed)
    return Load(
        name=path.name, path=str(path.resolve()), digest=fingerprint.of_file(path, "--trace")
    )

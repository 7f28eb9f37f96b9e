"""Which traces compete: files and built-in loads by name, or a suite of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tandem.errors import InvalidInputError
from tandem.simulator.league import fingerprint
from tandem.simulator.league.job import Load
from tandem.traces.named import CHARACTERS, LOADS

HOUR_S = 3600.0
_AZURE = "azure2023/AzureLLMInferenceTrace_conv.csv.gz"
_MOONCAKE = "mooncake/synthetic_trace.jsonl.gz"
_LARGE = "servegen/m-large_day2_x0.05.parquet"
_IMAGE = "servegen/mm-image_24h.parquet"
# (name, file or built-in, begin of its hour, rate): hours in which demand moves, at rates of some ten pods
_QUICK: Sequence[tuple[str, str, float, float | None]] = (
    ("azure-conv", _AZURE, 0.0, 20.0),
    ("mooncake", _MOONCAKE, 0.0, None),
    ("m-large", _LARGE, 8 * HOUR_S, None),
    ("mm-image", _IMAGE, 8 * HOUR_S, None),
    ("sine-10528", "sine-10528", 0.0, None),
    ("bursty", "bursty", 0.0, None),
    ("drift", "drift", 6 * HOUR_S, None),
    ("multi-turn", "multi-turn", 0.0, None),
)
_FULL: Sequence[tuple[str, str, float, float | None]] = (
    ("azure-conv", _AZURE, 0.0, 20.0),
    ("mooncake", _MOONCAKE, 0.0, None),
    ("m-large", _LARGE, 0.0, None),
    ("mm-image", _IMAGE, 0.0, None),
    ("sine-10528", "sine-10528", 0.0, None),
    ("bursty", "bursty", 0.0, None),
    ("drift", "drift", 0.0, None),
    ("multi-turn", "multi-turn", 0.0, None),
)


def named(texts: Sequence[str], rate_rps: float | None, duration_s: float | None) -> list[Load]:
    """Loads of `--trace`, each a file or the name of a built-in one."""
    loads = [replace(_load(text), rate_rps=rate_rps, duration_s=duration_s) for text in texts]
    for name, load in zip((load.name for load in loads), loads, strict=True):
        if [other.name for other in loads].count(name) > 1:
            raise InvalidInputError("--trace", load.path or name, "traces of different names")
    return loads


def quick(data: Path | None) -> list[Load]:
    """An hour of every trace."""
    return [replace(load, duration_s=HOUR_S) for load in _suite(_QUICK, data)]


def full(data: Path | None) -> list[Load]:
    """Every trace whole."""
    return list(_suite(_FULL, data))


def _suite(
    rows: Sequence[tuple[str, str, float, float | None]], data: Path | None
) -> Iterator[Load]:
    for name, source, start_s, rate_rps in rows:
        text = source if source in CHARACTERS else str(_file(data, source))
        yield replace(_load(text), name=name, start_s=start_s, rate_rps=rate_rps)


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

"""Reads step times of one engine from a table file, told by its columns and not by its name.

    phase, batch, isl, ms           one point a row; phase is prefill or decode, isl the length of each prompt
                                    or context. Rows of other engines are passed over where columns
                                    system, model, tp and backend tell them apart (aiconfigurator's sweep)
    prompt_size, batch_size, ...    splitwise-sim's and SageServe's measurements (Patel et al., ISCA 2024)
    isl, ttft_ms                    with its sibling (`prefill` in the name becomes `decode`):
    context, concurrency, itl_ms    what Dynamo's profiler measures

Other columns are not read.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.grid import Point
from tandem.perf.table import AS_TABLED, Calibration, TableTimes
from tandem.perf.table_rows import Row, rows

_SWEEP = ("phase", "batch", "isl", "ms")
_SPLITWISE = ("prompt_size", "batch_size", "token_size", "prompt_time", "token_time")
_DYNAMO_PREFILL = ("isl", "ttft_ms")
_DYNAMO_DECODE = ("context", "concurrency", "itl_ms", "decode_tok_s_per_gpu")
_FORMATS = (_SWEEP, _SPLITWISE, _DYNAMO_PREFILL, _DYNAMO_DECODE)

# Words of names that do not tell engines apart: nvidia-a100-80gb is a100_sxm.
_COMMON = {"nvidia", "sxm", "80gb", "instruct", "chat", "hf"}
# Where concurrency and what ran (ITL x tokens/s, by Little's law) differ by more, admission was capped.
_ADMITTED = 0.9


def read_table(
    path: Path,
    profile: EngineProfile,
    field: str = "--truth",
    calibration: Calibration = AS_TABLED,
    backend: str = "vllm",
) -> TableTimes:
    """The times of a profile's engine from a file.

    Where a file has several backends of the same engine, `backend` is taken, or else the first by name.

    Raises:
        InvalidInputError: names file, row and column, or says which engines the file has instead.

    """
    times = find_table(path, profile, field, calibration, backend)
    if times is None:
        engines = ", ".join(sorted({" ".join(_engine(row)) for row in rows(path, field)}))
        asked = " ".join(_asked(profile))
        raise InvalidInputError(f"{field} {path.name}", asked, f"an engine it has: {engines}")
    return times


def find_table(
    path: Path,
    profile: EngineProfile,
    field: str = "--truth",
    calibration: Calibration = AS_TABLED,
    backend: str = "vllm",
) -> TableTimes | None:
    """As `read_table`; None where the file is of other engines."""
    points = find_points(path, profile, field, backend)
    return points and TableTimes(*points, f"{field} {path.name}", calibration)


def find_points(
    path: Path, profile: EngineProfile, field: str = "--truth", backend: str = "vllm"
) -> tuple[list[Point], list[Point]] | None:
    """The prefill and the decode points of a profile's engine; None where the file is of others."""
    found = rows(path, field)
    first = found[0]
    if first.has(_DYNAMO_PREFILL) or first.has(_DYNAMO_DECODE):
        return _dynamo(path, field)
    if not first.has(_SWEEP) and not first.has(_SPLITWISE):
        known = " or ".join(", ".join(columns) for columns in _FORMATS)
        columns = ", ".join(first.values)
        raise InvalidInputError(f"{field} {path.name}, columns", columns, known)
    own = _of(profile, found, backend)
    if not own:
        return None
    return _sweep(own) if first.has(_SWEEP) else _splitwise(own)


def _sweep(found: Sequence[Row]) -> tuple[list[Point], list[Point]]:
    phases: dict[str, list[Point]] = {"prefill": [], "decode": []}
    for row in found:
        phase = row.text("phase")
        if phase not in phases:
            raise row.error("phase", phase, "prefill or decode")
        phases[phase].append((row.whole("batch"), row.whole("isl"), row.number("ms") / 1e3))
    return phases["prefill"], phases["decode"]


def _splitwise(found: Sequence[Row]) -> tuple[list[Point], list[Point]]:
    """A decode time is the mean over a whole answer, so its context is that at half of it."""
    prefill: list[Point] = []
    decode: list[Point] = []
    for row in found:
        batch, prompt = row.whole("batch_size"), row.whole("prompt_size")
        context = prompt + row.whole("token_size") // 2
        prefill.append((batch, prompt, row.number("prompt_time") / 1e3))
        decode.append((batch, context, row.number("token_time") / 1e3))
    return prefill, decode


def _dynamo(path: Path, field: str) -> tuple[list[Point], list[Point]]:
    name = path.name
    prefill_path = path.with_name(name.replace("decode", "prefill"))
    decode_path = path.with_name(name.replace("prefill", "decode"))
    prefill = [
        (1, row.whole("isl"), row.number("ttft_ms") / 1e3)
        for row in _with(_DYNAMO_PREFILL, prefill_path, field)
    ]
    decode: list[Point] = []
    for row in _with(_DYNAMO_DECODE, decode_path, field):
        concurrency, itl_s = row.whole("concurrency"), row.number("itl_ms") / 1e3
        if itl_s * row.number("decode_tok_s_per_gpu") >= _ADMITTED * concurrency:
            decode.append((concurrency, row.whole("context"), itl_s))
    return prefill, decode


def _with(columns: Sequence[str], path: Path, field: str) -> list[Row]:
    found = rows(path, field)
    for column in columns:
        if column not in found[0].values:
            raise found[0].error(column, "missing", f"columns {', '.join(columns)}")
    return found


def _of(profile: EngineProfile, found: Sequence[Row], backend: str) -> list[Row]:
    """The rows of a profile's engine, of one backend; all where the file does not say whose they are."""
    asked = _asked(profile)
    own = [row for row in found if _engine(row) in (asked, ("", "", ""))]
    backends = {row.text("backend") for row in own}
    chosen = backend if backend in backends else min(backends, default="")
    return [row for row in own if row.text("backend") == chosen]


def _asked(profile: EngineProfile) -> tuple[str, str, str]:
    model = profile.model.rsplit("/", 1)[-1]
    return _words(model), _words(profile.accelerator), str(profile.accelerators)


def _engine(row: Row) -> tuple[str, str, str]:
    system = row.text("system") or row.text("hardware")
    return _words(row.text("model")), _words(system), row.text("tp") or row.text("tensor_parallel")


@cache
def _words(name: str) -> str:
    """A name without what two sources write differently."""
    return "".join(word for word in re.split(r"[^a-z0-9]+", name.lower()) if word not in _COMMON)

"""What is written reads back, in each format as much as it carries; what it can't is said."""

import gzip
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.errors import InvalidInputError
from tandem.traces.model import Trace, over
from tandem.traces.read import read_trace
from tandem.traces.request import TraceRequest
from tandem.traces.write import write_trace

FULL = Trace(
    name="full",
    requests=(
        TraceRequest(
            arrival_s=1.5, input_tokens=700, output_tokens=12, hash_ids=(3, 4), encode_tokens=576
        ),
        TraceRequest(
            arrival_s=2.25,
            input_tokens=1,
            output_tokens=1_000_000,
            session="a",
            think_s=0.5,
            class_name="chat",
        ),
    ),
    span_s=60.0,
)


def plain(count: int = 3) -> Trace:
    return Trace(
        name="plain",
        requests=tuple(
            TraceRequest(arrival_s=k * 0.125, input_tokens=k + 1, output_tokens=2 * k + 1)
            for k in range(count)
        ),
    )


def lengths(trace: Trace) -> list[tuple[float, int, int]]:
    return [(r.arrival_s, r.input_tokens, r.output_tokens) for r in trace.requests]


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv", "t.parquet", "t.jsonl.gz", "t.csv.gz"])
def test_arrivals_and_lengths_read_back_from_every_format(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert write_trace(plain(), path) == ()
    assert lengths(read_trace(path)) == lengths(plain())
    assert read_trace(path).duration_s == 0.25


def test_parquet_carries_what_an_encoder_makes(tmp_path: Path) -> None:
    write_trace(FULL, tmp_path / "full.parquet")
    read = read_trace(tmp_path / "full.parquet")
    assert [request.encode_tokens for request in read.requests] == [576, 0]


def test_canonical_jsonl_carries_everything(tmp_path: Path) -> None:
    path = tmp_path / "full.jsonl"
    assert write_trace(FULL, path) == ()
    read = read_trace(path)
    assert read.requests == FULL.requests
    assert (read.span_s, read.duration_s) == (60.0, 60.0)


@pytest.mark.parametrize(
    ("name", "lost", "arrivals_s", "duration_s"),
    [
        pytest.param(
            "t.csv",
            ("hash_ids", "session", "think_ms", "class", "encode_length", "span_ms"),
            [0.0, 0.75],
            0.75,
            id="CSV",
        ),
        pytest.param(
            "t.parquet",
            ("hash_ids", "session", "think_ms", "class"),
            [1.5, 2.25],
            60.0,
            id="Parquet",
        ),
    ],
)
def test_what_a_format_can_not_carry_is_named(
    tmp_path: Path, name: str, lost: tuple[str, ...], arrivals_s: list[float], duration_s: float
) -> None:
    assert write_trace(FULL, tmp_path / name) == lost
    read = read_trace(tmp_path / name)
    assert [request.arrival_s for request in read.requests] == arrivals_s
    assert read.duration_s == duration_s


@given(
    times_s=st.lists(st.floats(0, 1e6), min_size=1, max_size=6),
    spare_s=st.floats(0, 100),
    name=st.sampled_from(["t.jsonl", "t.parquet"]),
)
def test_times_and_span_read_back(times_s: list[float], spare_s: float, name: str) -> None:
    requests = [TraceRequest(arrival_s=t, input_tokens=1, output_tokens=1) for t in times_s]
    trace = over("any", requests, max(times_s) + spare_s)
    with TemporaryDirectory() as folder:
        write_trace(trace, Path(folder) / name)
        read = read_trace(Path(folder) / name)
    assert [r.arrival_s for r in read.requests] == pytest.approx(sorted(times_s), abs=1e-9)
    assert read.duration_s == pytest.approx(trace.duration_s, abs=1e-9)


def test_equal_traces_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write_trace(plain(), tmp_path / name)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()).count(b"\n") == 3


@pytest.mark.parametrize("name", ["t.txt", "t", "t.gz", "t.json"])
def test_a_name_of_no_format_is_refused_with_the_names_that_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match=r"--out.*\.jsonl, \.csv, \.parquet"):
        write_trace(plain(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_date_beyond_calendars_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    late = TraceRequest(arrival_s=1e12, input_tokens=1, output_tokens=1)
    with pytest.raises(InvalidInputError, match="year 9999"):
        write_trace(Trace(name="late", requests=(late,)), tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """A disk that is full after so many bytes, as far as this process can tell."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz", "t.parquet"])
def test_a_disk_that_fills_up_leaves_what_was_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_trace(plain(), path)
    before = path.read_bytes()
    with no_file_beyond(2_000), pytest.raises(OSError, match="File too large") as error:
        write_trace(plain(20_000), path)
    assert error.value.filename == str(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]

"""APEX's JSONL, as its README has it: offsets in nanoseconds, reads and is written."""

from pathlib import Path

import pytest

from tandem.errors import InvalidInputError
from tandem.traces.model import Trace
from tandem.traces.read import read_trace
from tandem.traces.request import TraceRequest
from tandem.traces.write import write_trace

LINES = """{"StartTimeOffset": 0, "ContextTokens": 374, "GeneratedTokens": 44}
{"StartTimeOffset": 4314579000, "ContextTokens": 396, "GeneratedTokens": 109}
"""


def test_offsets_are_nanoseconds(tmp_path: Path) -> None:
    path = tmp_path / "creation_05.jsonl"
    path.write_text(LINES)
    found = [(r.arrival_s, r.input_tokens, r.output_tokens) for r in read_trace(path).requests]

    assert found == [(0.0, 374, 44), (pytest.approx(4.314579), 396, 109)]


def test_what_is_written_is_what_apex_reads(tmp_path: Path) -> None:
    path = tmp_path / "creation_05.jsonl"
    path.write_text(LINES)

    for name in ("out.apex.jsonl", "out.apex.jsonl.gz"):
        assert write_trace(read_trace(path), tmp_path / name) == ()
        assert read_trace(tmp_path / name).requests == read_trace(path).requests
    assert (tmp_path / "out.apex.jsonl").read_text() == LINES


def test_what_it_can_not_carry_is_named(tmp_path: Path) -> None:
    request = TraceRequest(arrival_s=0.0, input_tokens=1, output_tokens=1, hash_ids=(1,))

    assert write_trace(
        Trace(name="t", requests=(request,), span_s=9.0), tmp_path / "t.apex.jsonl"
    ) == ("hash_ids", "span_ms")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            '{"StartTimeOffset": "now", "ContextTokens": 1, "GeneratedTokens": 1}',
            "column StartTimeOffset: 'now' is not allowed: a finite number of nanoseconds",
        ),
        (
            '{"StartTimeOffset": NaN, "ContextTokens": 1, "GeneratedTokens": 1}',
            "column StartTimeOffset: nan is not allowed",
        ),
        (
            '{"StartTimeOffset": 0, "ContextTokens": 0, "GeneratedTokens": 1}',
            "column ContextTokens: 0 is not allowed",
        ),
        ('{"StartTimeOffset": 0, "ContextTokens": 1}', "column GeneratedTokens: 'missing'"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(f"{line}\n")

    with pytest.raises(InvalidInputError) as error:
        read_trace(path)
    assert f"--trace t.jsonl, line 1, {said}" in str(error.value)

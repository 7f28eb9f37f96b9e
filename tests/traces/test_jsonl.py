"""What is written reads back."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.traces.model import Trace, from_first_arrival
from tandem.traces.read import read_trace
from tandem.traces.request import TraceRequest
from tandem.traces.write import write_trace

TOKENS = st.integers(min_value=1, max_value=1_000_000)
REQUESTS = st.builds(
    TraceRequest,
    arrival_s=st.floats(min_value=0, max_value=1e6),
    input_tokens=TOKENS,
    output_tokens=TOKENS,
    hash_ids=st.lists(st.integers(min_value=0, max_value=10_000), max_size=4).map(tuple),
    session=st.sampled_from(["", "a", "b"]),
    think_s=st.floats(min_value=0, max_value=1e4),
    class_name=st.sampled_from(["", "batch"]),
    encode_tokens=st.sampled_from([0, 1]),
)


def close(read: Trace, written: Trace) -> bool:
    """Equal but for times, which pass through milliseconds."""

    def plain(trace: Trace) -> list[object]:
        return [
            (
                *(r.input_tokens, r.encode_tokens, r.output_tokens),
                *(r.hash_ids, r.session, r.class_name),
            )
            for r in trace.requests
        ]

    def times_s(trace: Trace) -> list[float]:
        return [t for r in trace.requests for t in (r.arrival_s, r.think_s)]

    return plain(read) == plain(written) and times_s(read) == pytest.approx(times_s(written))


@given(requests=st.lists(REQUESTS, min_size=1, max_size=8), compressed=st.booleans())
def test_a_written_trace_reads_back(requests: list[TraceRequest], *, compressed: bool) -> None:
    trace = from_first_arrival("any", requests)
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("trace.jsonl.gz" if compressed else "trace.jsonl")
        write_trace(trace, path)
        assert close(read_trace(path), trace)

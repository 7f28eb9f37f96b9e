"""Every format reads, and what is wrong with a file is said in one line."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest

from tandem.errors import InvalidInputError
from tandem.traces.model import Trace
from tandem.traces.read import read_trace

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
"""
MOONCAKE = """{"timestamp": 40, "input_length": 7, "output_length": 3, "hash_ids": [1, 2]}
{"timestamp": 1277, "input_length": 9, "output_length": 92, "hash_ids": []}
"""


def read(folder: Path, content: str | bytes, name: str = "trace") -> Trace:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_trace(path)


def lengths(trace: Trace) -> list[tuple[float, int, int]]:
    return [(r.arrival_s, r.input_tokens, r.output_tokens) for r in trace.requests]


def test_azure_csv_counts_from_its_first_request_to_the_microsecond(tmp_path: Path) -> None:
    assert lengths(read(tmp_path, AZURE)) == [(0.0, 374, 44), (4.314579, 396, 109)]


def test_mooncake_keeps_block_hashes(tmp_path: Path) -> None:
    trace = read(tmp_path, MOONCAKE)
    assert lengths(trace) == [(0.0, 7, 3), (pytest.approx(1.237), 9, 92)]
    assert [r.hash_ids for r in trace.requests] == [(1, 2), ()]


def test_lines_out_of_order_are_sorted_by_time(tmp_path: Path) -> None:
    backwards = "".join(reversed(MOONCAKE.splitlines(keepends=True)))
    assert lengths(read(tmp_path, backwards)) == lengths(read(tmp_path, MOONCAKE))


def test_a_compressed_file_reads_as_it_is_whatever_its_name(tmp_path: Path) -> None:
    packed = gzip.compress(AZURE.encode())
    assert lengths(read(tmp_path, packed, "a.csv.gz")) == lengths(read(tmp_path, AZURE))
    assert lengths(read(tmp_path, packed, "a.csv")) == lengths(read(tmp_path, AZURE))


def test_closed_loops_of_the_canonical_form_keep_session_think_gap_and_class(
    tmp_path: Path,
) -> None:
    line = (
        '{"timestamp": 5, "input_length": 1, "output_length": 1, '
        '"session": "s", "think_ms": 1500, "class": "batch"}'
    )
    (request,) = read(tmp_path, line).requests
    assert (request.session, request.think_s, request.class_name) == ("s", 1.5, "batch")


def test_agent_sessions_become_closed_loops_whose_think_gaps_leave_out_the_call(
    tmp_path: Path,
) -> None:
    def call(session: str, turn: int, at_ms: int, inputs: int, outputs: int) -> str:
        start_ms = {"a": 1000, "b": 3000}[session]
        return (
            f'{{"session": "{session}", "turn": {turn}, "timestamp": {at_ms}, "session_start_ms": '
            f'{start_ms}, "input_length": {inputs}, "output_length": {outputs}, "suite": "x"}}\n'
        )

    content = (
        call("a", 0, 0, 10, 100)  # next call 2,000 ms later: 20 ms a token
        + call("a", 1, 2000, 20, 50)  # 500 ms later: 10 ms a token, the fastest of the file
        + call("a", 2, 2500, 30, 5)
        + call("b", 0, 0, 0, 7)
    )
    trace = read(tmp_path, content)
    assert [(r.session, r.arrival_s) for r in trace.requests] == [
        ("a", 0.0),
        ("a", 2.0),
        ("b", 2.0),  # session b starts 2 s after session a
        ("a", 2.5),
    ]
    thinks_s = [r.think_s for r in trace.requests if r.session == "a"]
    assert thinks_s == pytest.approx([0.0, 2.0 - 100 * 0.010, 0.5 - 50 * 0.010])
    assert trace.requests[2].input_tokens == 1, "a prompt recorded as empty still has one token"


def test_parquet_reads_three_columns_and_ignores_the_others(tmp_path: Path) -> None:
    content = parquet(tmp_path, t_ms=[7, 103], input_tokens=[54, 217], output_tokens=[15, 141])
    assert lengths(read(tmp_path, content)) == [(0.0, 54, 15), (pytest.approx(0.096), 217, 141)]


def test_the_image_tokens_of_servegen_are_what_an_encoder_makes(tmp_path: Path) -> None:
    columns = {"input_tokens": [54, 217], "output_tokens": [15, 141], "image_tokens": [4, 0]}
    read_back = read(tmp_path, parquet(tmp_path, t_ms=[7, 103], **columns))
    assert [request.encode_tokens for request in read_back.requests] == [4, 0]


def test_a_span_in_the_first_line_keeps_the_quiet_before_and_after(tmp_path: Path) -> None:
    content = ROW.replace("}", ', "span_ms": 5000}') + ROW.replace(": 1,", ": 2000,", 1)
    trace = read(tmp_path, content)
    assert [r.arrival_s for r in trace.requests] == [0.001, 2.0]
    assert trace.duration_s == 5.0


def test_a_million_tokens_out_are_read(tmp_path: Path) -> None:
    content = ROW.replace('output_length": 1', 'output_length": 1000000')
    assert lengths(read(tmp_path, content)) == [(0.0, 1, 1_000_000)]


def test_parquet_numbers_are_whole_even_where_a_column_holds_floats(tmp_path: Path) -> None:
    content = parquet(tmp_path, t_ms=[9, 7], input_tokens=[5.0, 6.0], output_tokens=[1, 2])
    (first, _) = read(tmp_path, content).requests
    assert (first.input_tokens, type(first.input_tokens)) == (6, int)


def parquet(folder: Path, **columns: Sequence[object]) -> bytes:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = folder / "columns.parquet"
    pq.write_table(pa.table({"client": [1] * 2, **columns}), path)
    return path.read_bytes()


ROW = '{"timestamp": 1, "input_length": 1, "output_length": 1}\n'


@pytest.mark.parametrize(
    ("content", "named"),
    [
        pytest.param("", ["an empty file"], id="empty file"),
        pytest.param("TIMESTAMP,ContextTokens,GeneratedTokens\n", ["0 requests"], id="no row"),
        pytest.param(
            ROW.replace("}", ', "encode_length": 2}'),
            ["line 1", "encode_length", "at most input_length (1)"],
            id="more images than input",
        ),
        pytest.param("hello\n", ["hello", "Azure CSV"], id="no format we know"),
        pytest.param(b"\xff\xfe\x00", ["Azure CSV"], id="binary"),
        pytest.param(
            "TIMESTAMP,ContextTokens\n", ["GeneratedTokens", "missing"], id="column missing"
        ),
        pytest.param(
            AZURE.replace("Tokens\n", "Tokens,Cost\n"), ["Cost", "unknown"], id="column unknown"
        ),
        pytest.param(
            AZURE.replace(",396", ",-3"), ["line 3", "ContextTokens", "-3"], id="negative tokens"
        ),
        pytest.param(
            AZURE.replace(",109", ",1.5"), ["line 3", "GeneratedTokens", "1.5"], id="broken tokens"
        ),
        pytest.param(AZURE.replace(",109", ""), ["line 3", "GeneratedTokens"], id="short row"),
        pytest.param(AZURE.replace("2023-11-16 18:15:5", "noon "), ["noon"], id="no time"),
        pytest.param(
            ROW.replace('output_length": 1', 'output_length": 0'),
            ["line 1", "output_length", "0", "1 or more"],
            id="no output",
        ),
        pytest.param(
            ROW + ROW.replace('input_length": 1', 'input_length": true'),
            ["line 2", "input_length", "True"],
            id="truth value for tokens",
        ),
        pytest.param(ROW.replace("1,", "NaN,", 1), ["timestamp", "nan"], id="time not a number"),
        pytest.param(ROW.replace("1,", f"{10**400},", 1), ["timestamp"], id="time beyond floats"),
        pytest.param(ROW.replace("input_", "in_"), ["input_length", "missing"], id="key missing"),
        pytest.param(ROW.replace("}", ', "think": 5}'), ["think", "unknown"], id="key unknown"),
        pytest.param(
            ROW.replace("}", ', "think_ms": -5}'), ["think_ms", "-5", "0 or more"], id="thinks back"
        ),
        pytest.param(
            ROW.replace("}", ', "hash_ids": ["x"]}'), ["hash_ids", "whole numbers"], id="bad hashes"
        ),
        pytest.param(ROW + "{oops\n", ["line 2", "oops", "JSON object"], id="not JSON"),
        pytest.param(
            ROW.replace("}", ', "span_ms": 0.5}'), ["span_ms", "0.5", "all arrivals"], id="span"
        ),
        pytest.param(
            ROW + ROW.replace("}", ', "span_ms": 9}'),
            ["line 2", "span_ms", "unknown"],
            id="span after the first line",
        ),
        pytest.param(
            ROW.replace('output_length": 1', 'output_length": 1000000001'),
            ["output_length", "thousand million"],
            id="more tokens than any model has",
        ),
        pytest.param(b"PAR1 and no more", ["Parquet"], id="broken Parquet"),
        pytest.param(gzip.compress(b"x" * 999)[:-9], ["gzip"], id="cut gzip"),
    ],
)
def test_a_bad_file_is_refused_with_place_value_and_what_is_allowed(
    tmp_path: Path, content: str | bytes, named: list[str]
) -> None:
    with pytest.raises(InvalidInputError) as error:
        read(tmp_path, content)
    message = str(error.value)
    assert "\n" not in message
    assert [word for word in ["--trace", *named] if word not in message] == []


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        pytest.param(
            {"t_ms": [1, 2], "input_tokens": [5, -5], "output_tokens": [1, 1]},
            ["line 2", "input_tokens", "-5"],
            id="negative",
        ),
        pytest.param(
            {"t_ms": [1, 2], "input_tokens": [5, 5], "output_tokens": [1, None]},
            ["line 2", "output_tokens"],
            id="null",
        ),
        pytest.param(
            {"t_ms": [1, 2], "input_tokens": [5, 5]}, ["output_tokens", "missing"], id="missing"
        ),
        pytest.param(
            {
                "t_ms": [1, 2],
                "input_tokens": [5, 5],
                "output_tokens": [1, 1],
                "image_tokens": [0, 6],
            },
            ["line 2", "image_tokens", "6", "at most input_tokens"],
            id="more images than input",
        ),
        pytest.param(
            {"t_ms": ["x", "y"], "input_tokens": [5, 5], "output_tokens": [1, 1]},
            ["line 1", "t_ms", "x"],
            id="text",
        ),
    ],
)
def test_a_bad_parquet_column_is_named_with_its_row(
    tmp_path: Path, columns: dict[str, list[object]], named: list[str]
) -> None:
    content = parquet(tmp_path, **columns)
    with pytest.raises(InvalidInputError) as error:
        read(tmp_path, content)
    assert [word for word in named if word not in str(error.value)] == []


def test_a_name_that_promises_gzip_is_held_to_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="gzip"):
        read(tmp_path, AZURE, "plain.csv.gz")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"absent\.csv.*can be read"):
        read_trace(tmp_path / "absent.csv")


@pytest.mark.data
@pytest.mark.parametrize(
    ("path", "requests", "duration_s", "mean_tokens"),
    [
        pytest.param(
            "azure2023/AzureLLMInferenceTrace_conv.csv.gz",
            19_366,
            3501.721937,
            (1154.6974, 211.1259),
            id="Azure CSV",
        ),
        pytest.param(
            "mooncake/synthetic_trace.jsonl.gz",
            3_993,
            1022.025,
            (15_325, 149),
            id="Mooncake JSONL",
        ),
        pytest.param(
            "agent-sessions/magagent_calls.jsonl.gz", 746, 6448.642, None, id="agent sessions"
        ),
        pytest.param(
            "servegen/m-large_day2_x0.05.parquet", 551_267, 86_399.979, None, id="Parquet"
        ),
    ],
)
def test_the_real_traces_read_whole(
    data_folder: Path,
    path: str,
    requests: int,
    duration_s: float,
    mean_tokens: tuple[float, float] | None,
) -> None:
    trace = read_trace(data_folder / path)
    assert [len(trace.requests), trace.duration_s] == pytest.approx([requests, duration_s])
    if mean_tokens is not None:
        inputs = sum(r.input_tokens for r in trace.requests) / requests
        outputs = sum(r.output_tokens for r in trace.requests) / requests
        assert (inputs, outputs) == pytest.approx(mean_tokens, abs=0.5)

"""A table file is told by its columns; what is wrong with it is named with file, row and column."""

import gzip
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tandem.errors import InvalidInputError
from tandem.perf.library import PROFILES
from tandem.perf.table_file import find_table, read_table

PROFILE = PROFILES["h200-llama-3.1-8b-tp1"]
FP8 = PROFILES["h200-llama-3.1-8b-fp8-tp1"]
SWEEP = """system,backend,model,tp,phase,batch,isl,ms
h200_sxm,vllm,Llama-3.1-8B,1,prefill,1,100,10
h200_sxm,vllm,Llama-3.1-8B,1,prefill,1,200,20
h200_sxm,trtllm,Llama-3.1-8B,1,prefill,1,200,999
h200_sxm,vllm,Llama-3.1-8B,2,prefill,1,200,999
h200_sxm,vllm,Llama-3.1-70B,1,prefill,1,200,999
h100_sxm,vllm,Llama-3.1-8B,1,prefill,1,200,999
h200_sxm,vllm,Llama-3.1-8B,1,decode,1,100,4
h200_sxm,vllm,Llama-3.1-8B,1,decode,2,100,5
h200_sxm,vllm,Llama-3.1-8B,1,decode,2,200,6
"""
OWN = "phase,batch,isl,ms\n" + "\n".join(
    line.split(",", 4)[4]
    for line in SWEEP.splitlines()
    if "vllm,Llama-3.1-8B,1" in line and "h200" in line
)
SPLITWISE = """model,hardware,prompt_size,batch_size,token_size,prompt_time,token_time,tensor_parallel
llama2-70b,h100-80gb,100,1,128,10,30,4
llama2-70b,h100-80gb,100,1,128,30,32,4
llama2-70b,h100-80gb,100,2,128,40,33,4
llama2-70b,h100-80gb,200,1,128,40,40,4
llama2-70b,h100-80gb-pcap,200,1,128,999,999,4
"""


def written(folder: Path, text: str, name: str = "t.csv") -> Path:
    file = folder / name
    file.write_text(text)
    return file


@pytest.mark.parametrize("text", [pytest.param(SWEEP, id="sweep"), pytest.param(OWN, id="own")])
def test_a_table_is_the_rows_of_the_profiles_engine(tmp_path: Path, text: str) -> None:
    times = read_table(written(tmp_path, text), PROFILE)

    assert times.step_s([(0, 200)], 0, 0) == pytest.approx(0.020)
    assert times.step_s([], 2, 300) == pytest.approx(0.0055)


def test_a_backend_is_chosen_by_its_name(tmp_path: Path) -> None:
    text = OWN.replace("phase,", "backend,phase,").replace("\n", "\nsglang,")
    more = "\nvllm,prefill,1,100,100\nvllm,prefill,1,200,200\nvllm,decode,1,1,1\nvllm,decode,2,2,2"
    more += "\nvllm,decode,2,1,1"
    file = written(tmp_path, text + more)
    ours, theirs, first = (
        read_table(file, PROFILE, backend=b) for b in ("vllm", "sglang", "other")
    )

    assert ours.step_s([(0, 200)], 0, 0) == pytest.approx(0.2)
    assert theirs.step_s([(0, 200)], 0, 0) == pytest.approx(0.02)
    assert first.step_s([(0, 200)], 0, 0) == pytest.approx(0.02)


def test_gzip_and_parquet_are_read_as_they_are(tmp_path: Path) -> None:
    zipped = tmp_path / "t.csv.gz"
    zipped.write_bytes(gzip.compress(OWN.encode()))
    columns = [line.split(",") for line in OWN.splitlines()]
    table = {name: [row[i] for row in columns[1:]] for i, name in enumerate(columns[0])}
    pq.write_table(pa.table(table), tmp_path / "t.parquet")

    for file in (zipped, tmp_path / "t.parquet"):
        assert read_table(file, PROFILE).step_s([(0, 150)], 0, 0) == pytest.approx(0.015)


def test_splitwise_points_are_means_and_their_context_that_of_half_an_answer(
    tmp_path: Path,
) -> None:
    profile = replace(
        PROFILE, model="meta-llama/Llama-2-70b-hf", accelerator="nvidia-h100", accelerators=4
    )
    times = read_table(written(tmp_path, SPLITWISE), profile)

    assert times.step_s([(0, 100)], 0, 0) == pytest.approx(0.020)
    assert times.step_s([], 1, 164) == pytest.approx(0.031)
    assert times.step_s([], 1, 264) == pytest.approx(0.040)


def test_dynamos_two_files_are_one_table_whichever_is_named(tmp_path: Path) -> None:
    prefill = written(tmp_path, "isl,ttft_ms\n100,10\n200,20\n", "x_prefill.csv")
    decode = written(
        tmp_path,
        "context,concurrency,itl_ms,decode_tok_s_per_gpu\n"
        "100,1,4,250\n100,2,5,400\n200,1,5,200\n200,100,1,800\n",
        "x_decode.csv",
    )

    for file in (prefill, decode):
        times = read_table(file, FP8)
        assert times.step_s([(0, 200)], 0, 0) == pytest.approx(0.02)
        assert times.step_s([], 2, 200) == pytest.approx(0.005)
        assert times.step_s([], 2, 400) == pytest.approx(0.007), "100 asked for, 0.8 ran: not read"


def test_a_table_of_other_engines_says_which(tmp_path: Path) -> None:
    file = written(tmp_path, SWEEP)
    other = replace(PROFILE, accelerators=8)

    assert find_table(file, other) is None
    with pytest.raises(InvalidInputError, match=r"llama318b h200 8.*llama318b h200 1"):
        read_table(file, other)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", ["t.csv", "no rows"], id="empty"),
        pytest.param("phase,batch,isl,ms\n", ["t.csv", "no rows"], id="header only"),
        pytest.param("a,b\n1,2\n", ["columns", "'a, b'", "phase, batch, isl, ms"], id="unknown"),
        pytest.param(
            OWN + "\nprefill,1,many,2", ["row 6, column isl", "'many'", "a number"], id="word"
        ),
        pytest.param(
            OWN + "\nprefill,1.5,300,2", ["row 6, column batch", "whole number"], id="half"
        ),
        pytest.param(OWN + "\nprefill,1,nan,2", ["row 6, column isl", "whole number"], id="nan"),
        pytest.param(OWN + "\nprefill,1,300", ["row 6, column ms", "None"], id="short row"),
        pytest.param(
            OWN + "\nboth,1,300,2", ["row 6, column phase", "prefill or decode"], id="phase"
        ),
        pytest.param(
            OWN + "\nprefill,1,300,-2", ["prefill", "300 tokens", "-0.002"], id="negative"
        ),
        pytest.param(OWN + "\nprefill,0,300,2", ["prefill, batch", "1 or more"], id="no batch"),
        pytest.param(OWN.replace("decode", "prefill"), ["decode", "0 points"], id="no decode"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_table(written(tmp_path, text), PROFILE)
    assert all(word in str(refused.value) for word in ["--truth", "t.csv", *words])


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "no/such.csv"])
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, name: str) -> None:
    if "/" not in name:
        (tmp_path / name).write_bytes(b"\xff\xfe\x00 no table\n\x80")
    with pytest.raises(InvalidInputError, match=r"--truth"):
        read_table(tmp_path / name, PROFILE)

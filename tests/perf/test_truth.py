"""A name or a file becomes step times: what was measured first, then modelled, then generated."""

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tandem.errors import InvalidInputError
from tandem.perf.library import PROFILES
from tandem.perf.table import TableTimes
from tandem.perf.truth import truth

PROFILE = PROFILES["h200-llama-3.1-8b-tp1"]


def source(text: str | None, name: str, data: Path | None = None) -> str:
    times = truth(text, PROFILES[name], data)
    assert isinstance(times, TableTimes)
    return times.source


@pytest.mark.data
@pytest.mark.parametrize("text", [None, "table"])
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("h200-llama-3.1-8b-fp8-tp1", "dynamo_h200_llama31-8b-fp8_tp1_prefill.csv"),
        ("a100-llama-3.1-70b-tp4", "aic_0.12.0_sweep_bf16.parquet"),
        ("a100-opt-13b-tp1", "generated from a100-opt-13b-tp1"),
    ],
)
def test_the_default_is_the_best_table_there_is(
    data_folder: Path, text: str | None, name: str, found: str
) -> None:
    assert source(text, name, data_folder).endswith(found)


@pytest.mark.data
def test_a_modelled_table_is_calibrated(data_folder: Path) -> None:
    """H200, Llama-3.1-8B, one prompt of 1,024 tokens: 21.18 ms; 64 sequences of 8,192: 20.74 ms."""
    times = truth("table", PROFILE, data_folder)

    assert times.step_s([(0, 1024)], 0, 0) == pytest.approx(1.185 * 21.1795e-3 + 12.7e-3, rel=1e-5)
    assert times.step_s([], 64, 64 * 8192) == pytest.approx(1.121 * 20.7396e-3 + 0.43e-3, rel=1e-5)


@pytest.mark.data
def test_every_point_of_the_sweep_is_met_or_lifted_to_a_shorter_ones(data_folder: Path) -> None:
    sweep = data_folder / "profiles/aic_0.12.0_sweep_bf16.parquet"
    times = truth(str(sweep), PROFILE)
    own = pc.field("model") == "Llama-3.1-8B"
    for column, value in (("system", "h200_sxm"), ("backend", "vllm"), ("tp", 1)):
        own &= pc.field(column) == value
    points = pq.read_table(sweep, filters=own).to_pylist()
    over = []
    for point in points:
        batch, tokens = point["batch"], point["isl"]
        prompts = [(0, tokens)] * batch if point["phase"] == "prefill" else []
        decoding = 0 if prompts else batch
        over.append(times.step_s(prompts, decoding, decoding * tokens) * 1e3 / point["ms"] - 1)

    assert len(over) == 53 + 77
    assert over == pytest.approx([0.0] * len(over), abs=1e-9)


@pytest.mark.parametrize("data", [None, Path("no/such/folder")])
def test_without_data_a_table_is_generated(data: Path | None) -> None:
    assert source(None, PROFILE.name, data) == f"generated from {PROFILE.name}"
    assert source("generated", PROFILE.name, data) == f"generated from {PROFILE.name}"


def test_the_profile_itself_is_the_three_term_form() -> None:
    assert truth("profile", PROFILE) is PROFILE


def test_a_file_is_taken_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    points = "prefill,1,100,10\nprefill,1,200,20\ndecode,1,1,1\ndecode,2,1,1\ndecode,1,2,2\n"
    file.write_text("phase,batch,isl,ms\n" + points)

    assert truth(str(file), PROFILE).step_s([(0, 150)], 0, 0) == pytest.approx(0.015)


@pytest.mark.parametrize("text", ["", "tables", "mine.txt"])
def test_an_unknown_name_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        truth(text, PROFILE)
    assert (refused.value.field, refused.value.value) == ("--truth", text)
    assert "one of table, generated, profile, aiconfigurator" in refused.value.allowed

"""Engines on more accelerators: times as a table has them, the rest in proportion, KV by what weights leave."""

from pathlib import Path

import pytest

from tandem.errors import InvalidInputError
from tandem.perf.library import PROFILES
from tandem.perf.tensor_parallel import kv_tokens, variants

BASE = PROFILES["h100-llama-3.1-70b-tp4"]
HEAD = (
    "system,backend,version,model,tp,prefill_a_ms,prefill_b_us_per_tok,prefill_c_ns_per_tok2,"
    "decode_a_ms,decode_b_us_per_seq,decode_c_us_per_ktok"
)
TP8 = "h100_sxm,vllm,0.24.0,Llama-3.1-70B,8,5.0,40.0,0.3,10.0,20.0,15.0"


def table(folder: Path, *rows: str) -> Path:
    path = folder / "fits.csv"
    path.write_text("\n".join((HEAD, *rows)) + "\n")
    return path


def test_the_formula_gives_the_profiles_own_capacity() -> None:
    """81 559 MiB an accelerator, 141.11 GB of weights: the numbers of the profile's own source."""
    assert kv_tokens(BASE, 4) == BASE.kv.capacity_tokens
    assert kv_tokens(BASE, 8) == pytest.approx((8 * 74.267e9 - 141.11e9) / 327_680, rel=1e-3)
    assert kv_tokens(BASE, 1) == 0


def test_a_row_is_an_engine(tmp_path: Path) -> None:
    (made,) = variants(BASE, table(tmp_path, TP8))

    assert (made.name, made.accelerators) == ("h100-llama-3.1-70b-tp8", 8)
    assert made.prefill_s(1000) == pytest.approx(5e-3 + 40e-3 + 0.3e-3)
    assert made.decode.step_s(10, 20_000) == pytest.approx(10e-3 + 0.2e-3 + 0.3e-3)
    assert made.cost_per_hour == 2 * BASE.cost_per_hour
    assert made.transfer.bandwidth_bytes_per_s == 2 * BASE.transfer.bandwidth_bytes_per_s


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(TP8.replace(",8,", ",4,"), id="the profile itself"),
        pytest.param(TP8.replace(",8,", ",1,"), id="weights that do not fit"),
        pytest.param(TP8.replace("h100", "h200"), id="another accelerator"),
        pytest.param(TP8.replace("vllm", "trtllm"), id="another engine"),
        pytest.param(TP8.replace("70B", "8B"), id="another model"),
    ],
)
def test_other_rows_are_none(tmp_path: Path, row: str) -> None:
    assert not list(variants(BASE, table(tmp_path, row)))


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"fits.csv, column decode_a_ms: 'fast'"):
        list(variants(BASE, table(tmp_path, TP8.replace(",10.0,", ",fast,"))))

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.tandem_engine.emulator.rig import PROFILE, profile

from tandem.errors import InvalidInputError
from tandem.perf.profile_file import read, write

TOML = """
model = "m"
accelerator = "none"
accelerators = 1
prefill = { a_s = 0.01, b_s_per_token = 0.0, c_s_per_token2 = 0.0 }
decode = { alpha_s = 0.01, beta_s_per_sequence = 0.0, gamma_s_per_token = 0.0 }
kv = { bytes_per_token = 1, capacity_tokens = 1000 }
transfer = { latency_s = 0.0, bandwidth_bytes_per_s = 1e9 }
cold_start_s = { weights = 2.0, warm = 1.0 }
"""


def test_a_profile_comes_back_from_json_as_it_was(tmp_path: Path) -> None:
    told = profile(cold_start_s=(("weights", 1.0),))
    file = tmp_path / "any.json"
    write(told, file)
    assert read(file, "--profile") == told


def test_a_toml_file_names_its_profile_and_keeps_the_order_of_stages(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(TOML)
    found = read(file, "--profile")
    assert (found.name, found.cold_start_s) == ("mine", (("weights", 2.0), ("warm", 1.0)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(None, ["a file to read"], id="missing"),
        pytest.param("{", ["a JSON or TOML file"], id="broken"),
        pytest.param("[]", ["a table of fields"], id="a list"),
        pytest.param(
            json.dumps(asdict(PROFILE) | {"kv": asdict(PROFILE.kv) | {"capacity_tokens": "many"}}),
            ["kv.capacity_tokens", "'many'"],
            id="wrong field",
        ),
    ],
)
def test_a_wrong_file_says_what_is_wrong(
    tmp_path: Path, text: str | None, words: list[str]
) -> None:
    file = tmp_path / "p.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InvalidInputError) as refused:
        read(file, "--profile")
    message = str(refused.value)
    assert all(word in message for word in ["--profile", "p.json", *words])

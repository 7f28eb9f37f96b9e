import json
import os
import sys
from pathlib import Path

import pytest

from tandem_engine import cli

LEAST = ["serve", "--port", "8000", "--side-channel-port", "5600"]
IN_A_POD = ["--host", "0.0.0.0", "--side-channel-host", "10.0.0.7"]


class Became:
    """Stands in for the replaced process: what it was started with."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.environment: dict[str, str] = {}

    def __call__(self, path: str, words: list[str], environment: dict[str, str]) -> None:
        assert path == words[0]
        self.words, self.environment = words, environment

    @property
    def flags(self) -> dict[str, str]:
        """Its flags as vLLM reads them: of one given twice the last."""
        pairs = (word.removeprefix("--").partition("=") for word in self.words[3:])
        return {name: value for name, _, value in pairs}


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> Became:
    stand_in = Became()
    monkeypatch.setattr(os, "execve", stand_in)
    return stand_in


def test_http_listens_everywhere_while_kv_is_pulled_at_the_pods_own_address(became: Became) -> None:
    cli.run([*LEAST, *IN_A_POD, "--model", "org/model"])
    assert became.flags["host"] == "0.0.0.0"
    assert became.environment["VLLM_NIXL_SIDE_CHANNEL_HOST"] == "10.0.0.7"
    assert became.environment["VLLM_NIXL_SIDE_CHANNEL_PORT"] == "5600"


def test_a_name_of_the_hub_is_loaded_from_there_and_served_under_it(became: Became) -> None:
    cli.run([*LEAST, "--model", "org/model"])
    assert became.flags["model"] == became.flags["served-model-name"] == "org/model"
    assert "HF_HUB_OFFLINE" not in became.environment


def test_a_folder_is_loaded_without_asking_the_hub(became: Became, tmp_path: Path) -> None:
    cli.run([*LEAST, "--model", str(tmp_path), "--served-name", "org/model"])
    assert became.flags["model"] == str(tmp_path)
    assert became.flags["served-model-name"] == "org/model"
    assert became.environment["HF_HUB_OFFLINE"] == "1"


def test_a_gpu_engine_keeps_vllms_own_limits_unless_told(became: Became) -> None:
    cli.run([*LEAST, "--model", "org/model"])
    assert not became.flags.keys() & {"max-model-len", "max-num-batched-tokens", "dtype"}
    assert "enforce-eager" not in became.flags
    cli.run([*LEAST, "--model", "m", "--max-model-len", "4096", "--tensor-parallel-size", "4"])
    assert became.flags["max-model-len"] == "4096"
    assert became.flags["tensor-parallel-size"] == "4"


def test_a_cpu_engine_is_small_and_hands_over_from_main_memory(became: Became) -> None:
    cli.run([*LEAST, "--model", "org/model", "--cpu-core", "1"])
    assert became.flags["max-model-len"] == "2048"
    assert "enforce-eager" in became.flags
    assert json.loads(became.flags["kv-transfer-config"])["kv_buffer_device"] == "cpu"
    assert became.environment["VLLM_CPU_OMP_THREADS_BIND"] == "1"


def test_words_after_two_dashes_reach_vllm_and_win(became: Became) -> None:
    cli.run([*LEAST, "--model", "m", "--max-model-len=9", "--", "--max-model-len=7", "--seed=1"])
    assert became.flags["max-model-len"] == "7"
    assert became.flags["seed"] == "1"


def test_a_path_for_modules_that_was_there_stays(
    became: Became, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/theirs")
    cli.run([*LEAST, "--model", "m", "--cpu-core", "0"])
    ours, theirs = became.environment["PYTHONPATH"].split(":")
    assert ours.endswith("patience")
    assert theirs == "/theirs"


def test_an_interpreter_is_found_by_its_name(
    became: Became, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    cli.run([*LEAST, "--model", "m", "--python", Path(sys.executable).name])
    assert became.words[0] == sys.executable


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        pytest.param(["--model", "/nowhere"], ["--model", "/nowhere", "hub"], id="folder"),
        pytest.param(["--model", "m", "--python", "python0"], ["--python", "PATH"], id="python"),
        pytest.param(["--model", "m", "--kv-lease", "5"], ["--kv-lease", "6"], id="lease"),
        pytest.param(
            ["--model", "m", "--host", "0.0.0.0"], ["--side-channel-host", "pod"], id="address"
        ),
    ],
)
def test_a_wrong_flag_starts_nothing(
    flags: list[str], words: list[str], became: Became, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([*LEAST, *flags]) == 2
    said = capsys.readouterr().err
    assert all(word in said for word in words)
    assert not became.words


def test_what_the_module_starts_is_vllms_own_server(became: Became) -> None:
    cli.run([*LEAST, "--model", "m"])
    assert became.words[1:3] == ["-m", "vllm.entrypoints.openai.api_server"]

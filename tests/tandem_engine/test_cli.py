import subprocess
import sys
from socket import create_server

import pytest

from tandem_engine import cli

PROFILE = "h200-llama-3.1-8b-tp1"


def emulate(*flags: str) -> list[str]:
    return ["emulate", "--profile", PROFILE, *flags]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(emulate("--port", "many"), ["--port", "'many'", "whole"], id="port"),
        pytest.param(emulate("--port", "70000"), ["--port", "70000", "65535"], id="range"),
        pytest.param(emulate("--kv-lease", "3"), ["--kv-lease", "3", "6 or more"], id="lease"),
        pytest.param(emulate("--cold-start", "soon"), ["--cold-start", "'soon'", "2s"], id="start"),
        pytest.param(
            emulate("--shutdown-timeout", "a while"), ["--shutdown-timeout", "seconds"], id="end"
        ),
        pytest.param(
            ["emulate", "--profile", "h300"], ["--profile", "'h300'", PROFILE], id="profile"
        ),
        pytest.param(
            ["emulate", "--profile", "/nowhere.json"],
            ["--profile", "/nowhere.json", "file to read"],
            id="file",
        ),
        pytest.param(["emulate"], ["--profile"], id="no profile"),
        pytest.param(emulate("--lease", "3"), ["--lease"], id="unknown flag"),
        pytest.param(["emulat"], ["emulat", "emulate"], id="unknown command"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = cli.run(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr().err
    assert code == 2
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert all(word in said for word in words)


def test_a_port_in_use_is_one_line_and_exit_1() -> None:
    with create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        script = "from tandem_engine.cli import main; main()"
        ended = subprocess.run(
            [sys.executable, "-c", script, *emulate("--port", port)],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    assert ended.returncode == 1
    said = f"error: --port: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    assert ended.stderr == said


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.run(["emulate", "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    for flag in ("--profile", "--model", "--cold-start", "--kv-lease", "--side-channel-port"):
        assert flag in said

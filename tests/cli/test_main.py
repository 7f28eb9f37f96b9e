import subprocess
import sys
from pathlib import Path

import pytest

from tandem import __version__
from tandem.cli.main import COMMANDS, run


def test_without_words_all_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in shown] == []


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"tandem {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert "Usage: tandem" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", ["simulate", "league", "trace", "trace look", "trace generate", "policies"]
)
def test_help_starts_without_what_takes_long_to_import(words: str) -> None:
    program = (
        "import sys; from tandem.cli.main import run; "
        f"run([*{words!r}.split(), '--help']); "
        "sys.exit(', '.join({'numpy', 'scipy', 'pyarrow', 'bokeh', 'rich'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(
            ["nope"],
            "No such command 'nope'. ('tandem --help' lists what is allowed)",
            id="unknown command",
        ),
        pytest.param(
            ["crds", "--nope"],
            "No such option: --nope ('tandem crds --help' lists what is allowed)",
            id="unknown flag",
        ),
        pytest.param(
            ["simulate", "--prefill", "two"],
            "--prefill: 'two' is not allowed: Input should be a valid integer, unable to parse string"
            " as an integer ('tandem simulate --help' lists what is allowed)",
            id="no number",
        ),
    ],
)
def test_a_usage_error_is_one_line_and_exit_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def test_a_folder_that_can_not_be_made_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "crds"
    assert run(["crds", "--out", str(folder)]) == 1
    assert capsys.readouterr().err == f"error: {folder}: Not a directory\n"

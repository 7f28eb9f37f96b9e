import sys
from pathlib import Path

import pytest

from tandem.cli.main import run
from tandem.dashboards import files

CHART = Path(__file__).parents[2] / "charts" / "tandem"


def test_the_files_in_the_chart_are_current() -> None:
    written = {
        path.relative_to(CHART).as_posix(): path.read_text(encoding="utf-8")
        for folder in files.FOLDERS
        for path in (CHART / folder).iterdir()
    }
    assert written == files.rendered(), "run `tandem dashboards --out charts/tandem`"


def test_no_file_is_too_big_for_a_configmap() -> None:
    assert max(len(text.encode()) for text in files.rendered().values()) < 1_000_000


def test_no_line_breaks_the_block_that_the_chart_puts_a_dashboard_into() -> None:
    for text in files.dashboards().values():
        assert text.startswith("{\n")
        assert text.endswith("}\n")
        assert "\t" not in text


def test_what_was_written_is_current(tmp_path: Path) -> None:
    assert run(["dashboards", "--out", str(tmp_path / "new")]) == 0
    assert run(["dashboards", "--out", str(tmp_path / "new"), "--check"]) == 0


def test_stale_and_left_over_files_are_named_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["dashboards", "--out", str(tmp_path)])
    stale, left_over = tmp_path / files.RULES, tmp_path / "dashboards" / "old.json"
    stale.write_text("edited by hand\n", encoding="utf-8")
    left_over.write_text("{}", encoding="utf-8")
    capsys.readouterr()

    assert run(["dashboards", "--out", str(tmp_path), "--check"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{stale} is stale: `tandem dashboards --out {tmp_path}` renders it",
        f"{left_over} is rendered from no code: delete it",
    ]
    assert stale.read_text(encoding="utf-8") == "edited by hand\n"


def test_a_folder_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dashboards"]) == 2
    assert "--out" in capsys.readouterr().err


def test_without_grafana_s_sdk_one_line_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "tandem.dashboards.grafana", raising=False)
    monkeypatch.delattr("tandem.dashboards.grafana", raising=False)
    for name in [name for name in sys.modules if name.startswith("grafana_foundation_sdk")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk", None)

    assert run(["dashboards", "--out", str(tmp_path)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: Dashboards are rendered by Grafana's SDK")
    assert "pip install" in line
    assert not list(tmp_path.iterdir())

import re
from pathlib import Path

import pytest
import yaml

from tandem.api import crd
from tandem.cli.crds import rendered
from tandem.cli.main import run

CRDS = Path(__file__).parents[2] / "crds"


def test_the_files_in_crds_are_current() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in CRDS.iterdir()}

    assert written == rendered(), "run `make crds`"


def test_printed_are_all_definitions_as_documents(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["crds"]) == 0

    documents = list(yaml.safe_load_all(capsys.readouterr().out))
    assert documents == [crd.definition(kind) for kind in crd.KINDS]


def test_yaml_has_no_anchors() -> None:
    for text in rendered().values():
        assert not re.search(r"[&*]id\d", text)  # PyYAML's own: &id001, *id001


def test_what_was_written_is_current(tmp_path: Path) -> None:
    out = tmp_path / "new" / "crds"

    assert run(["crds", "--out", str(out)]) == 0
    assert run(["crds", "--out", str(out), "--check"]) == 0


def test_a_stale_file_is_named_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["crds", "--out", str(tmp_path)])
    stale = tmp_path / crd.FLEET.file_name
    stale.write_text("edited by hand\n", encoding="utf-8")

    assert run(["crds", "--out", str(tmp_path), "--check"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"{stale} is stale: `tandem crds --out {tmp_path}` renders it"
    assert stale.read_text(encoding="utf-8") == "edited by hand\n"


def test_a_missing_file_is_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["crds", "--out", str(tmp_path), "--check"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == len(crd.KINDS)


def test_a_file_of_no_model_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["crds", "--out", str(tmp_path)])
    (tmp_path / "tandem.dev_oldthings.yaml").write_text("", encoding="utf-8")

    assert run(["crds", "--out", str(tmp_path), "--check"]) == 1
    assert "tandem.dev_oldthings.yaml is rendered by no model" in capsys.readouterr().err


def test_a_check_needs_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["crds", "--check"]) == 2
    assert capsys.readouterr().err == (
        "error: --check: 'without --out' is not allowed: together with --out DIR\n"
    )

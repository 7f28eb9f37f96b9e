"""promtool, which reads PromQL and rules as Prometheus does."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROGRAM = shutil.which("promtool")
needed = pytest.mark.skipif(PROGRAM is None, reason="no promtool: Debian's prometheus has it")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it; its output is one text."""
    assert PROGRAM is not None
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )


def written(file: Path, document: Any) -> Path:
    """A document as a file: JSON is YAML."""
    file.write_text(json.dumps(document), encoding="utf-8")
    return file

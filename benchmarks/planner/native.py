"""C beside a benchmark, compiled when it is first asked for."""

import ctypes
import subprocess
import tempfile
from functools import cache
from pathlib import Path


@cache
def library(name: str) -> ctypes.CDLL:
    """The functions of `name`.c, for this machine's processor."""
    source = Path(__file__).with_name(f"{name}.c")
    target = Path(tempfile.mkdtemp()) / f"{name}.so"
    command = ["cc", "-O3", "-march=native", "-shared", "-fPIC", "-o", str(target), str(source)]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(target))

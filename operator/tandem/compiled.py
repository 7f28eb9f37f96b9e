"""The simulator's hot modules, compiled by mypyc at their first use: five times as fast, the same results.

What is compiled lies in a cache, in a folder named by the text of the modules and by what compiles and
runs them, so that it can't be older than its source. Where no C compiler is, or with `TANDEM_COMPILED=0`,
the modules run as they are.

`use` has to be called before any of them is imported, in every process that shall be fast.
"""

import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SWITCH = "TANDEM_COMPILED"
MODULES = (
    "tandem.perf.batch",
    "tandem.perf.engine",
    "tandem.perf.engine_profile",
    "tandem.perf.grid",
    "tandem.perf.prefixes",
    "tandem.perf.sequence",
    "tandem.perf.step",
    "tandem.perf.table",
    "tandem.routing.load",
    "tandem.routing.model",
    "tandem.routing.orders",
    "tandem.routing.pick",
    "tandem.routing.ranking",
    "tandem.routing.router",
    "tandem.simulator.arrivals",
    "tandem.simulator.clock",
    "tandem.simulator.encoders",
    "tandem.simulator.fleet",
    "tandem.simulator.flight",
    "tandem.simulator.gateway",
    "tandem.simulator.measure",
    "tandem.simulator.network",
    "tandem.simulator.pod",
    "tandem.simulator.pod_events",
    "tandem.simulator.reception",
    "tandem.simulator.recorder",
    "tandem.simulator.run",
    "tandem.simulator.summaries",
)
_SEEN = (
    "tandem.api.role",
    "tandem.cluster.pod",
    "tandem.perf.step_times",
    "tandem.planner.cells",
    "tandem.planner.observation",
    "tandem.planner.spec",
    "tandem.simulator.features",
    "tandem.simulator.scenario",
    "tandem.traces.model",
    "tandem.traces.request",
)
_SOURCE = Path(__file__).parent
_READY = "ready"
# Calls of the interpreter go straight (a tenth less time); a sum is rounded as Python rounds it.
_FLAGS = "-fno-plt -ffp-contract=off"
_BUILD = """
import sys
from mypyc.build import mypycify
from setuptools import setup
setup(
    name="tandem-compiled",
    packages=[],
    ext_modules=mypycify(["--ignore-missing-imports", *sys.argv[3:]], opt_level="3", debug_level="0"),
    script_args=["-q", "build_ext", "--build-lib", sys.argv[1], "--build-temp", sys.argv[2]],
)
"""


def use(tell: Callable[[str], None] = lambda _: None) -> bool:
    """Let the compiled modules be imported from now on, made first where there are none yet.

    `tell` is told in a line what takes long, or why the modules run as they are (False then). It is too
    late when one of them was imported already.
    """
    imported = [sys.modules[name] for name in MODULES if name in sys.modules]
    if imported:
        return not (imported[0].__file__ or "").endswith(".py")
    if os.environ.get(SWITCH) == "0":
        return False
    folder = _cache() / _key()
    if not (folder / _READY).exists():
        why_not = _lacks() or _make(folder, tell)
        if why_not:
            tell(f"the simulator runs uncompiled, at a fifth of its speed: {why_not}")
            return False
    _import_from(folder)
    return True


def _import_from(folder: Path) -> None:
    sys.path.append(str(folder))  # of the library that all of them share
    for package in sorted({name.rpartition(".")[0] for name in MODULES}):
        path = folder.joinpath(*package.split("."))
        importlib.import_module(package).__path__.insert(0, str(path))


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tandem" / "compiled"


def _key() -> str:
    """Of all the text that the compiler may look at, and of what compiles and runs it."""
    how = f"{sys.version} {sysconfig.get_platform()} {_BUILD} {_FLAGS}"
    digest = hashlib.sha256(how.encode())
    digest.update(_version("mypy").encode())
    for path in _texts():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _texts() -> list[Path]:
    """The modules, and those whose types they rely on."""
    names = (*MODULES, *_SEEN)
    return [_SOURCE.parent.joinpath(*name.split(".")).with_suffix(".py") for name in names]


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _lacks() -> str:
    """What is missing for a compilation, and how to get it; empty if nothing is."""
    if not (_version("mypy") and _version("setuptools")):
        return "mypy and setuptools are not installed: pip install 'tandem-llm[sim]'"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if not shutil.which(compiler):
        return f"no C compiler {compiler} (Debian: apt install gcc)"
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return "" if header.exists() else f"no {header} (Debian: apt install python3-dev)"


def _make(folder: Path, tell: Callable[[str], None]) -> str:
    """Compile into a folder, whole or not at all; returns what went wrong, if anything."""
    tell("compiling the simulator, once for this version: about half a minute")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            why_not = _compile(Path(scratch))
            if not why_not:
                _move(Path(scratch) / "lib", folder)
            return why_not
    except OSError as error:
        return f"{error.filename or folder}: {error.strerror or error}"


def _compile(scratch: Path) -> str:
    shutil.copytree(_SOURCE, scratch / "tandem", ignore=shutil.ignore_patterns("__pycache__"))
    files = [f"{name.replace('.', '/')}.py" for name in MODULES]
    command = [sys.executable, "-c", _BUILD, str(scratch / "lib"), str(scratch / "temp"), *files]
    environment = {**os.environ, "CFLAGS": f"{os.environ.get('CFLAGS', '')} {_FLAGS}"}
    done = subprocess.run(  # noqa: S603 - our own program, over our own files
        command, cwd=scratch, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        return (done.stdout + done.stderr).strip().splitlines()[-1]
    (scratch / "lib" / _READY).touch()
    return ""


def _move(made: Path, folder: Path) -> None:
    """Put it in its place; another process may have been faster."""
    try:
        made.rename(folder)
    except OSError:
        if not (folder / _READY).exists():
            raise

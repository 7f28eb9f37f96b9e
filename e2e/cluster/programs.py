"""The Go programs of the cluster, built once from the pins in e2e/go and kept by their hash."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.places import GO, PROGRAMS, BoxError, say, timed

KUBERNETES_VERSION = "v1.34.4"


@dataclass(frozen=True)
class ProgramSet:
    """One go.mod and what is built from it."""

    name: str
    target: str = "tool"
    ldflags: str = "-s -w"
    finish: Callable[[Path, Path], None] | None = None
    """Called with the folder of the go.mod and the folder built, before that is kept."""

    @property
    def source(self) -> Path:
        return GO / self.name

    def key(self) -> str:
        """Hash of all that decides what is built."""
        digest = hashlib.sha256(self.ldflags.encode())
        for path in sorted(self.source.iterdir()):
            digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()[:16]

    @property
    def built(self) -> Path:
        return PROGRAMS / self.name / self.key()


def _name_etcd(_source: Path, built: Path) -> None:
    """Its main package is called server."""
    (built / "bin" / "server").rename(built / "bin" / "etcd")


def _keep_stages(source: Path, built: Path) -> None:
    """Keep kwok's own description of how fake nodes and pods live."""
    module = _go(source, "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok").strip()
    shutil.copytree(
        Path(module) / "kustomize" / "stage", built / "stages", copy_function=shutil.copyfile
    )
    for folder in [built / "stages", *(built / "stages").rglob("*")]:
        folder.chmod(0o755 if folder.is_dir() else 0o644)


KWOK = ProgramSet("kwok", finish=_keep_stages)
PAUSE = ProgramSet("pause", target=".")
SETS = (
    ProgramSet(
        "kubernetes",
        ldflags=f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}",
        finish=_name_etcd,
    ),
    ProgramSet("helm"),
    ProgramSet("coredns"),
    KWOK,
    PAUSE,
)


def build() -> Mapping[str, Path]:
    """Build what is not built yet, one set after another, and answer each program's path."""
    if shutil.which("go") is None:
        raise BoxError("go is not on PATH: the cluster's programs are built with Go 1.26 or newer")
    for part in SETS:
        with _locked(part.name):
            if not part.built.is_dir():
                _build_set(part)
    return {program.name: program for part in SETS for program in (part.built / "bin").iterdir()}


def _build_set(part: ProgramSet) -> None:
    say(f"building {part.name} (once; kept in {part.built})")
    shutil.rmtree(part.built.parent, ignore_errors=True)
    unfinished = part.built.with_suffix(".unfinished")
    (unfinished / "bin").mkdir(parents=True)
    with timed(f"built {part.name}"):
        flags = ("-trimpath", "-ldflags", part.ldflags)
        _go(part.source, "build", *flags, "-o", f"{unfinished / 'bin'}/", part.target)
        if part.finish is not None:
            part.finish(part.source, unfinished)
    unfinished.rename(part.built)


def _go(source: Path, *arguments: str) -> str:
    settings = {
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "CGO_ENABLED": "0",
    }
    done = subprocess.run(
        ["nice", "-n", "19", "go", *arguments],
        cwd=source,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BoxError(f"go {arguments[0]} in {source} failed:\n{done.stderr[-3000:]}")
    return done.stdout


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Two runs at a time build one after the other."""
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    with (PROGRAMS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

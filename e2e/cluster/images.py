"""The images that users build, from the same Dockerfile on a base made here, kept by their hash.

A build asks no registry and no package index: the base is Debian's own packages, and pip finds
what is locked in a folder that was filled before.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster import packages
from e2e.cluster.places import ROOT, BoxError, say, timed

from tandem import __version__

NAMES = ("operator", "gateway", "emulator", "vllm")
"""The targets of the Dockerfile."""
IMAGES = ROOT / ".cache" / "images"
STORAGE = IMAGES / "storage"
WHEELS = ROOT / ".cache" / "wheels"
REQUIREMENTS = ROOT / "requirements"
SUITE = "bookworm"
PYTHON_VERSION = "3.11"
"""Of that suite."""
BASE_PACKAGES = ("ca-certificates", "libgomp1", "libnuma1", "python3", "python3-venv")
"""The two libraries are what the CPU build of vLLM loads; its pods mount the rest of it."""
UNUSED = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")


def reference(name: str) -> str:
    """The name of an image in the box: those of install.yaml with a registry in front."""
    return f"localhost/tandem-{name}:{__version__}"


def build(names: Iterable[str] = NAMES) -> dict[str, Path]:
    """Build what has changed since it was built last; the OCI archive of each name."""
    archives = {name: _archive(name) for name in names}
    with _locked():
        missing = [name for name, archive in archives.items() if not archive.exists()]
        if missing:
            packages.install()
            _fetch_wheels()
            base = _base()
        for name in missing:
            _build_one(name, base, archives[name])
    return archives


def _archive(name: str) -> Path:
    """Where the image of these very sources lies."""
    if name not in NAMES:
        raise BoxError(f"no image is called {name}: there are {', '.join(NAMES)}")
    return IMAGES / name / f"{_hash(_inputs(name), _base_reference())}.tar"


def _inputs(name: str) -> list[Path]:
    """All that decides what is in an image, beside its base."""
    own = [] if name == "vllm" else [REQUIREMENTS / f"{name}.txt"]
    top = ("Dockerfile", ".dockerignore", "LICENSE", "README.md", "pyproject.toml")
    sources = [path for folder in ("engine", "operator") for path in (ROOT / folder).rglob("*")]
    own += [ROOT / file for file in top] + [REQUIREMENTS / "build.txt"]
    return own + [path for path in sources if path.is_file() and path.suffix != ".pyc"]


def _hash(files: Iterable[Path], *more: str) -> str:
    digest = hashlib.sha256("\n".join(more).encode())
    for path in sorted(files):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(ROOT)} {content}\n".encode())
    return digest.hexdigest()[:16]


def _build_one(name: str, base: str, archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    for outdated in archive.parent.iterdir():
        outdated.unlink()
    unfinished = archive.with_suffix(".unfinished")
    target = f"oci-archive:{unfinished}:{reference(name)}"
    with timed(f"built the image of {name}"):
        _buildah("bud", *_build_flags(name, base), f"{ROOT}")
        _buildah("push", "--quiet", "--disable-compression", reference(name), target)
    say(f"{unfinished.stat().st_size / 1e6:6.0f} MB {reference(name)}")
    unfinished.rename(archive)


def _build_flags(name: str, base: str) -> list[str]:
    values = {"BASE": base, "PIP_FIND_LINKS": "/wheels", "PIP_NO_INDEX": "1", "VLLM_IMAGE": base}
    arguments = [f"--build-arg={key}={value}" for key, value in values.items()]
    wheels = f"--volume={WHEELS}:/wheels:ro"
    return [
        "--layers",
        "--pull-never",
        f"--target={name}",
        f"--tag={reference(name)}",
        wheels,
        *arguments,
    ]


def _fetch_wheels() -> None:
    """Have every locked wheel in a folder; once for each state of the locks."""
    locks = [REQUIREMENTS / f"{name}.txt" for name in ("build", "operator", "gateway", "emulator")]
    complete = WHEELS / f"{_hash(locks, PYTHON_VERSION)}.complete"
    if complete.exists():
        return
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--dest",
        f"{WHEELS}",
        "--no-deps",
    ]
    command += ["--only-binary=:all:", f"--python-version={PYTHON_VERSION}", "--require-hashes"]
    with timed("fetched the wheels of the images"):
        _run([*command, *(f"--requirement={lock}" for lock in locks)])
    complete.touch()


def _base_reference() -> str:
    return f"localhost/tandem-base:{_hash((), SUITE, *BASE_PACKAGES, *UNUSED)}"


def _base() -> str:
    """The base image's name; made of Debian's packages if it is not in the storage."""
    name = _base_reference()
    if not _buildah("images", "--quiet", "--filter", f"reference={name}"):
        with timed("made the base of the images"):
            _make_base(name)
    return name


def _make_base(name: str) -> None:
    archive = IMAGES / "base.tar"
    leave_out = [f"--dpkgopt=path-exclude={pattern}" for pattern in UNUSED]
    include = f"--include={','.join(BASE_PACKAGES)}"
    _run(["mmdebstrap", "--quiet", "--variant=minbase", include, *leave_out, SUITE, f"{archive}"])
    container = _buildah("from", "scratch")
    _buildah("add", "--quiet", container, f"{archive}", "/")
    _buildah("commit", "--quiet", "--rm", container, name)
    archive.unlink()


def _buildah(*arguments: str) -> str:
    """Run buildah on a storage of its own, in plain chroots: no service, no network of containers."""
    storage = [f"--root={STORAGE}", f"--runroot={STORAGE / 'run'}"]
    return _run(["buildah", *storage, *arguments], {"BUILDAH_ISOLATION": "chroot"})


def _run(command: Sequence[str], more: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        ["nice", "-n", "19", *command],
        env={**os.environ, **(more or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BoxError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout.strip()


@contextmanager
def _locked() -> Iterator[None]:
    """Two runs at a time build one after the other."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (IMAGES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    for image, path in build(sys.argv[1:] or NAMES).items():
        sys.stdout.write(f"{image} {path}\n")

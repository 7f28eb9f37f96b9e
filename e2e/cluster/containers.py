"""Images into the node, and the two small ones that the cluster brings itself."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from e2e.cluster.node import PAUSE_IMAGE, SOCKET
from e2e.cluster.packages import SEARCH
from e2e.cluster.places import PROGRAMS, BoxError

SHELL_IMAGE = "localhost/tandem-shell:1"
"""busybox: sh, wget, nslookup, httpd and the rest, to look around with."""


def load_image(archive: Path) -> None:
    """Import an OCI archive, under the name it was written with; pods may then use that name."""
    _run(["ctr", "--address", f"{SOCKET}", "-n", "k8s.io", "images", "import", f"{archive}"])


def pause_archive(program: Path) -> Path:
    """The image of the process that holds a pod's namespaces open."""
    return _archive(program, PAUSE_IMAGE, "/pause", _pause_tree)


def shell_archive() -> Path:
    """The image with a shell."""
    busybox = shutil.which("busybox", path=SEARCH)
    if busybox is None:
        raise BoxError("busybox-static is not installed")
    return _archive(Path(busybox), SHELL_IMAGE, "/bin/sh", _busybox_tree)


def _pause_tree(program: Path, tree: Path) -> None:
    shutil.copy(program, tree / "pause")


def _busybox_tree(program: Path, tree: Path) -> None:
    (tree / "bin").mkdir()
    shutil.copy(program, tree / "bin" / "busybox")
    for name in _run([f"{program}", "--list"]).split():
        if name != "busybox":
            (tree / "bin" / name).symlink_to("busybox")


def _archive(
    program: Path, image: str, entrypoint: str, lay_out: Callable[[Path, Path], None]
) -> Path:
    """Pack one static program as an image; kept by the program's hash."""
    key = hashlib.sha256(entrypoint.encode() + program.read_bytes()).hexdigest()[:16]
    folder = PROGRAMS / "images" / image.rpartition("/")[2].replace(":", "-")
    archive = folder / f"{key}.tar"
    if not archive.exists():
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "tree").mkdir(parents=True)
        lay_out(program, folder / "tree")
        _pack(folder, image, entrypoint).rename(archive)
        shutil.rmtree(folder / "tree")
        shutil.rmtree(folder / "storage")
    return archive


def _pack(folder: Path, image: str, entrypoint: str) -> Path:
    storage, archive = folder / "storage", folder / "unfinished"
    buildah = ["buildah", "--storage-driver=vfs", f"--root={storage}", f"--runroot={storage}/run"]
    container = _run([*buildah, "from", "scratch"]).strip()
    _run([*buildah, "copy", container, f"{folder / 'tree'}", "/"])
    _run(
        [
            *buildah,
            "config",
            "--entrypoint",
            f'["{entrypoint}"]',
            "--user",
            "65535:65535",
            container,
        ]
    )
    _run([*buildah, "commit", container, image])
    _run([*buildah, "push", image, f"oci-archive:{archive}:{image}"])
    return archive


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BoxError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout

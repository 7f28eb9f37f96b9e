"""Images into the node, and the one image that every pod needs."""

import shutil
import subprocess
from pathlib import Path

from e2e.cluster.node import PAUSE_IMAGE, SOCKET
from e2e.cluster.places import BoxError
from e2e.cluster.programs import PAUSE


def load_image(archive: Path) -> None:
    """Import an OCI archive, under the name it was written with; pods may then use that name."""
    _run(["ctr", "--address", f"{SOCKET}", "-n", "k8s.io", "images", "import", f"{archive}"])


def pause_archive(program: Path) -> Path:
    """Pack the pause program as an image, once."""
    archive = PAUSE.built / "image.tar"
    if not archive.exists():
        storage = PAUSE.built / "storage"
        _pack(program, storage, archive)
        shutil.rmtree(storage)
    return archive


def _pack(program: Path, storage: Path, archive: Path) -> None:
    buildah = ["buildah", "--storage-driver=vfs", f"--root={storage}", f"--runroot={storage}/run"]
    unfinished = archive.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    container = _run([*buildah, "from", "scratch"]).strip()
    _run([*buildah, "copy", container, f"{program}", "/pause"])
    _run([*buildah, "config", "--entrypoint", '["/pause"]', "--user", "65535:65535", container])
    _run([*buildah, "commit", container, PAUSE_IMAGE])
    _run([*buildah, "push", PAUSE_IMAGE, f"oci-archive:{unfinished}:{PAUSE_IMAGE}"])
    unfinished.rename(archive)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BoxError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout

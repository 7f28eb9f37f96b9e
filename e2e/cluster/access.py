"""A running cluster as tests hold it."""

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import network
from e2e.cluster.containers import load_image
from e2e.cluster.places import NODE_NAME, BoxError, direct_environment

KUBECTL_S = 60.0


@dataclass(frozen=True)
class Box:
    """A running cluster, and how to reach it."""

    kubeconfig: Path
    programs: Mapping[str, Path]
    """kubectl, helm, kwok, etcd and the rest, by name."""
    node: str = NODE_NAME

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints; what it complains of is the error."""
        command = [f"{self.programs['kubectl']}", f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(
            self.inside(command),
            env=direct_environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=KUBECTL_S,
            check=False,
        )
        if done.returncode != 0:
            raise BoxError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def inside(self, command: Sequence[str]) -> list[str]:
        """The command as it runs in the cluster's network."""
        return [*network.inside_command(), *command]

    def entered(self) -> AbstractContextManager[None]:
        """Move this process's main thread into the cluster's network, and back again."""
        return network.entered()

    def load_image(self, archive: Path) -> None:
        """Import an OCI archive under the name it was written with."""
        load_image(archive)

"""The list of a local fleet's pods, as a file that is replaced whole.

The local cluster writes it, the gateway reads it: level-based, so either may restart at any moment.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tandem.api.role import Role
from tandem.cluster.pod import Pod, PodPhase


def write(path: Path, pods: Sequence[Pod]) -> None:
    """Replace the list; a reader sees the old one or the new one, never half of either."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps([asdict(pod) for pod in pods], indent=1))
    partial.replace(path)


def read(path: Path) -> tuple[Pod, ...]:
    """The pods last written; none where nothing was written yet."""
    if not path.exists():
        return ()
    rows = json.loads(path.read_text())
    return tuple(
        Pod(**{**row, "role": Role(row["role"]), "phase": PodPhase(row["phase"])}) for row in rows
    )

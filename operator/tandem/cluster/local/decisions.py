"""A local fleet's last decisions in a file, for `tandem explain` to read."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from tandem.planner.decisions import Decisions, from_text, to_text
from tandem.whole_file import written_whole

FILE = "decisions.json"


@dataclass(frozen=True, slots=True)
class FileDecisions:
    """Keeps the decisions of one fleet in `path`."""

    path: Path

    async def load(self) -> Decisions:
        """What was last saved; none where nothing was or it is damaged."""
        try:
            return from_text(self.path.read_text())
        except (OSError, ValueError):
            return Decisions()

    async def save(self, decisions: Decisions) -> None:
        """Replace what is kept; on a full disk the old one stays."""
        with contextlib.suppress(OSError), written_whole(self.path) as stream:
            stream.write(to_text(decisions).encode())

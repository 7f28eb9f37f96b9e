"""The planner's memory in a file that is replaced whole."""

from dataclasses import dataclass
from pathlib import Path

from tandem.planner.memory import from_json, to_json
from tandem.planner.model import Memory


@dataclass(frozen=True, slots=True)
class FileStore:
    """Keeps the memory of one fleet in `path`."""

    path: Path

    async def load(self) -> Memory:
        """What was last saved; a fresh memory where nothing was or it is damaged."""
        try:
            return from_json(self.path.read_text())[0]
        except OSError:
            return Memory()

    async def save(self, memory: Memory, *, changed: bool) -> None:  # noqa: ARG002 - a file is cheap
        """Replace what is kept; on a full disk the old one stays."""
        partial = self.path.with_suffix(".partial")
        try:
            partial.write_text(to_json(memory))
            partial.replace(self.path)
        except OSError:
            partial.unlink(missing_ok=True)

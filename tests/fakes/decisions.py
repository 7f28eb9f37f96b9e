"""Decisions kept nowhere but here."""

from dataclasses import dataclass, field

from tandem.planner.decisions import Decisions


@dataclass
class FakeDecisions:
    """Keeps what was saved last; `error` is raised instead of saving."""

    kept: Decisions = field(default_factory=Decisions)
    saves: int = 0
    error: Exception | None = None

    async def load(self) -> Decisions:
        return self.kept

    async def save(self, decisions: Decisions) -> None:
        if self.error is not None:
            raise self.error
        self.kept = decisions
        self.saves += 1

"""The stages of a start, each its share of the total: until they are through, nothing is served."""

import asyncio
from collections.abc import Sequence

READY = ""  # no stage is under way
STAGES = (("start", 1.0),)  # of a profile that names none


class Startup:
    """Where a starting engine stands."""

    def __init__(self, stages: Sequence[tuple[str, float]], total_s: float) -> None:
        self.stages = scaled(stages, total_s)
        self.stage = self.stages[0][0] if self.stages else READY

    @property
    def is_ready(self) -> bool:
        """Whether every stage is through."""
        return self.stage == READY

    async def run(self) -> None:
        """Pass through every stage."""
        for stage, seconds in self.stages:
            self.stage = stage
            await asyncio.sleep(seconds)
        self.stage = READY


def scaled(stages: Sequence[tuple[str, float]], total_s: float) -> tuple[tuple[str, float], ...]:
    """The stages that take time, scaled to a total."""
    lasting = [(name, seconds) for name, seconds in stages if seconds > 0] or STAGES
    natural_s = sum(seconds for _, seconds in lasting)
    if total_s <= 0:
        return ()
    return tuple((name, seconds * total_s / natural_s) for name, seconds in lasting)

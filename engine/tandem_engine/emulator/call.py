"""One request in an emulator: what the engine schedules, who hears of it, what happened when."""

from dataclasses import dataclass
from typing import Protocol

from tandem.perf.sequence import Sequence


class Answer(Protocol):
    """Who hears what the engine makes of a request; called inside a step, so never slow."""

    def token(self) -> None:
        """Hear that one more token is out."""

    def end(self, reason: str) -> None:
        """Hear that no token follows: `length` or `abort`."""


class Pull(Protocol):
    """KV on its way from a peer."""

    def admitted(self) -> None:
        """Hear that blocks are taken: the transfer may begin."""

    def abandon(self) -> None:
        """Hear that nobody waits for the KV any more: the peer may free it."""


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """One request; times in seconds of `time.monotonic`, None until they happen."""

    sequence: Sequence
    answer: Answer
    arrived_s: float
    pull: Pull | None = None
    pulled_tokens: int = 0
    preemptions: int = 0
    scheduled_s: float | None = None
    first_token_s: float | None = None
    paused_s: float | None = None  # its last token before a preemption

    @property
    def key(self) -> str:
        """The engine's name of this request, unlike any other's."""
        return self.sequence.key

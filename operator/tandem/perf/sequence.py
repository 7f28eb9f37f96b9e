"""One request inside an engine."""

from dataclasses import dataclass
from enum import StrEnum, auto


class Stage(StrEnum):
    """Where a sequence stands in the engine."""

    WAITING = auto()
    LOADING = auto()  # blocks held, KV on its way from a peer
    PREFILLING = auto()
    DECODING = auto()
    PINNED = auto()  # finished here; its KV waits to be pulled
    GONE = auto()


@dataclass(slots=True, kw_only=True, eq=False)  # one is itself and no other: looked up by identity
class Sequence:
    """A prompt of `input_tokens` that shall emit `output_tokens`.

    `remote_kv`: the prompt's KV comes from a peer, so nothing of it is computed here. Give it
    `emitted_before=1` where the user has the peer's token already: the first step computes that one.
    `pin`: keep the KV after the last token, until it is released (the prefill leg).
    """

    key: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    remote_kv: bool = False
    pin: bool = False

    stage: Stage = Stage.WAITING
    computed_tokens: int = 0  # of the prompt, and after a preemption of what was emitted too
    emitted_before: int = 0  # tokens emitted before the present stay in the batch
    joined_iteration: int = 0
    kv_at_join: int = 0
    blocks: int = 0  # held while not decoding; while decoding they follow from the length
    order: int = 0

    @property
    def target_tokens(self) -> int:
        """Tokens whose KV must stand before the next token can be emitted by a decode step."""
        return self.input_tokens + self.emitted_before

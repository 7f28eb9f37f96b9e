"""One request inside an engine."""

from enum import StrEnum, auto
from typing import Final


class Stage(StrEnum):
    """Where a sequence stands in the engine."""

    WAITING = auto()
    LOADING = auto()  # blocks held, KV on its way from a peer
    PREFILLING = auto()
    DECODING = auto()
    PINNED = auto()  # finished here; its KV waits to be pulled
    GONE = auto()


WAITING: Final = Stage.WAITING
LOADING: Final = Stage.LOADING
PREFILLING: Final = Stage.PREFILLING
DECODING: Final = Stage.DECODING
PINNED: Final = Stage.PINNED
GONE: Final = Stage.GONE


class Sequence:
    """A prompt of `input_tokens` that shall emit `output_tokens`.

    `remote_kv`: the prompt's KV comes from a peer, so nothing of it is computed here. Give it
    `emitted_before=1` where the user has the peer's token already: the first step computes that one.
    `pin`: keep the KV after the last token, until it is released (the prefill leg).
    `encode_s`: seconds that its encoder adds to the step which begins the prompt; 0 once it has.
    `swapped`: preempted, its KV in the host's memory: it comes back from there as remote KV would.

    Attributes:
        computed_tokens: of the prompt, and after a preemption of what was emitted too.
        emitted_before: tokens emitted before the present stay in the batch.
        blocks: held while not decoding; while decoding they follow from the length.

    """

    def __init__(
        self,
        *,
        key: str,
        input_tokens: int,
        output_tokens: int,
        cached_tokens: int = 0,
        remote_kv: bool = False,
        pin: bool = False,
        emitted_before: int = 0,
        encode_s: float = 0.0,
    ) -> None:
        self.key = key
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.cached_tokens = cached_tokens
        self.remote_kv = remote_kv
        self.pin = pin
        self.encode_s = encode_s
        self.swapped = False
        self.emitted_before = emitted_before
        self.stage: Stage = WAITING
        self.computed_tokens = 0
        self.joined_iteration = 0
        self.kv_at_join = 0
        self.blocks = 0
        self.order = 0

    @property
    def target_tokens(self) -> int:
        """Tokens whose KV must stand before the next token can be emitted by a decode step."""
        return self.input_tokens + self.emitted_before

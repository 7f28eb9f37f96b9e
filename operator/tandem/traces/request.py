"""One request of a trace, in our canonical form."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRequest:
    """A request as it arrives: time in seconds from the trace's start, lengths in tokens.

    `encode_tokens` are those of the input that an encoder makes of images and the like.
    `session` ties the turns of a closed loop: a turn arrives `think_s` after the one before it ended.
    """

    arrival_s: float
    input_tokens: int
    output_tokens: int
    hash_ids: tuple[int, ...] = ()
    session: str = ""
    think_s: float = 0.0
    class_name: str = ""
    encode_tokens: int = 0

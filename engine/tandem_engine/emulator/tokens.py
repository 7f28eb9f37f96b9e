"""Text without a model: output tokens are a pure function of the prompt, their position and a seed.

So a prefill and a decode engine of the same seed say what a single one says. One token is four
UTF-8 bytes of text, in and out, so an answer that comes back as history counts what it counted.
"""

from array import array
from dataclasses import dataclass
from hashlib import blake2b
from itertools import product

BYTES_PER_TOKEN = 4
_CONSONANTS = "bdfgklmnprstvz"
_VOWELS = "aeiou"
_SYLLABLES = (
    f" {first}{vowel}{last}" for first, vowel, last in product(_CONSONANTS, _VOWELS, _CONSONANTS)
)
# A power of two, so that an odd stride visits every piece before one comes again.
PIECES = tuple(piece.encode() for piece, _ in zip(_SYLLABLES, range(512), strict=False))
_MASK = len(PIECES) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """What one prompt makes the engine say: piece start + position x stride, in a ring."""

    start: int
    stride: int

    def piece(self, position: int) -> bytes:
        """The text of the token at `position`."""
        return PIECES[(self.start + position * self.stride) & _MASK]

    def text(self, tokens: int) -> str:
        """The first `tokens` tokens as text."""
        return b"".join(map(self.piece, range(tokens))).decode()


def voice(prompt: bytes, seed: int) -> Voice:
    """What a prompt makes an engine of this seed say."""
    key = seed.to_bytes(8, "little", signed=True)
    digest = int.from_bytes(blake2b(prompt, digest_size=8, key=key).digest(), "little")
    return Voice(start=digest & 0xFFFFFFFF, stride=digest >> 32 | 1)


def text_tokens(text: str) -> int:
    """Tokens of a text: one per four UTF-8 bytes, rounded up."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def token_bytes(tokens: list[int]) -> bytes:
    """The bytes that the voice of token ids follows from; OverflowError when one is no id."""
    return array("i", tokens).tobytes()

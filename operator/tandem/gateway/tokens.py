"""How many tokens a request will bring, from what earlier answers said.

Token ids are counted. A text's tokens are its bytes of UTF-8 over the bytes a token that the engines'
`usage.prompt_tokens` taught, per model and endpoint (a chat's template adds tokens that no byte of
the user's stands for). Outputs are expected at the mean of the last ones, never above `max_tokens`.
"""

from dataclasses import dataclass
from math import ceil

from tandem.gateway.request import ClientRequest

BYTES_PER_TOKEN = 4.0  # English text with a vocabulary of 128k, until an answer says otherwise
OUTPUT_TOKENS = 256.0  # likewise; too high only makes decode pods look fuller than they are
FIRST_TOKENS = 100.0  # how many tokens of evidence the first guess is worth
MEMORY = 0.95  # what a further request leaves of the evidence so far: about the last 20 count


@dataclass(slots=True)
class _Seen:
    utf8_bytes: float = BYTES_PER_TOKEN * FIRST_TOKENS
    tokens: float = FIRST_TOKENS


class LengthEstimates:
    """What was learnt about lengths; only answers teach, so unknown models leave nothing behind."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], _Seen] = {}
        self._outputs: dict[str, float] = {}

    def input_tokens(self, request: ClientRequest) -> int:
        """Tokens of its prompt: exact for token ids, at least 1."""
        if request.prompt.tokens is not None:
            return request.prompt.tokens
        seen = self._texts.get((request.model, request.endpoint), _Seen())
        return max(1, ceil(request.prompt.utf8_bytes * seen.tokens / seen.utf8_bytes))

    def output_tokens(self, request: ClientRequest) -> int:
        """Tokens that its answer will have, as far as earlier answers of the model tell."""
        mean = ceil(self._outputs.get(request.model, OUTPUT_TOKENS))
        return mean if request.max_tokens is None else min(mean, request.max_tokens)

    def learn_input(self, request: ClientRequest, prompt_tokens: int) -> None:
        """An engine counted the prompt."""
        if request.prompt.tokens is None and prompt_tokens > 0:
            seen = self._texts.setdefault((request.model, request.endpoint), _Seen())
            seen.utf8_bytes = seen.utf8_bytes * MEMORY + request.prompt.utf8_bytes
            seen.tokens = seen.tokens * MEMORY + prompt_tokens

    def learn_output(self, request: ClientRequest, output_tokens: int) -> None:
        """An answer ended by itself."""
        mean = self._outputs.get(request.model, float(output_tokens))
        self._outputs[request.model] = mean * MEMORY + output_tokens * (1 - MEMORY)

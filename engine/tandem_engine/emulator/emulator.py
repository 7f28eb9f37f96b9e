"""One emulated engine: its settings, its core, what it pulls, and whether it serves."""

from secrets import token_hex
from uuid import uuid4

from tandem.perf.sequence import Sequence
from tandem_engine.emulator import refusal
from tandem_engine.emulator.answers import Reply
from tandem_engine.emulator.bodies import Body, Usage
from tandem_engine.emulator.call import Call
from tandem_engine.emulator.core import Core
from tandem_engine.emulator.counts import Counts
from tandem_engine.emulator.pull import Pulls, blocks_of
from tandem_engine.emulator.schema import AnyRequest
from tandem_engine.emulator.settings import Settings
from tandem_engine.emulator.side_channel import KvSource
from tandem_engine.emulator.startup import Startup


class Emulator:
    """What the HTTP surface, the side channel and the signals act on."""

    def __init__(self, settings: Settings) -> None:
        profile = settings.profile
        self.settings = settings
        self.engine_id = str(uuid4())
        self.counts = Counts(settings.context_tokens)
        self.core = Core(profile, settings.lease_s, self.counts)
        self.pulls = Pulls(self.core, settings.lease_s)
        self.startup = Startup(profile.cold_start_s, settings.cold_start_s)
        self.is_draining = False
        self._blocks_named = 0

    def output_tokens(self, input_tokens: int, asked: AnyRequest) -> int:
        """Tokens that a request gets: those it asks for, cut to the room in its context."""
        context_tokens = self.settings.context_tokens
        room = context_tokens - input_tokens
        if room < 1:
            raise refusal.prompt_too_long(input_tokens, context_tokens)
        tokens = asked.output_tokens(room)
        if tokens < 1:
            raise refusal.invalid(
                f"max_tokens must be at least 1, got {tokens}.", "max_tokens", tokens
            )
        if tokens > context_tokens:
            raise refusal.output_too_long(tokens, context_tokens)
        return min(tokens, room)

    def start(self, key: str, asked: AnyRequest, usage: Usage, answer: Reply) -> None:
        """Let the engine work on a request."""
        source = KvSource.of(asked.kv_transfer_params or {})
        sequence = Sequence(
            key=key,
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            remote_kv=source is not None,
            pin=asked.leaves_kv,
        )
        call = Call(sequence=sequence, answer=answer, arrived_s=self.core.now_s())
        answer.drop = lambda: self.core.abort(key)
        if source is not None:
            self.counts.offered_tokens += usage.prompt_tokens
            self.pulls.begin(call, source)
        self.core.submit(call)

    def handover(self, request_id: str, tokens: int) -> Body:
        """What a decode leg needs to pull the KV of a finished prefill leg."""
        return {
            "do_remote_prefill": True,
            "do_remote_decode": False,
            "remote_block_ids": [self._block_ids(tokens)],
            "remote_engine_id": self.engine_id,
            "remote_request_id": request_id,
            "remote_host": self.settings.side_channel_host,
            "remote_port": self.settings.side_channel_port,
            "tp_size": self.settings.profile.accelerators,
            "dcp_size": 1,
            "pp_size": 1,
            "remote_num_tokens": tokens,
            "remote_blocks_expiry_time": None,
            "transfer_mode": "pull",
            "remote_prefill_cached_tokens": 0,
        }

    def _block_ids(self, tokens: int) -> list[int]:
        """Names for the blocks of a hand-over: the engine counts its blocks, nameless."""
        total = self.core.engine.blocks_total
        first, count = self._blocks_named, blocks_of(self.settings.profile, tokens)
        self._blocks_named = (first + count) % total
        return [1 + (first + place) % total for place in range(count)]


def unique(request_id: str) -> str:
    """An engine's own name of a request, unlike that of another with the same X-Request-Id."""
    return f"{request_id}-{token_hex(4)}"

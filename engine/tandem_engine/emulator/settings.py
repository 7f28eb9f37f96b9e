"""What one emulator is told, checked once: a mistake names flag, value and what is allowed."""

from dataclasses import dataclass

from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile
from tandem_engine.vllm.command import LEAST_LEASE_S

MOST_CONTEXT_TOKENS = 131_072  # of most models; a chat without max_tokens runs to the end of it
LAST_PORT = 65_535
SIDE_CHANNEL_OFFSET = 1_000
EVERY_ADDRESS = ("", "0.0.0.0", "::")  # to listen on, but not to be found at


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One emulated engine; port 0 is any free one.

    `cold_start_s` is the total that the profile's start-up stages are scaled to.
    """

    profile: EngineProfile
    model: str
    port: int
    host: str = "127.0.0.1"
    cold_start_s: float = 0.0
    shutdown_timeout_s: float = 0.0
    lease_s: int = 30
    seed: int = 0
    max_model_len: int | None = None
    side_channel_host: str = "127.0.0.1"
    side_channel_port: int = 0

    def __post_init__(self) -> None:
        _within("--port", self.port, 0, LAST_PORT)
        _within("--side-channel-port", self.side_channel_port, 0, LAST_PORT)
        if self.side_channel_host in EVERY_ADDRESS:
            reachable = "an address that decode engines reach, such as the pod's own"
            raise InvalidInputError("--side-channel-host", self.side_channel_host, reachable)
        _at_least("--kv-lease", self.lease_s, LEAST_LEASE_S)
        _at_least("--shutdown-timeout", self.shutdown_timeout_s, 0)
        if self.max_model_len is not None:
            _within("--max-model-len", self.max_model_len, 2, self._kv_tokens)

    @property
    def context_tokens(self) -> int:
        """Tokens that one request may hold, prompt and output."""
        return self.max_model_len or min(MOST_CONTEXT_TOKENS, self._kv_tokens)

    @property
    def _kv_tokens(self) -> int:
        """Tokens that the whole blocks of the KV cache hold."""
        kv = self.profile.kv
        return kv.capacity_tokens // kv.block_tokens * kv.block_tokens


def default_side_channel_port(port: int) -> int:
    """The port of KV hand-over beside `port`; any free one beside any free one."""
    if not port:
        return 0
    above = port + SIDE_CHANNEL_OFFSET
    return above if above <= LAST_PORT else port - SIDE_CHANNEL_OFFSET


def _within(flag: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidInputError(flag, value, f"{least} to {most}")


def _at_least(flag: str, value: float, least: int) -> None:
    if not least <= value < float("inf"):
        raise InvalidInputError(flag, value, f"{least} or more")

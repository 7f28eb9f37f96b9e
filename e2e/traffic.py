"""Traffic for tests: requests of one kind of the Azure trace, laid over each other, or all alike."""

import asyncio
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from e2e.conftest import missing
from e2e.fleet import MODEL, Fleet

from tandem.cli.up.load import Felt, Player
from tandem.traces.model import Trace
from tandem.traces.read import read_trace
from tandem.traces.request import TraceRequest
from tandem.traces.scale import at_rate, window

_FILE = "azure2023/AzureLLMInferenceTrace_conv.csv.gz"
_BEGIN_S = 600.0  # into the trace
_SEED = 1


@dataclass(frozen=True)
class Kind:
    """Requests of the trace by their lengths in tokens, bounds included."""

    input_tokens: tuple[int, int]
    output_tokens: tuple[int, int]

    def holds(self, request: TraceRequest) -> bool:
        """Whether a request is of this kind."""
        (least_in, most_in), (least_out, most_out) = self.input_tokens, self.output_tokens
        return (
            least_in <= request.input_tokens <= most_in
            and least_out <= request.output_tokens <= most_out
        )


BRIEF = Kind(input_tokens=(1, 512), output_tokens=(1, 100))
LONG_PROMPTS = Kind(input_tokens=(1500, 3000), output_tokens=(1, 50))
LONG_ANSWERS = Kind(input_tokens=(1, 1200), output_tokens=(300, 1000))


def traffic(kind: Kind, rate_rps: float, from_s: float, to_s: float) -> list[TraceRequest]:
    """Requests of a kind that arrive between two times of a test."""
    of_kind = replace(_trace(), requests=tuple(filter(kind.holds, _trace().requests)))
    part = window(at_rate(of_kind, rate_rps, _SEED), _BEGIN_S, to_s - from_s)
    return [
        replace(request, arrival_s=request.arrival_s + from_s, session="")
        for request in part.requests
    ]


def steady(
    rate_rps: float, input_tokens: int, output_tokens: int, for_s: float = 600.0
) -> list[TraceRequest]:
    """Requests of one size, evenly apart."""
    return [
        TraceRequest(
            arrival_s=number / rate_rps, input_tokens=input_tokens, output_tokens=output_tokens
        )
        for number in range(int(for_s * rate_rps))
    ]


@contextmanager
def playing(
    fleet: Fleet, load: Sequence[TraceRequest], *, to_the_end: bool = True
) -> Iterator[list[Felt]]:
    """Send requests at their times meanwhile; what users felt is whole after the block.

    Where it is not played to the end, the block's end cuts it short.
    """
    ordered = sorted(load, key=lambda request: request.arrival_s)
    player = Player(fleet.url, MODEL, ordered, ordered[-1].arrival_s)
    cut = threading.Event()
    # a thread stays in the network that it was started in
    thread = threading.Thread(target=lambda: asyncio.run(_play(player, cut)))
    thread.start()
    try:
        yield player.felt
    finally:
        if not to_the_end:
            cut.set()
        thread.join()


async def _play(player: Player, cut: threading.Event) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_pass_on(cut, stop))
        await player.play(stop)
        cut.set()


async def _pass_on(cut: threading.Event, stop: asyncio.Event) -> None:
    await asyncio.to_thread(cut.wait)
    stop.set()


@cache
def _trace() -> Trace:
    folder = os.environ.get("TANDEM_DATA")
    file = Path(folder or "") / _FILE
    if not folder or not file.exists():
        missing(f"no real traffic: $TANDEM_DATA names no folder with {_FILE}")
    return read_trace(file)

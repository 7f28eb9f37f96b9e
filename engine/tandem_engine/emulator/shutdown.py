"""How an emulator ends: as vLLM 0.32 under SIGTERM.

Without a timeout every stream is cut with finish_reason `abort` and a clean [DONE]. With one, what
runs may finish and leased KV may be pulled, /health stays 200, and requests that still come are
answered with an abort. A second signal, or the timeout, ends at once.
"""

import asyncio
import signal

from tandem_engine.emulator.emulator import Emulator

LOOK_S = 0.02  # between two looks at whether the engine is idle; doubled, an exit comes 20 ms later


class Shutdown:
    """Counts the requests to end, and waits for what they allow to finish."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._insisted = asyncio.Event()

    def ask(self) -> None:
        """End; asked again, at once."""
        (self._insisted if self._asked.is_set() else self._asked).set()

    def listen(self) -> None:
        """Be asked by SIGTERM and SIGINT."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self.ask)

    async def drained(self, emulator: Emulator, timeout_s: float) -> None:
        """Return when the engine may end: asked to, and idle, or out of time."""
        await self._asked.wait()
        emulator.is_draining = True
        until_idle = asyncio.create_task(_idle(emulator))
        insisted = asyncio.create_task(self._insisted.wait())
        await asyncio.wait(
            (until_idle, insisted), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        until_idle.cancel()
        insisted.cancel()


async def _idle(emulator: Emulator) -> None:
    while not emulator.core.is_idle:  # noqa: ASYNC110 - cheaper than an event set in every step
        await asyncio.sleep(LOOK_S)

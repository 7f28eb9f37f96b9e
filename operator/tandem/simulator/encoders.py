"""Encode pods: they turn images, sound and video into tokens before a prompt is prefilled."""

from collections.abc import Callable
from heapq import heapreplace

from tandem.simulator.clock import Clock
from tandem.simulator.flight import Flight


class Encoders:
    """A fixed number of pods, each with one request at a time; first come, first served."""

    def __init__(self, clock: Clock, pods: int, encoded: Callable[[Flight], None]) -> None:
        self._clock = clock
        self._free_s = [0.0] * pods  # when each is free, a heap
        self._encoded = encoded

    def encode(self, flight: Flight, seconds: float) -> None:
        """Tell `encoded` when a request's turn has come and its seconds have passed."""
        done_s = max(self._clock.now_s, self._free_s[0]) + seconds
        heapreplace(self._free_s, done_s)
        self._clock.at(done_s, self._encoded, flight)

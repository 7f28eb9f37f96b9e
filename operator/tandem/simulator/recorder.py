"""Keeps what became of every request, in columns: a million requests are 80 MB."""

from array import array
from struct import pack
from typing import Final

from tandem.simulator.flight import Flight, Outcome

TIMES = (
    "arrival_s",
    "encoded_s",
    "started_s",
    "prefilled_s",
    "pull_began_s",
    "pulled_s",
    "first_token_s",
    "last_token_s",
    "ended_s",
)
WIDTH: Final = 12
_FLUSH: Final = 10_000  # numbers that wait
_NAN: Final = float("nan")
OUTCOMES = tuple(Outcome)


class Recorder:
    """Rows under way, one a request that ended: position, place in OUTCOMES, cached tokens, TIMES.

    What is new waits in a list, which takes it faster than an array does.
    """

    def __init__(self) -> None:
        self.count = 0
        self._rows = array("d")
        self._new: list[float] = []

    def add(self, flight: Flight, outcome: int) -> None:
        """A request ended; `outcome` is its place in OUTCOMES."""
        new = self._new
        new.append(float(flight.position))
        new.append(float(outcome))
        new.append(float(flight.cached_tokens))
        new.append(flight.arrival_s)
        new.append(_NAN if flight.encoded_s is None else flight.encoded_s)
        new.append(_NAN if flight.started_s is None else flight.started_s)
        new.append(_NAN if flight.prefilled_s is None else flight.prefilled_s)
        new.append(_NAN if flight.pull_began_s is None else flight.pull_began_s)
        new.append(_NAN if flight.pulled_s is None else flight.pulled_s)
        new.append(_NAN if flight.first_token_s is None else flight.first_token_s)
        new.append(_NAN if flight.last_token_s is None else flight.last_token_s)
        new.append(_NAN if flight.ended_s is None else flight.ended_s)
        self.count += 1
        if len(new) >= _FLUSH:
            self._flush()

    def rows(self, first: int) -> "array[float]":
        """All numbers of the rows from the first so many on, a row of WIDTH after the other."""
        self._flush()
        return self._rows[first * WIDTH :]

    def _flush(self) -> None:
        self._rows.frombytes(pack(f"{len(self._new)}d", *self._new))
        self._new = []

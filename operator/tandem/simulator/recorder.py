"""Keeps what became of every request, in columns: a million requests are 80 MB."""

from array import array

from tandem.simulator.flight import Flight, Outcome

TIMES = (
    "arrival_s",
    "started_s",
    "prefilled_s",
    "pull_began_s",
    "pulled_s",
    "first_token_s",
    "last_token_s",
    "ended_s",
)
_NAN = float("nan")
OUTCOMES = tuple(Outcome)


class Recorder:
    """Columns under way: one entry a request that ended."""

    def __init__(self) -> None:
        self.positions = array("q")
        self.outcomes = array("b")
        self.cached_tokens = array("q")
        self.times = array("d")  # rows of TIMES

    def add(self, flight: Flight, outcome: int) -> None:
        """A request ended; `outcome` is its place in OUTCOMES."""
        self.positions.append(flight.position)
        self.outcomes.append(outcome)
        self.cached_tokens.append(flight.cached_tokens)
        self.times.extend(
            (
                flight.arrival_s,
                _NAN if flight.started_s is None else flight.started_s,
                _NAN if flight.prefilled_s is None else flight.prefilled_s,
                _NAN if flight.pull_began_s is None else flight.pull_began_s,
                _NAN if flight.pulled_s is None else flight.pulled_s,
                _NAN if flight.first_token_s is None else flight.first_token_s,
                _NAN if flight.last_token_s is None else flight.last_token_s,
                _NAN if flight.ended_s is None else flight.ended_s,
            )
        )

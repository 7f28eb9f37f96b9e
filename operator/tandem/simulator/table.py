"""What became of every request, in columns: a million requests are 80 MB, and a percentile is one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tandem.planner.spec import Slo
from tandem.simulator.flight import Outcome
from tandem.simulator.recorder import OUTCOMES, TIMES, WIDTH, Recorder
from tandem.traces.columns import Columns, columns
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One request of the table; times in seconds of virtual time, None where they never were."""

    position: int
    request: TraceRequest
    outcome: Outcome
    cached_tokens: int
    arrival_s: float
    encoded_s: float | None
    started_s: float | None
    prefilled_s: float | None
    pull_began_s: float | None
    pulled_s: float | None
    first_token_s: float | None
    last_token_s: float | None
    ended_s: float | None

    @property
    def ttft_s(self) -> float | None:
        """Arrival to first token."""
        return None if self.first_token_s is None else self.first_token_s - self.arrival_s

    @property
    def tpot_s(self) -> float | None:
        """Mean gap of the tokens after the first; None for an answer of one token."""
        after_first = self.request.output_tokens - 1
        if not after_first or self.first_token_s is None or self.last_token_s is None:
            return None
        return (self.last_token_s - self.first_token_s) / after_first


@dataclass(frozen=True, kw_only=True)
class RequestTable:
    """Every request that came, in the order in which they ended; arrays of one length, NaN where no time is.

    Attributes:
        trace: what the positions point into; `whole` are its columns, where somebody has them.
        positions: of the request in its trace.
        outcomes: places in OUTCOMES.
        cached_tokens: of the prompt, that the prefill pod had and did not compute.
        times: by name (TIMES), seconds of virtual time.

    """

    trace: Trace
    whole: Columns | None = None
    positions: NDArray[np.int64]
    outcomes: NDArray[np.int8]
    cached_tokens: NDArray[np.int64]
    times: dict[str, Floats]

    @classmethod
    def of(
        cls, trace: Trace, recorder: Recorder, first: int = 0, whole: Columns | None = None
    ) -> "RequestTable":
        """What a recorder holds, from its first so many rows on."""
        columns = np.array(recorder.rows(first)).reshape(-1, WIDTH).T
        return cls(
            trace=trace,
            whole=whole,
            positions=columns[0].astype(np.int64),
            outcomes=columns[1].astype(np.int8),
            cached_tokens=columns[2].astype(np.int64),
            times=dict(zip(TIMES, np.ascontiguousarray(columns[3:]), strict=True)),
        )

    def is_outcome(self, outcome: Outcome) -> NDArray[np.bool_]:
        """Who ended so."""
        return np.equal(self.outcomes, OUTCOMES.index(outcome))

    @property
    def arrival_s(self) -> Floats:
        """When each came."""
        return self.times["arrival_s"]

    @cached_property
    def input_tokens(self) -> NDArray[np.int64]:
        """Of each prompt."""
        return self._of_trace.input_tokens[self.positions]

    @cached_property
    def output_tokens(self) -> NDArray[np.int64]:
        """Of each answer, had it come whole."""
        return self._of_trace.output_tokens[self.positions]

    @cached_property
    def ttft_s(self) -> Floats:
        """Arrival to first token."""
        return self.times["first_token_s"] - self.arrival_s

    @cached_property
    def tpot_s(self) -> Floats:
        """Mean gap of the tokens after the first; NaN for an answer of one token."""
        after_first = self.output_tokens - 1
        span_s = self.times["last_token_s"] - self.times["first_token_s"]
        return np.where(after_first > 0, span_s / np.maximum(after_first, 1), np.nan)

    @property
    def e2e_s(self) -> Floats:
        """Arrival to last token."""
        return self.times["ended_s"] - self.arrival_s

    @property
    def queue_s(self) -> Floats:
        """Arrival, or the end of the encode stage, to the begin of the first prefill."""
        encoded_s = self.times["encoded_s"]
        return self.times["started_s"] - np.where(np.isnan(encoded_s), self.arrival_s, encoded_s)

    @property
    def encode_s(self) -> Floats:
        """Arrival to the end of the encode stage, the wait for it too; NaN of what went to no encode pod."""
        return self.times["encoded_s"] - self.arrival_s

    @property
    def transfer_s(self) -> Floats:
        """Begin to end of the pull, on a link that others share."""
        return self.times["pulled_s"] - self.times["pull_began_s"]

    def met_ttft(self, slo: Slo) -> NDArray[np.bool_]:
        """Who finished, the first token in time."""
        return self.is_outcome(Outcome.FINISHED) & (self.ttft_s <= slo.ttft_s)

    def met_tpot(self, slo: Slo) -> NDArray[np.bool_]:
        """Who finished, the tokens fast enough; one token alone always is."""
        return self.is_outcome(Outcome.FINISHED) & ~(self.tpot_s > slo.tpot_s)

    def met(self, slo: Slo) -> NDArray[np.bool_]:
        """Who met both targets."""
        return self.met_ttft(slo) & self.met_tpot(slo)

    def rows(self) -> Sequence[Ended]:
        """The requests one by one, for a look at single ones."""
        columns = {name: times.tolist() for name, times in self.times.items()}
        return [
            Ended(
                position=position,
                request=self.trace.requests[position],
                outcome=OUTCOMES[outcome],
                cached_tokens=cached,
                arrival_s=columns["arrival_s"][row],
                **{name: _or_none(columns[name][row]) for name in TIMES[1:]},
            )
            for row, (position, outcome, cached) in enumerate(
                zip(
                    self.positions.tolist(),
                    self.outcomes.tolist(),
                    self.cached_tokens.tolist(),
                    strict=True,
                )
            )
        ]

    @cached_property
    def _of_trace(self) -> Columns:
        return columns(self.trace) if self.whole is None else self.whole


def _or_none(time_s: float) -> float | None:
    return None if time_s != time_s else time_s  # noqa: PLR0124 - only NaN differs from itself

"""What one user felt: times and tokens of a request, told to the metrics once, when it ends.

A client that does not stream sees no first token. For it, TTFT ends when the decode leg is sent (the
first token exists by then, at the prefill pod) and TPOT is the rest over all tokens: both together are
what it waited for, and a slow stage still shows under its own target.
"""

from collections import deque

from tandem.gateway.metrics import GatewayMetrics, Outcome
from tandem.gateway.settings import Settings

_HELD_READS = 3  # the last events of a stream (abort or error, usage, [DONE]) are no tokens


class Account:
    """One request's account. Times are seconds on the loop's clock."""

    def __init__(self, metrics: GatewayMetrics, settings: Settings, arrival_s: float) -> None:
        self.arrival_s = arrival_s
        self.input_tokens = 0
        self.cached_tokens = 0
        self.output_tokens = 0
        self._metrics = metrics
        self._settings = settings
        self._first_s: float | None = None
        self._last_s = arrival_s
        self._tpot_s = 0.0
        self._reads: deque[tuple[float, int]] = deque()

    def seen(self, now_s: float, events: int) -> None:
        """A read of the stream brought so many events; the last reads are held back, see `close`."""
        if events:
            self._reads.append((now_s, events))
            if len(self._reads) > _HELD_READS:
                self._settle(*self._reads.popleft())

    def close(self, silent: int, completion_tokens: int | None = None) -> None:
        """The stream ended with `silent` events that were no tokens; the engine's own count wins."""
        while self._reads:
            now_s, events = self._reads.pop()
            tokens = max(0, events - silent)
            silent -= events - tokens
            if tokens:
                self._reads.append((now_s, tokens))
                break
        while self._reads:
            self._settle(*self._reads.popleft())
        if completion_tokens:
            self.output_tokens = completion_tokens
        if self._first_s is not None and self.output_tokens > 1:
            self._tpot_s = (self._last_s - self._first_s) / (self.output_tokens - 1)

    def whole_answer(self, sent_s: float, now_s: float, completion_tokens: int) -> None:
        """An answer that was not streamed: its decode leg was sent then and is complete now."""
        self._first_s, self._last_s = sent_s, now_s
        self.output_tokens = completion_tokens
        if completion_tokens > 1:
            self._tpot_s = (now_s - sent_s) / completion_tokens

    def end(self, outcome: Outcome) -> None:
        """Tell the metrics; a request without an answer met neither target."""
        if self._first_s is None:
            self._metrics.finished(outcome)
            return
        ttft_s = self._first_s - self.arrival_s
        self._metrics.ttft.observe(ttft_s)
        if self.output_tokens > 1:
            self._metrics.tpot.observe(self._tpot_s)
        if outcome is Outcome.OK:
            self._metrics.e2e.observe(self._last_s - self.arrival_s)
        self._metrics.lengths(self.input_tokens, self.cached_tokens, self.output_tokens)
        self._metrics.finished(
            outcome,
            ttft_met=ttft_s <= self._settings.ttft_s,
            tpot_met=outcome is not Outcome.CUT and self._tpot_s <= self._settings.tpot_s,
        )

    def _settle(self, now_s: float, tokens: int) -> None:
        """Tokens of one read share the time since the one before; those beside the first had none."""
        if self._first_s is None:
            self._first_s = self._last_s = now_s
            if tokens > 1:
                self._metrics.itl.observe(0.0, tokens - 1)
        else:
            self._metrics.itl.observe((now_s - self._last_s) / tokens, tokens)
            self._last_s = now_s
        self.output_tokens += tokens

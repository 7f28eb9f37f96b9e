"""An engine in real time: begins a step, waits its seconds, ends it, tells who waits.

Steps stand on an absolute schedule: each ends its modelled seconds after the one before should have
ended, so that the overshoot of a timer (libuv counts in milliseconds) never adds up. After a pause
the schedule starts anew.
"""

from asyncio import get_running_loop
from collections.abc import Callable
from time import monotonic

from tandem.perf.engine import Engine
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.sequence import Sequence, Stage
from tandem.perf.step import Step
from tandem_engine.emulator.call import Call
from tandem_engine.emulator.counts import Counts
from tandem_engine.emulator.lease import Leases

# A starved process catches up with the profile's time in a burst of steps, but for no longer than
# this; doubled, a process that was stopped for a second answers with a burst twice as unlike a GPU.
MOST_LAG_S = 1.0


class Core:
    """The engine, its clock and the requests in it."""

    def __init__(
        self,
        profile: EngineProfile,
        lease_s: int,
        counts: Counts,
        now_s: Callable[[], float] = monotonic,
    ) -> None:
        self.engine = Engine(profile)
        self.now_s = now_s
        self.counts = counts
        self.leases = Leases(lease_s, self._free)
        self.calls: dict[str, Call] = {}
        self.lag_s = 0.0  # how far behind the profile's time the last step ended
        self._step: Step | None = None
        self._due_s = 0.0
        self._last_end_s = 0.0
        self._loaded: list[Call] = []  # since the last step began
        self._firsts: list[Call] = []  # whose first token the present step decodes

    # -- what comes in and goes out ---------------------------------------------------------------

    def submit(self, call: Call) -> None:
        """Queue a request; its answer hears every token and one end."""
        self.calls[call.key] = call
        self.engine.add(call.sequence)
        self._wake()

    def abort(self, key: str) -> None:
        """Drop a request at whatever stage it is; its KV is free, and a peer's too."""
        call = self.calls.pop(key, None)
        if call is None:
            return
        self.engine.abort(key)
        if call.pull is not None:
            call.pull.abandon()
        self._finish(call, "abort", self.now_s())
        self._wake()

    def abort_all(self) -> None:
        """Drop every request, and the KV that peers have not pulled."""
        for key in list(self.calls):
            self.abort(key)
        self.leases.drop_all()

    def loaded(self, call: Call) -> None:
        """The KV of a request has come from its peer."""
        call.pulled_tokens = call.sequence.input_tokens
        call.pull = None
        self._loaded.append(call)
        self.engine.loaded(call.key)
        self._wake()

    def recompute(self, call: Call) -> None:
        """The KV of a request will never come: compute its prompt here, before all that wait."""
        call.pull = None
        lost = call.sequence
        if lost.stage is Stage.WAITING:
            lost.remote_kv = False
        else:
            self.engine.abort(lost.key)
            call.sequence = Sequence(
                key=lost.key,
                input_tokens=lost.input_tokens,
                output_tokens=lost.output_tokens,
                pin=lost.pin,
            )
            self.engine.add(call.sequence)
            self.engine.waiting.insert(0, self.engine.waiting.pop())
        self._wake()

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, waits or is pinned here."""
        return not self.engine.unfinished

    @property
    def arrived(self) -> int:
        """Requests whose KV has come and that wait for the next step."""
        return sum(call.sequence.stage is Stage.LOADING for call in self._loaded)

    def _free(self, key: str) -> None:
        self.engine.release(key)
        self._wake()

    # -- the iteration ----------------------------------------------------------------------------

    def _wake(self) -> None:
        """Begin a step if none runs and there is something to compute."""
        if self._step is None:
            self._due_s = self.now_s()
            self._begin()

    def _begin(self) -> None:
        preemptions = self.engine.preemptions
        self._admit_pulls()
        self._step = self.engine.begin()
        self._admit_pulls()
        if self.engine.preemptions > preemptions:
            self._note_preempted()
        if self._step is None:
            return
        now_s = self.now_s()
        self._firsts, self._loaded = self._loaded, []
        self._note_scheduled(self._step, now_s)
        self._due_s = max(self._due_s, now_s - MOST_LAG_S) + self._step.seconds
        get_running_loop().call_later(max(0.0, self._due_s - now_s), self._end)

    def _end(self) -> None:
        assert self._step is not None, "a step ends once"
        now_s = self.now_s()
        self.lag_s = now_s - self._due_s
        decoded = [self.calls[key] for key in self.engine.batch.members]
        firsts = [call for call in self._firsts if call.sequence.stage is Stage.DECODING]
        outcome = self.engine.end()
        self._count(self._step, len(decoded) + len(outcome.prefilled))
        if len(decoded) > len(firsts):
            self.counts.itl_s.observe(now_s - self._last_end_s, len(decoded) - len(firsts))
        for call in firsts:
            self._note_first_token(call, now_s)
        for call in decoded:
            call.answer.token()
        for sequence in outcome.prefilled:
            self._prompt_done(self.calls[sequence.key], now_s)
        for sequence in outcome.finished:
            if sequence.stage is Stage.PINNED:
                self.leases.begin(sequence.key)
            self._finish(self.calls.pop(sequence.key), "length", now_s)
        self._last_end_s = now_s
        self._begin()

    def _admit_pulls(self) -> None:
        while (sequence := self.engine.next_load()) is not None:
            pull = self.calls[sequence.key].pull
            assert pull is not None, "a sequence with remote KV has a pull"
            pull.admitted()

    # -- what is noted for /metrics ---------------------------------------------------------------

    def _note_scheduled(self, step: Step, now_s: float) -> None:
        calls = [self.calls[sequence.key] for sequence, _, _ in step.chunks]
        for call in (*calls, *self._firsts):
            if call.scheduled_s is None:
                call.scheduled_s = now_s

    def _note_preempted(self) -> None:
        for call in self.calls.values():
            sequence = call.sequence
            is_out = sequence.stage in (Stage.WAITING, Stage.PREFILLING)
            if is_out and sequence.emitted_before and call.paused_s is None:
                call.paused_s = self._last_end_s
                call.preemptions += 1

    def _note_first_token(self, call: Call, now_s: float) -> None:
        counts, sequence = self.counts, call.sequence
        call.first_token_s = now_s
        counts.prompt_tokens += sequence.input_tokens
        counts.pulled_tokens += call.pulled_tokens
        counts.ttft_s.observe(now_s - call.arrived_s)

    def _prompt_done(self, call: Call, now_s: float) -> None:
        if call.first_token_s is None:
            self._note_first_token(call, now_s)
        elif call.paused_s is not None:
            self.counts.itl_s.observe(now_s - call.paused_s)
            call.paused_s = None
        call.answer.token()

    def _count(self, step: Step, emitted: int) -> None:
        computed = sum(end - start for _, start, end in step.chunks)
        self.counts.generation_tokens += emitted
        self.counts.iteration_tokens.observe(computed + emitted)

    def _finish(self, call: Call, reason: str, now_s: float) -> None:
        counts, sequence = self.counts, call.sequence
        counts.finished[reason] += 1
        counts.e2e_s.observe(now_s - call.arrived_s)
        counts.request_n.observe(1)
        counts.request_max_tokens.observe(sequence.output_tokens)
        counts.request_prompt_tokens.observe(sequence.input_tokens)
        counts.request_generation_tokens.observe(sequence.emitted_before)
        counts.request_preemptions.observe(call.preemptions)
        if call.scheduled_s is not None:
            counts.queue_s.observe(call.scheduled_s - call.arrived_s)
            counts.inference_s.observe(now_s - call.scheduled_s)
            if call.first_token_s is not None:
                decode_s = now_s - call.first_token_s
                counts.prefill_s.observe(call.first_token_s - call.scheduled_s)
                counts.decode_s.observe(decode_s)
                counts.tpot_s.observe(decode_s / max(1, sequence.emitted_before - 1))
        call.answer.end(reason)

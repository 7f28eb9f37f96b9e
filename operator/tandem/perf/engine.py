"""An engine replica as vLLM schedules it: iteration-level batching over paged KV.

Pure and clockless: the caller asks for the next step, waits its seconds (in virtual time in the
simulator, in real time in the emulator), then ends it.

Rules, as in vLLM's scheduler:
1. Running sequences first: each decodes one token. Where blocks lack, what came to run last is
   preempted, a prompt in chunks before any that decodes: its blocks are dropped, all its tokens are
   recomputed later, and it is the first to be admitted again. With `swap`, an answer's KV goes to the
   host's memory instead, and is loaded from there when blocks are free.
2. Then prompts, first come first served, in chunks within the token budget (and `chunk_tokens` a step,
   where that is less), blocks for the whole prompt taken at admission.
3. A sequence whose KV comes from a peer takes its blocks first, then loads; it joins the batch
   without computing its prompt, and its first step recomputes the last prompt token.
"""

from tandem.errors import InvalidInputError
from tandem.perf.batch import DecodeBatch
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.sequence import (
    DECODING,
    GONE,
    LOADING,
    PINNED,
    PREFILLING,
    WAITING,
    Sequence,
)
from tandem.perf.step import Chunk, Outcome, Step
from tandem.perf.step_times import StepTimes


class Engine:
    """State of one replica; see the module's text for its rules."""

    def __init__(
        self,
        profile: EngineProfile,
        times: StepTimes | None = None,
        *,
        swap: bool = False,
        chunk_tokens: int = 0,
    ) -> None:
        self.profile = profile
        self._chunk_tokens = chunk_tokens or profile.batch_tokens
        self.swap = swap
        of: StepTimes = profile if times is None else times
        self._step_s, self._decode_run = of.step_s, of.decode_run  # looked up once
        self.blocks_total = profile.kv.capacity_tokens // profile.kv.block_tokens
        self.blocks_free = self.blocks_total
        self.preemptions = 0
        self.waiting: list[Sequence] = []
        self.batch = DecodeBatch(profile.kv.block_tokens)
        self._known: dict[str, Sequence] = {}
        self._prefilling: list[Sequence] = []
        self._loading: set[str] = set()
        self._arrived: list[Sequence] = []  # loaded while a step ran: they join the next one
        self._step: Step | None = None
        self._encodes = False  # as long as nothing has brought images

    # -- what comes in and goes out ---------------------------------------------------------------

    def fits(self, input_tokens: int, output_tokens: int) -> bool:
        """Whether a request could ever run here alone: the KV of its last token is never kept."""
        return self.profile.kv.blocks(input_tokens + output_tokens - 1) <= self.blocks_total

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence; one with remote KV is handed out for loading by `next_load`.

        One that could never end is refused: it would stand in front of all others for ever.
        """
        self._check(sequence)
        sequence.computed_tokens = min(sequence.cached_tokens, sequence.input_tokens - 1)
        self._known[sequence.key] = sequence
        if sequence.encode_s > 0:
            self._encodes = True
        self.waiting.append(sequence)

    def next_load(self) -> Sequence | None:
        """The first waiting sequence with remote KV, its blocks taken, if it is its turn and they are free."""
        if not self.waiting or not self.waiting[0].remote_kv or not self._admit():
            return None
        sequence = self.waiting.pop(0)
        sequence.stage = LOADING
        self._loading.add(sequence.key)
        return sequence

    def loaded(self, key: str) -> None:
        """The KV of a loading sequence is here: it joins the batch at the next step."""
        if key in self._loading:
            self._arrived.append(self._known[key])

    def release(self, key: str) -> None:
        """Free pinned KV that a peer has taken or that nobody will take."""
        sequence = self._known.get(key)
        if sequence is not None and sequence.stage is PINNED:
            self._forget(sequence)

    def hand_over(self, key: str) -> int:
        """Let a sequence decode no longer and pin its KV; tells how many tokens it emitted, 0 if it did not."""
        sequence = self._known.get(key)
        if sequence is None or sequence.stage is not DECODING:
            return 0
        self._withdraw(sequence)
        sequence.stage = PINNED
        return sequence.emitted_before

    def abort(self, key: str) -> Sequence | None:
        """Drop a sequence at whatever stage it is; unknown keys are none."""
        sequence = self._known.get(key)
        if sequence is None:
            return None
        self._withdraw(sequence)
        self._forget(sequence)
        return sequence

    # -- the iteration ----------------------------------------------------------------------------

    def begin(self, most: int = 1) -> Step | None:
        """Schedule the next iteration; None when there is nothing that can be computed now.

        With `most` above 1 it is a run of up to so many iterations where nothing but the caller can
        change what they work on: up to the first last token, or until KV blocks lack.
        """
        assert self._step is None, "begin() before end()"
        self._join_arrived()
        self._make_room()
        budget = min(self._chunk_tokens, self.profile.batch_tokens - len(self.batch))
        chunks = self._schedule_prompts(budget)
        decoding = len(self.batch)
        if chunks:
            spans = [(start, end) for _, start, end in chunks]
            step_s = self._step_s(spans, decoding, self.batch.context_tokens)
            if self._encodes:
                step_s += _encode_s(chunks)
            self._step = Step(decoding, chunks, step_s)
        elif decoding:
            self._step = self._run(decoding, most)
        return self._step

    def go_on(self, iterations: int) -> None:
        """So many iterations of a run are over, and the rest of it goes on."""
        step = self._step
        assert step is not None
        assert iterations < step.iterations, "go_on() at the end of a run"
        self.blocks_free -= self.batch.opened(iterations + 1) - self.batch.new_blocks
        self.batch.advance(iterations)
        step.iterations -= iterations
        step.first_s += iterations * step.slope_s

    def run_fits(self) -> bool:
        """Whether the blocks that the rest of the run opens are still free."""
        step = self._step
        if step is None or step.iterations == 1:
            return True
        return self.batch.opened(step.iterations) - self.batch.new_blocks <= self.blocks_free

    def stop_run(self) -> None:
        """Let the run end with the iteration it is in."""
        if self._step is not None:
            self._step.iterations = 1

    def end(self) -> Outcome:
        """Account for all iterations that `begin` started and that are not accounted for yet."""
        step, self._step = self._step, None
        assert step is not None, "end() without begin()"
        if step.iterations > 1:
            self.blocks_free -= self.batch.opened(step.iterations) - self.batch.new_blocks
        finished = self.batch.advance(step.iterations) if step.decoding else []
        for sequence in finished:
            self._leave_batch(sequence)
            self._finish(sequence)
        if not step.chunks:
            return Outcome([], finished)
        prefilled: list[Sequence] = []
        for sequence, _, end in step.chunks:
            if sequence.stage is not PREFILLING:
                continue  # aborted while its chunk ran
            sequence.computed_tokens = end
            if end == sequence.target_tokens:
                prefilled.append(sequence)
                if self._prompt_done(sequence):
                    finished.append(sequence)
        return Outcome(prefilled, finished)

    def emitted(self, sequence: Sequence) -> int:
        """Tokens that a sequence has emitted so far."""
        if sequence.stage is DECODING:
            return self.batch.emitted(sequence)
        return sequence.emitted_before

    @property
    def kv_usage(self) -> float:
        """Share of the KV blocks in use, pinned ones too."""
        return 1.0 - self.blocks_free / self.blocks_total

    @property
    def running(self) -> int:
        """Sequences that count against the batch cap: decoding, prefilling or loading."""
        return len(self.batch) + len(self._prefilling) + len(self._loading)

    @property
    def unfinished(self) -> int:
        """Sequences known here at whatever stage, pinned ones too."""
        return len(self._known)

    @property
    def pinned(self) -> int:
        """Finished prefill legs whose KV nobody has pulled yet."""
        return sum(s.stage is PINNED for s in self._known.values())

    # -- decoding ---------------------------------------------------------------------------------

    def _run(self, decoding: int, most: int) -> Step:
        """As many iterations as pass before the batch changes by itself."""
        if most > 1:
            spare = self.blocks_free + self.batch.new_blocks  # the first iteration has its own
            most = self.batch.most_within(spare, min(most, self.batch.until_end()))
        count, first_s, slope_s = self._decode_run(decoding, self.batch.context_tokens, most)
        return Step(decoding, (), first_s, slope_s, count)

    def _join_arrived(self) -> None:
        if not self._arrived:
            return
        arrived, self._arrived = self._arrived, []
        for sequence in arrived:
            if sequence.stage is LOADING:
                self._loading.discard(sequence.key)
                sequence.remote_kv = sequence.swapped = (
                    False  # what is recomputed after a preemption is computed here
                )
                self._join(sequence, sequence.target_tokens - 1)

    def _join(self, sequence: Sequence, kv_tokens: int) -> None:
        held = self.profile.kv.blocks(kv_tokens)
        self.blocks_free += sequence.blocks - held
        sequence.blocks = held
        self.batch.join(sequence, kv_tokens)

    def _leave_batch(self, sequence: Sequence) -> None:
        """Its blocks stay its own until it is forgotten, the one this step opened among them."""
        opened = 1 if self._step is not None and self._step.decoding else 0
        sequence.blocks = self.profile.kv.blocks(self.batch.leave(sequence) + opened)

    def _make_room(self) -> None:
        """Take the blocks this step's new tokens need, preempting what came last where they lack."""
        while (new := self.batch.new_blocks) > self.blocks_free:
            self._preempt(self._prefilling[-1] if self._prefilling else self.batch.last())
        self.blocks_free -= new

    def _preempt(self, sequence: Sequence) -> None:
        self.preemptions += 1
        was_decoding = sequence.stage is DECODING
        self._withdraw(sequence)
        self.blocks_free += sequence.blocks
        sequence.blocks, sequence.computed_tokens = 0, 0
        if self.swap and was_decoding:
            sequence.remote_kv = sequence.swapped = True
        sequence.stage = WAITING
        self.waiting.insert(0, sequence)

    # -- prompts ----------------------------------------------------------------------------------

    def _schedule_prompts(self, budget: int) -> tuple[Chunk, ...]:
        if not (self.waiting or self._prefilling):
            return ()
        chunks: list[Chunk] = []
        for sequence in self._prefilling:
            budget -= self._schedule_chunk(sequence, budget, chunks)
        while budget > 0 and self.waiting and not self.waiting[0].remote_kv and self._admit():
            sequence = self.waiting.pop(0)
            sequence.stage = PREFILLING
            self._prefilling.append(sequence)
            budget -= self._schedule_chunk(sequence, budget, chunks)
        return tuple(chunks)

    def _schedule_chunk(self, sequence: Sequence, budget: int, chunks: list[Chunk]) -> int:
        """Add what of a prompt fits the budget; returns its tokens."""
        start = sequence.computed_tokens
        end = min(sequence.target_tokens, start + budget)
        if end > start:
            chunks.append((sequence, start, end))
        return end - start

    def _prompt_done(self, sequence: Sequence) -> bool:
        """A prompt is whole, and the same step emits its next token; tells whether that was the last."""
        self._prefilling.remove(sequence)
        sequence.emitted_before += 1
        if sequence.emitted_before >= sequence.output_tokens:
            self._finish(sequence)
            return True
        self._join(sequence, sequence.computed_tokens)
        return False

    # -- blocks -----------------------------------------------------------------------------------

    def _admit(self) -> bool:
        """Take the blocks of the first waiting sequence, if they and a place in the batch are free."""
        sequence = self.waiting[0]
        need = self.profile.kv.blocks(sequence.target_tokens)
        if self.running >= self.profile.batch_cap or need > self.blocks_free:
            return False
        self.blocks_free -= need
        sequence.blocks = need
        return True

    def _withdraw(self, sequence: Sequence) -> None:
        """Take a sequence from where it waits or runs; its blocks stay its own."""
        if sequence.stage is DECODING:
            self._leave_batch(sequence)
            if self._step is not None:
                self._step.decoding -= 1  # it emits no token in this iteration
        elif sequence.stage is PREFILLING:
            self._prefilling.remove(sequence)
        elif sequence.stage is WAITING:
            self.waiting.remove(sequence)

    def _finish(self, sequence: Sequence) -> None:
        if sequence.pin:
            sequence.stage = PINNED
        else:
            self._forget(sequence)

    def _forget(self, sequence: Sequence) -> None:
        self.blocks_free += sequence.blocks
        sequence.blocks = 0
        sequence.stage = GONE
        self._loading.discard(sequence.key)
        self._known.pop(sequence.key, None)

    def _check(self, sequence: Sequence) -> None:
        tokens, output = sequence.input_tokens, sequence.output_tokens
        if tokens < 1:
            raise InvalidInputError("input_tokens", tokens, "at least 1")
        if output <= sequence.emitted_before:
            allowed = f"more than the {sequence.emitted_before} emitted before"
            raise InvalidInputError("output_tokens", output, allowed)
        if not self.fits(tokens, output):
            allowed = f"with the output at most {self.blocks_total} blocks of KV"
            raise InvalidInputError("input_tokens", tokens, allowed)
        if sequence.key in self._known:
            raise InvalidInputError("key", sequence.key, "one that is not here already")


def _encode_s(chunks: tuple[Chunk, ...]) -> float:
    """Seconds of the encoder for what these chunks begin, which are spent then."""
    seconds = 0.0
    for sequence, _, _ in chunks:
        seconds += sequence.encode_s
        sequence.encode_s = 0.0
    return seconds

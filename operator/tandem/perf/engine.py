"""An engine replica as vLLM schedules it: iteration-level batching over paged KV.

Pure and clockless: the caller asks for the next step, waits its seconds (in virtual time in the
simulator, in real time in the emulator), then ends it.

Rules, as in vLLM's scheduler:
1. Running sequences first: each decodes one token. Where blocks lack, what came to run last is
   preempted, a prompt in chunks before any that decodes: its blocks are dropped, all its tokens are
   recomputed later, and it is the first to be admitted again.
2. Then prompts, first come first served, in chunks within the token budget, blocks for the whole
   prompt taken at admission.
3. A sequence whose KV comes from a peer takes its blocks first, then loads; it joins the batch
   without computing its prompt, and its first step recomputes the last prompt token.
"""

from collections import deque
from dataclasses import dataclass

from tandem.errors import InvalidInputError
from tandem.perf.batch import DecodeBatch
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.sequence import Sequence, Stage

Chunk = tuple[Sequence, int, int]  # tokens from, to


@dataclass(frozen=True, slots=True)
class Step:
    """One iteration that was begun: how long it takes and what it works on."""

    seconds: float
    decoding: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one iteration did.

    Attributes:
        prefilled: prompts now whole, those computed anew after a preemption too; the step emitted
            their next token.
        finished: sequences that emitted their last token, pinned ones too.

    """

    prefilled: tuple[Sequence, ...]
    finished: tuple[Sequence, ...]


class Engine:
    """State of one replica; see the module's text for its rules."""

    def __init__(self, profile: EngineProfile) -> None:
        self.profile = profile
        self.blocks_total = profile.kv.capacity_tokens // profile.kv.block_tokens
        self.blocks_free = self.blocks_total
        self.preemptions = 0
        self.waiting: deque[Sequence] = deque()
        self.batch = DecodeBatch(profile.kv.block_tokens)
        self._known: dict[str, Sequence] = {}
        self._prefilling: list[Sequence] = []
        self._loading: set[str] = set()
        self._arrived: list[Sequence] = []  # loaded while a step ran: they join the next one
        self._step: Step | None = None

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
        self.waiting.append(sequence)

    def next_load(self) -> Sequence | None:
        """The first waiting sequence with remote KV, its blocks taken, if it is its turn and they are free."""
        if not self.waiting or not self.waiting[0].remote_kv or not self._admit():
            return None
        sequence = self.waiting.popleft()
        sequence.stage = Stage.LOADING
        self._loading.add(sequence.key)
        return sequence

    def loaded(self, key: str) -> None:
        """The KV of a loading sequence is here: it joins the batch at the next step."""
        if key in self._loading:
            self._arrived.append(self._known[key])

    def release(self, key: str) -> None:
        """Free pinned KV that a peer has taken or that nobody will take."""
        sequence = self._known.get(key)
        if sequence is not None and sequence.stage is Stage.PINNED:
            self._forget(sequence)

    def abort(self, key: str) -> Sequence | None:
        """Drop a sequence at whatever stage it is; unknown keys are none."""
        sequence = self._known.get(key)
        if sequence is None:
            return None
        self._withdraw(sequence)
        self._forget(sequence)
        return sequence

    # -- the iteration ----------------------------------------------------------------------------

    def begin(self) -> Step | None:
        """Schedule the next iteration; None when there is nothing that can be computed now."""
        assert self._step is None, "begin() before end()"
        self._join_arrived()
        self._make_room()
        chunks = self._schedule_prompts(self.profile.batch_tokens - len(self.batch))
        decoding = len(self.batch)
        if not decoding and not chunks:
            return None
        spans = [(start, end) for _, start, end in chunks]
        step_s = self.profile.step_s(spans, decoding, self.batch.context_tokens)
        self._step = Step(step_s, decoding, chunks)
        return self._step

    def end(self) -> Outcome:
        """Account for the iteration that `begin` started."""
        step, self._step = self._step, None
        assert step is not None, "end() without begin()"
        finished = self.batch.advance() if step.decoding else []
        for sequence in finished:
            self._leave_batch(sequence)
            self._finish(sequence)
        prefilled: list[Sequence] = []
        for sequence, _, end in step.chunks:
            if sequence.stage is not Stage.PREFILLING:
                continue  # aborted while its chunk ran
            sequence.computed_tokens = end
            if end == sequence.target_tokens:
                prefilled.append(sequence)
                if self._prompt_done(sequence):
                    finished.append(sequence)
        return Outcome(tuple(prefilled), tuple(finished))

    def emitted(self, sequence: Sequence) -> int:
        """Tokens that a sequence has emitted so far."""
        if sequence.stage is Stage.DECODING:
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
        return sum(s.stage is Stage.PINNED for s in self._known.values())

    # -- decoding ---------------------------------------------------------------------------------

    def _join_arrived(self) -> None:
        arrived, self._arrived = self._arrived, []
        for sequence in arrived:
            if sequence.stage is Stage.LOADING:
                self._loading.discard(sequence.key)
                sequence.remote_kv = False  # what is recomputed after a preemption is computed here
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
        while self.batch.new_blocks > self.blocks_free:
            self._preempt(self._prefilling[-1] if self._prefilling else self.batch.last())
        self.blocks_free -= self.batch.new_blocks

    def _preempt(self, sequence: Sequence) -> None:
        self.preemptions += 1
        self._withdraw(sequence)
        self.blocks_free += sequence.blocks
        sequence.blocks, sequence.computed_tokens = 0, 0
        sequence.stage = Stage.WAITING
        self.waiting.appendleft(sequence)

    # -- prompts ----------------------------------------------------------------------------------

    def _schedule_prompts(self, budget: int) -> tuple[Chunk, ...]:
        chunks: list[Chunk] = []
        for sequence in self._prefilling:
            budget -= self._schedule_chunk(sequence, budget, chunks)
        while budget > 0 and self.waiting and not self.waiting[0].remote_kv and self._admit():
            sequence = self.waiting.popleft()
            sequence.stage = Stage.PREFILLING
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
        if sequence.stage is Stage.DECODING:
            self._leave_batch(sequence)
        elif sequence.stage is Stage.PREFILLING:
            self._prefilling.remove(sequence)
        elif sequence.stage is Stage.WAITING:
            self.waiting.remove(sequence)

    def _finish(self, sequence: Sequence) -> None:
        if sequence.pin:
            sequence.stage = Stage.PINNED
        else:
            self._forget(sequence)

    def _forget(self, sequence: Sequence) -> None:
        self.blocks_free += sequence.blocks
        sequence.blocks = 0
        sequence.stage = Stage.GONE
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

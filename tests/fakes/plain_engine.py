"""The engine's rules as simply as they can be written: lists, explicit counts, O(batch) everywhere.

What `tandem.perf.engine` does with heaps and phases must come to the same.
"""

from dataclasses import dataclass, field
from math import ceil

from tandem.perf.engine_profile import EngineProfile


@dataclass(kw_only=True, eq=False)
class PlainSequence:
    key: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    remote_kv: bool
    pin: bool
    emitted: int
    kv: int = 0  # tokens that stand in the cache

    @property
    def target(self) -> int:
        return self.input_tokens + self.emitted


@dataclass(kw_only=True)
class PlainStep:
    seconds: float
    decoding: list[PlainSequence]
    chunks: list[tuple[PlainSequence, int, int]]


@dataclass
class PlainEngine:
    profile: EngineProfile
    waiting: list[PlainSequence] = field(default_factory=list)
    loading: list[PlainSequence] = field(default_factory=list)
    arrived: list[PlainSequence] = field(default_factory=list)  # still among the loading
    prefilling: list[PlainSequence] = field(default_factory=list)
    decoding: list[PlainSequence] = field(default_factory=list)
    pinned: list[PlainSequence] = field(default_factory=list)
    step: PlainStep | None = None
    preemptions: int = 0

    @property
    def everyone(self) -> list[PlainSequence]:
        return [*self.waiting, *self.loading, *self.prefilling, *self.decoding, *self.pinned]

    @property
    def running(self) -> int:
        return len(self.loading) + len(self.prefilling) + len(self.decoding)

    @property
    def blocks_total(self) -> int:
        return self.profile.kv.capacity_tokens // self.profile.kv.block_tokens

    @property
    def blocks_free(self) -> int:
        """What nobody holds; in a step, what decodes has room for the token it computes."""
        new = 0 if self.step is None else 1
        held = sum(self.blocks(s.target) for s in [*self.loading, *self.prefilling])
        held += sum(self.blocks(s.kv + new) for s in self.decoding)
        held += sum(self.blocks(s.kv) for s in self.pinned)
        return self.blocks_total - held

    def blocks(self, tokens: int) -> int:
        return ceil(tokens / self.profile.kv.block_tokens)

    def add(self, sequence: PlainSequence) -> None:
        sequence.kv = min(sequence.cached_tokens, sequence.input_tokens - 1)
        self.waiting.append(sequence)

    def next_load(self) -> PlainSequence | None:
        if not self.waiting or not self.waiting[0].remote_kv or not self.may_admit():
            return None
        self.loading.append(self.waiting.pop(0))
        return self.loading[-1]

    def loaded(self, key: str) -> None:
        self.arrived += [s for s in self.loading if s.key == key]

    def release(self, key: str) -> None:
        self.pinned = [s for s in self.pinned if s.key != key]

    def abort(self, key: str) -> None:
        for place in (self.waiting, self.loading, self.prefilling, self.decoding, self.pinned):
            place[:] = [s for s in place if s.key != key]

    def begin(self) -> PlainStep | None:
        for sequence in self.arrived:
            if sequence in self.loading:
                self.loading.remove(sequence)
                sequence.remote_kv = False
                sequence.kv = sequence.target - 1
                self.decoding.append(sequence)
        self.arrived = []
        while self.new_blocks() > self.blocks_free:
            self.preempt(self.prefilling or self.decoding)
        self.step = PlainStep(seconds=0.0, decoding=list(self.decoding), chunks=[])
        self.schedule_prompts(self.step, self.profile.batch_tokens - len(self.decoding))
        if not self.step.decoding and not self.step.chunks:
            self.step = None
            return None
        self.step.seconds = self.seconds(self.step)
        return self.step

    def end(self) -> tuple[list[PlainSequence], list[PlainSequence]]:
        assert self.step is not None
        step, self.step = self.step, None
        prefilled, finished = [], []
        for sequence in list(self.decoding):
            sequence.kv += 1
            sequence.emitted += 1
            if sequence.emitted == sequence.output_tokens:
                self.decoding.remove(sequence)
                finished.append(sequence)
        for sequence, _, end in step.chunks:
            if sequence not in self.prefilling:
                continue
            sequence.kv = end
            if end == sequence.target:
                self.prefilling.remove(sequence)
                sequence.emitted += 1
                prefilled.append(sequence)
                last = sequence.emitted == sequence.output_tokens
                (finished if last else self.decoding).append(sequence)
        self.pinned += [s for s in finished if s.pin]
        return prefilled, finished

    def new_blocks(self) -> int:
        return sum(self.blocks(s.kv + 1) - self.blocks(s.kv) for s in self.decoding)

    def preempt(self, place: list[PlainSequence]) -> None:
        sequence = place.pop()
        sequence.kv = 0
        self.waiting.insert(0, sequence)
        self.preemptions += 1

    def may_admit(self) -> bool:
        room = self.blocks(self.waiting[0].target) <= self.blocks_free
        return room and self.running < self.profile.batch_cap

    def schedule_prompts(self, step: PlainStep, budget: int) -> None:
        for sequence in self.prefilling:
            budget -= self.schedule_chunk(step, sequence, budget)
        while budget and self.waiting and not self.waiting[0].remote_kv and self.may_admit():
            self.prefilling.append(self.waiting.pop(0))
            budget -= self.schedule_chunk(step, self.prefilling[-1], budget)

    def schedule_chunk(self, step: PlainStep, sequence: PlainSequence, budget: int) -> int:
        tokens = min(budget, sequence.target - sequence.kv)
        if tokens:
            step.chunks.append((sequence, sequence.kv, sequence.kv + tokens))
        return tokens

    def seconds(self, step: PlainStep) -> float:
        prefill, decode = self.profile.prefill, self.profile.decode
        fixed = [prefill.a_s] * bool(step.chunks) + [decode.alpha_s] * bool(step.decoding)
        return (
            max(fixed)
            + sum(prefill.b_s_per_token * (end - start) for _, start, end in step.chunks)
            + sum(prefill.c_s_per_token2 * (end**2 - start**2) for _, start, end in step.chunks)
            + sum(decode.beta_s_per_sequence for _ in step.decoding)
            + sum(decode.gamma_s_per_token * (s.kv + 1) for s in step.decoding)
        )

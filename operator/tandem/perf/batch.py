"""The decode batch of one engine: an iteration costs O(1), whatever its size, and so do many at once.

Lengths follow from the iteration count, finishers from a heap, and how many sequences open a new KV
block in an iteration from a count per phase (KV length modulo block size, at iteration 0).
"""

from heapq import heappop, heappush

from tandem.perf.sequence import DECODING, Sequence


class DecodeBatch:
    """Sequences that each emit one token an iteration."""

    def __init__(self, block_tokens: int) -> None:
        self.members: dict[str, Sequence] = {}  # in the order in which they joined
        self.context_tokens = 0  # Σ tokens attended to in the next iteration
        self._iteration = 0
        self._phases = [0] * block_tokens
        self._ends: list[tuple[int, int, Sequence]] = []
        self._joins = 0

    def __len__(self) -> int:
        return len(self.members)

    @property
    def new_blocks(self) -> int:
        """KV blocks that the next iteration opens."""
        phases = self._phases
        return phases[-self._iteration % len(phases)]

    def opened(self, iterations: int) -> int:
        """KV blocks that the next so many iterations open: each member one in every full round."""
        phases = self._phases
        rounds, rest = divmod(iterations, len(phases))
        blocks = rounds * len(self.members)
        phase = -self._iteration % len(phases)
        for _ in range(rest):
            blocks += phases[phase]
            phase = (phase or len(phases)) - 1
        return blocks

    def most_within(self, blocks: int, most: int) -> int:
        """The most iterations, up to `most`, that open no more than so many blocks."""
        phases, size = self._phases, len(self.members)
        if (most // len(phases) + 1) * size <= blocks:
            return most
        rounds, blocks = divmod(blocks, size)
        iterations = rounds * len(phases)
        phase = -self._iteration % len(phases)
        while iterations < most and blocks >= phases[phase]:
            blocks -= phases[phase]
            phase = (phase or len(phases)) - 1
            iterations += 1
        return min(iterations, most)

    def until_end(self) -> int:
        """Iterations until the first member emits its last token."""
        ends = self._ends
        while not self._is_live(ends[0]):
            heappop(ends)
        return ends[0][0] - self._iteration

    def last(self) -> Sequence:
        """The sequence that joined last."""
        return next(reversed(self.members.values()))

    def join(self, sequence: Sequence, kv_tokens: int) -> None:
        """Let a sequence decode from the next iteration on, `kv_tokens` of it standing in the cache."""
        self._joins += 1
        sequence.stage, sequence.order = DECODING, self._joins
        sequence.joined_iteration, sequence.kv_at_join = self._iteration, kv_tokens
        self.members[sequence.key] = sequence
        self.context_tokens += kv_tokens + 1
        self._phases[(kv_tokens - self._iteration) % len(self._phases)] += 1
        last = self._iteration + sequence.output_tokens - sequence.emitted_before
        heappush(self._ends, (last, sequence.order, sequence))

    def leave(self, sequence: Sequence) -> int:
        """Take a sequence out; returns the tokens of it that stand in the cache."""
        age = self._iteration - sequence.joined_iteration
        kv_tokens = sequence.kv_at_join + age
        del self.members[sequence.key]
        self.context_tokens -= kv_tokens + 1
        self._phases[(sequence.kv_at_join - sequence.joined_iteration) % len(self._phases)] -= 1
        sequence.emitted_before += age
        return kv_tokens

    def advance(self, iterations: int = 1) -> list[Sequence]:
        """Iterations pass, not beyond the first member's last token.

        Returns those that emitted their last token (still members).
        """
        self._iteration += iterations
        self.context_tokens += iterations * len(self.members)
        ended: list[Sequence] = []
        while self._ends and self._ends[0][0] <= self._iteration:
            end = heappop(self._ends)
            if self._is_live(end):
                ended.append(end[2])
        return ended

    def emitted(self, sequence: Sequence) -> int:
        """Tokens that a member has emitted so far."""
        return sequence.emitted_before + self._iteration - sequence.joined_iteration

    def _is_live(self, end: tuple[int, int, Sequence]) -> bool:
        _, order, sequence = end
        return sequence.order == order and self.members.get(sequence.key) is sequence

"""The decode batch of one engine: an iteration costs O(1), whatever its size.

Lengths follow from the iteration count, finishers from a heap, and how many sequences open a new KV
block in an iteration from a count per phase (KV length modulo block size, at iteration 0).
"""

import heapq
from collections import OrderedDict

from tandem.perf.sequence import Sequence, Stage


class DecodeBatch:
    """Sequences that each emit one token an iteration."""

    def __init__(self, block_tokens: int) -> None:
        self.members: OrderedDict[str, Sequence] = OrderedDict()
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
        return self._phases[-self._iteration % len(self._phases)]

    def last(self) -> Sequence:
        """The sequence that joined last."""
        return next(reversed(self.members.values()))

    def join(self, sequence: Sequence, kv_tokens: int) -> None:
        """Let a sequence decode from the next iteration on, `kv_tokens` of it standing in the cache."""
        self._joins += 1
        sequence.stage, sequence.order = Stage.DECODING, self._joins
        sequence.joined_iteration, sequence.kv_at_join = self._iteration, kv_tokens
        self.members[sequence.key] = sequence
        self.context_tokens += kv_tokens + 1
        self._phases[(kv_tokens - self._iteration) % len(self._phases)] += 1
        last = self._iteration + sequence.output_tokens - sequence.emitted_before
        heapq.heappush(self._ends, (last, sequence.order, sequence))

    def leave(self, sequence: Sequence) -> int:
        """Take a sequence out; returns the tokens of it that stand in the cache."""
        age = self._iteration - sequence.joined_iteration
        kv_tokens = sequence.kv_at_join + age
        del self.members[sequence.key]
        self.context_tokens -= kv_tokens + 1
        self._phases[(sequence.kv_at_join - sequence.joined_iteration) % len(self._phases)] -= 1
        sequence.emitted_before += age
        return kv_tokens

    def advance(self) -> list[Sequence]:
        """One iteration passes; returns those that emitted their last token (still members)."""
        self._iteration += 1
        self.context_tokens += len(self.members)
        ended = []
        while self._ends and self._ends[0][0] <= self._iteration:
            _, order, sequence = heapq.heappop(self._ends)
            if self.members.get(sequence.key) is sequence and sequence.order == order:
                ended.append(sequence)
        return ended

    def emitted(self, sequence: Sequence) -> int:
        """Tokens that a member has emitted so far."""
        return sequence.emitted_before + self._iteration - sequence.joined_iteration

"""Generated sessions: each turn's prompt is the whole conversation before it and some tokens more.

A session's prompts share all their full KV blocks with the next; sessions share nothing. A session
ends after a geometric number of turns, or when its context is full. A turn's arrival is an estimate, as
if each token took `_TOKEN_S`; a simulated fleet sends it `think_s` after the answer before it ended.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tandem.traces import lengths
from tandem.traces.columns import Floats
from tandem.traces.lengths import LengthLaw
from tandem.traces.request import TraceRequest

BLOCK_TOKENS = 512  # Mooncake's
_TOKEN_S = 0.02  # 50 tokens/s: a brisk reader's engine
_LONG = 4.0  # sessions this many times the mean begin before the trace: 1.8 % of them are longer


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationLaw:
    """Turns of a session on average, new tokens and think time of a later turn on average."""

    turns: float
    added: LengthLaw
    think_s: float

    def lasts_s(self, output_mean: float) -> float:
        """How long before the trace sessions begin that may reach into it."""
        return _LONG * self.turns * (self.think_s + output_mean * _TOKEN_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turns:
    """What is drawn for one session: its begin and first prompt, then a value for each turn."""

    begin_s: float
    opener: int
    added: list[int]
    outputs: list[int]
    thinks_s: list[float]


def drawn(
    begins_s: Floats,
    law: ConversationLaw,
    first: LengthLaw,
    output: LengthLaw,
    random: np.random.Generator,
) -> Iterator[TraceRequest]:
    """The turns of sessions that begin at these times."""
    block = 0
    openers = lengths.drawn(begins_s, first, random).tolist()
    counts = random.geometric(1 / law.turns, size=len(begins_s)).tolist()
    drafts = zip(begins_s.tolist(), openers, counts, strict=True)
    for number, (begin_s, opener, count) in enumerate(drafts):
        at_s = np.full(count, begin_s)
        turns = _Turns(
            begin_s=begin_s,
            opener=opener,
            added=lengths.drawn(at_s, law.added, random).tolist(),
            outputs=lengths.drawn(at_s, output, random).tolist(),
            thinks_s=random.exponential(law.think_s, size=count).tolist(),
        )
        for request in _session(f"s{number}", turns, first.longest, block):
            block = max(block, request.hash_ids[-1] + 1)
            yield request


def _session(name: str, turns: _Turns, longest: int, block: int) -> Iterator[TraceRequest]:
    """The turns of one session, whose block ids begin at `block`."""
    arrival_s, context, think_s = turns.begin_s, turns.opener, 0.0
    ids: tuple[int, ...] = ()
    for added, output, next_think_s in zip(turns.added, turns.outputs, turns.thinks_s, strict=True):
        if context > longest:
            return
        ids = _grown(ids, context, block)
        block = ids[-1] + 1
        yield TraceRequest(
            arrival_s=arrival_s,
            input_tokens=context,
            output_tokens=output,
            hash_ids=ids,
            session=name,
            think_s=think_s,
        )
        ids = ids[: context // BLOCK_TOKENS]
        context += output + added
        think_s = next_think_s
        arrival_s += output * _TOKEN_S + think_s


def _grown(shared: tuple[int, ...], context: int, block: int) -> tuple[int, ...]:
    """Blocks of a prompt that begins with the shared ones."""
    more = -(-context // BLOCK_TOKENS) - len(shared)
    return (*shared, *range(block, block + more))

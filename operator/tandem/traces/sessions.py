"""Agent sessions: JSONL with session, turn, session_start_ms; replayed as closed loops.

    {"session": "1aa8", "turn": 1, "timestamp": 2700, "session_start_ms": 397324, "input_length": 868,
     "output_length": 178, "hash_ids": [0, 1, 2]}

`timestamp` is when a call *began*, in milliseconds since its session did. So the gap to the next call
holds the call itself and the thinking after it, and the file does not tell them apart. We take off what
the call must have lasted at the fastest pace that the whole file shows: its smallest gap per output
token (7.5 ms in the trace of LMCache/lmcache-agent-trace). No think gap is negative then, and no
constant is invented; prompts are taken as free, so think gaps are rather long than short.

A call recorded with an input of 0 is read as 1 token: no prompt is empty.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tandem.traces import jsonl
from tandem.traces.place import Place
from tandem.traces.request import TraceRequest

_NEEDED = ("session", "turn", "timestamp", "session_start_ms", "input_length", "output_length")
_OPTIONAL = ("hash_ids", "suite")
MARK = '"session_start_ms"'  # tells this format from the canonical one


@dataclass(frozen=True, slots=True)
class _Call:
    turn: int
    begin_s: float  # since the session's begin
    session_start_s: float
    input_tokens: int
    output_tokens: int
    hash_ids: tuple[int, ...]


def requests(text: str, place: Place) -> Iterator[TraceRequest]:
    """The calls of all sessions; a later turn's arrival is when it came in the recorded run."""
    sessions: defaultdict[str, list[_Call]] = defaultdict(list)
    for row, here in jsonl.rows(text, place):
        here.check_columns(row, _NEEDED, _OPTIONAL)
        sessions[here.text(row, "session")].append(
            _Call(
                here.tokens(row, "turn", least=0),
                here.milliseconds(row, "timestamp") / 1000,
                here.milliseconds(row, "session_start_ms") / 1000,
                max(1, here.tokens(row, "input_length", least=0)),
                here.tokens(row, "output_length"),
                here.hashes(row, "hash_ids"),
            )
        )
    for calls in sessions.values():
        calls.sort(key=lambda call: call.turn)
    pace_s = _fastest_pace_s(sessions.values())
    for session, calls in sessions.items():
        yield from _turns(session, calls, pace_s)


def _turns(session: str, calls: list[_Call], pace_s: float) -> Iterator[TraceRequest]:
    for before, call in zip([None, *calls], calls, strict=False):
        gap_s = call.begin_s - before.begin_s if before else 0.0
        lasted_s = before.output_tokens * pace_s if before else 0.0
        yield TraceRequest(
            arrival_s=call.session_start_s + call.begin_s,
            input_tokens=call.input_tokens,
            output_tokens=call.output_tokens,
            hash_ids=call.hash_ids,
            session=session,
            think_s=max(0.0, gap_s - lasted_s),
        )


def _fastest_pace_s(sessions: Iterable[list[_Call]]) -> float:
    """Smallest seconds per output token between the begins of two calls of one session."""
    gaps = (
        max(0.0, after.begin_s - call.begin_s) / call.output_tokens
        for calls in sessions
        for call, after in pairwise(calls)
    )
    return min(gaps, default=0.0)

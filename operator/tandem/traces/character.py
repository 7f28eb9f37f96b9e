"""The character of a load, and traces made of it: arrivals, lengths, sessions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from tandem.errors import InvalidInputError
from tandem.traces import arrivals, conversations, lengths
from tandem.traces.arrivals import ArrivalLaw
from tandem.traces.columns import Columns, requests
from tandem.traces.conversations import ConversationLaw
from tandem.traces.lengths import LengthLaw
from tandem.traces.model import Trace, over
from tandem.traces.place import MOST_TOKENS
from tandem.traces.request import TraceRequest
from tandem.traces.scale import MOST_REQUESTS

LONGEST_S = 31 * 86_400.0  # a month
_MOST_CV = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeLaw:
    """Which share of requests brings images or the like, and how many tokens they become, beside the text."""

    share: float
    tokens: LengthLaw


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """What a generated load is like; the rate counts requests, of conversations every turn."""

    duration_s: float
    arrivals: ArrivalLaw
    input: LengthLaw
    output: LengthLaw
    conversations: ConversationLaw | None = None
    encode: EncodeLaw | None = None

    @property
    def begins(self) -> ArrivalLaw:
        """The law by which what is no later turn arrives: requests, or sessions."""
        turns = self.conversations.turns if self.conversations else 1.0
        return replace(self.arrivals, rate_rps=self.arrivals.rate_rps / turns)


def generated(character: Character, name: str, seed: int) -> Trace:
    """A seeded trace of this character.

    Raises:
        InvalidInputError: a figure is out of its range, or nothing arrives; it names `tandem trace
            generate`'s flag.

    """
    check(character)
    random = np.random.default_rng(seed)
    made = (_turns if character.conversations else _alone)(character, random)
    if character.encode:
        made = _with_images(list(made), character.encode, random)
    trace = over(name, made, character.duration_s)
    if not trace.requests:
        few = "high enough for one request within the duration"
        raise InvalidInputError("--rate", character.arrivals.rate_rps, few)
    return trace


def check(character: Character) -> None:
    """Refuse what no trace can be made of."""
    law, duration_s = character.arrivals, character.duration_s
    _within("--duration", duration_s, 0, LONGEST_S, above=True)
    most_rps = MOST_REQUESTS / duration_s
    _within("--rate", law.rate_rps, 0, most_rps, above=True)
    _within("--gap-cv", law.gap_cv, 0, _MOST_CV)
    _within("--wave-amplitude", law.amplitude, 0, 1)
    _within("--fano", law.burst_variance, 0, 1e6)
    if character.conversations:
        _check_conversations(character.conversations)
    if character.encode:
        _within("--encode-share", character.encode.share, 0, 1)
        tokens = character.encode.tokens
        _within("--encode-mean", tokens.mean, 1, tokens.longest)
    _check_idle(character.begins)
    for flag, length in (("input", character.input), ("output", character.output)):
        _within(f"--{flag}-mean", length.mean, 1, length.longest)
        _within(f"--{flag}-cv", length.cv, 0, _MOST_CV)
        _within("--drift", length.swing, 1, 1e6)
    _within("--longest", character.input.longest, 1, MOST_TOKENS)
    for flag, wave in (("wave", law.wave), ("drift", character.input.wave)):
        _within(f"--{flag}-period", wave.period_s, 0, 1e9, above=True)
        _within(f"--{flag}-phase", wave.phase, -1, 1)


def _check_idle(law: ArrivalLaw) -> None:
    _within("--idle", law.idle_s, 0, LONGEST_S)
    if law.idle_s and not 1 < law.gap_cv**2 < 1 + 2 * law.rate_rps * law.idle_s:
        most = (1 + 2 * law.rate_rps * law.idle_s) ** 0.5
        allowed = f"above 1 and below {most:.3g} with such idle spells at such a rate"
        raise InvalidInputError("--gap-cv", law.gap_cv, allowed)


def _check_conversations(law: ConversationLaw) -> None:
    _within("--turns", law.turns, 1, 1e4)
    _within("--added-mean", law.added.mean, 1, MOST_TOKENS)
    _within("--think", law.think_s, 0, LONGEST_S)


def _within(flag: str, value: float, low: float, high: float, *, above: bool = False) -> None:
    if not (isfinite(value) and low <= value <= high and not (above and value == low)):
        least = f"above {low:g}" if above else f"{low:g} or more"
        raise InvalidInputError(flag, value, f"{least}, at most {high:.6g}")


def _with_images(
    made: Sequence[TraceRequest], law: EncodeLaw, random: np.random.Generator
) -> Iterable[TraceRequest]:
    """The requests, some of them with tokens for an encoder added to the input."""
    has = random.random(len(made)) < law.share
    tokens = lengths.drawn(np.array([r.arrival_s for r in made]), law.tokens, random)
    for request, more in zip(made, np.where(has, tokens, 0).tolist(), strict=True):
        yield replace(request, input_tokens=request.input_tokens + more, encode_tokens=more)


def _alone(character: Character, random: np.random.Generator) -> Iterable[TraceRequest]:
    """Requests that have nothing to do with each other."""
    arrival_s = arrivals.drawn(character.begins, 0.0, character.duration_s, random)
    return requests(
        Columns(
            arrival_s=arrival_s,
            input_tokens=lengths.drawn(arrival_s, character.input, random),
            output_tokens=lengths.drawn(arrival_s, character.output, random),
        )
    )


def _turns(character: Character, random: np.random.Generator) -> Iterable[TraceRequest]:
    """Turns of sessions within the trace; sessions that are under way at its begin are cut, not left out."""
    law = character.conversations
    assert law is not None
    ahead_s = law.lasts_s(character.output.mean)
    begins_s = arrivals.drawn(character.begins, -ahead_s, character.duration_s, random)
    begun: set[str] = set()
    for turn in conversations.drawn(begins_s, law, character.input, character.output, random):
        if 0 <= turn.arrival_s < character.duration_s:
            yield turn if turn.session in begun else replace(turn, think_s=0.0)
            begun.add(turn.session)

"""What `tandem trace generate` makes of its flags: a built-in load, changed where something was said."""

from dataclasses import replace
from typing import Any, TypeVar

from tandem.errors import InvalidInputError
from tandem.traces.arrivals import ArrivalLaw, burst_variance
from tandem.traces.character import Character, EncodeLaw, check
from tandem.traces.conversations import ConversationLaw
from tandem.traces.lengths import LengthLaw
from tandem.traces.named import CONVERSATIONS
from tandem.traces.waves import Wave

Number = float | None  # None: not said
Law = TypeVar("Law", Character, ArrivalLaw, LengthLaw, ConversationLaw, Wave)


def with_sessions(
    character: Character, turns: Number, added_mean: Number, think_s: Number
) -> Character:
    """The character with these sessions, its own, or none where turns are 0."""
    if turns == 0:
        return replace(character, conversations=None)
    base = character.conversations
    if base is None and turns is None:
        for flag, value in (("--added-mean", added_mean), ("--think", think_s)):
            if value is not None:
                raise InvalidInputError(flag, value, "used together with --turns")
        return character
    law = base or CONVERSATIONS
    added = changed(law.added, mean=added_mean)
    return replace(character, conversations=changed(law, turns=turns, added=added, think_s=think_s))


def with_images(character: Character, share: Number, mean: Number) -> Character:
    """The character with images in that share of its requests; variation of their tokens 1."""
    if share is None and mean is None:
        return character
    if share is None or mean is None:
        flag, value, other = (
            ("--encode-mean", mean, "--encode-share")
            if share is None
            else ("--encode-share", share, "--encode-mean")
        )
        raise InvalidInputError(flag, value, f"used together with {other}")
    law = EncodeLaw(share=share, tokens=LengthLaw(mean=mean, cv=1.0))
    return replace(character, encode=law if share else None)


def with_bursts(character: Character, fano: Number) -> Character:
    """The character with bursts of that Fano factor, at the mean rate of what begins."""
    if fano is None:
        return character
    if not fano >= 1:
        raise InvalidInputError(
            "--fano", fano, "1 or more; --gap-cv below 1 makes counts more even"
        )
    check(character)
    variance = burst_variance(fano, character.begins.rate_rps)
    return replace(character, arrivals=replace(character.arrivals, burst_variance=variance))


def changed(law: Law, **said: Any) -> Law:
    """A law with what was said; None is what was not."""
    return replace(law, **{name: value for name, value in said.items() if value is not None})

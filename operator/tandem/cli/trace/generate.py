"""`tandem trace generate`: a load of a given character."""

from dataclasses import replace
from typing import Annotated, Any, TypeVar

import typer

from tandem.api import duration as durations
from tandem.cli import options
from tandem.cli.trace import files
from tandem.errors import InvalidInputError
from tandem.traces.arrivals import BURST_S, ArrivalLaw, burst_variance
from tandem.traces.character import Character, EncodeLaw, check, generated
from tandem.traces.conversations import ConversationLaw
from tandem.traces.lengths import LengthLaw
from tandem.traces.load_names import LOADS
from tandem.traces.named import CHARACTERS, CONVERSATIONS
from tandem.traces.waves import Wave

_Number = float | None
_Law = TypeVar("_Law", Character, ArrivalLaw, LengthLaw, ConversationLaw, Wave)


def run(
    *,
    out: files.Out,
    like: Annotated[
        str,
        typer.Option(
            help=f"Start from a built-in load ({', '.join(LOADS)}) and change what other flags say."
        ),
    ] = "poisson",
    rate: Annotated[_Number, typer.Option(help="Requests a second on average.")] = None,
    duration: Annotated[str | None, typer.Option(help="How long the trace is.")] = None,
    gap_cv: Annotated[
        _Number,
        typer.Option(help="Variation of the gaps between arrivals; 1: Poisson, 0: evenly spaced."),
    ] = None,
    fano: Annotated[
        _Number,
        typer.Option(
            help=f"Fano factor of 10 s counts by bursts of {BURST_S:g} s, at the mean rate; 1: none."
        ),
    ] = None,
    idle: Annotated[
        str | None,
        typer.Option(
            help="Mean length of idle spells, 0s: none. Busy spells are as long as makes --gap-cv."
        ),
    ] = None,
    wave_amplitude: Annotated[
        _Number, typer.Option(help="Of the rate's sine, as a share of the mean: 0 to 1.")
    ] = None,
    wave_period: Annotated[str | None, typer.Option(help="Of the rate's sine.")] = None,
    wave_phase: Annotated[
        _Number, typer.Option(help="Of the rate's sine, in turns; -0.25 begins at the lowest.")
    ] = None,
    input_mean: Annotated[_Number, typer.Option(help="Input tokens, of a first turn.")] = None,
    input_cv: Annotated[_Number, typer.Option(help="Their variation; 0: all alike.")] = None,
    output_mean: Annotated[_Number, typer.Option(help="Output tokens.")] = None,
    output_cv: Annotated[_Number, typer.Option(help="Their variation; 0: all alike.")] = None,
    longest: Annotated[int | None, typer.Option(help="Most tokens of a prompt.")] = None,
    drift: Annotated[
        _Number,
        typer.Option(help="Highest mean length over lowest, of input and of output; 1: no drift."),
    ] = None,
    drift_period: Annotated[str | None, typer.Option(help="Of both drifts.")] = None,
    drift_phase: Annotated[
        _Number,
        typer.Option(
            help="Turns that output is ahead of input; 0.5, one high and the other low, unless --like"
            " says other."
        ),
    ] = None,
    turns: Annotated[
        _Number,
        typer.Option(help="Turns of a session on average, its context growing; 0: no sessions."),
    ] = None,
    added_mean: Annotated[_Number, typer.Option(help="New tokens of a later turn.")] = None,
    think: Annotated[
        str | None, typer.Option(help="Mean time from an answer's end to the next turn.")
    ] = None,
    encode_share: Annotated[
        _Number, typer.Option(help="Of requests that bring images or the like; 0: none do.")
    ] = None,
    encode_mean: Annotated[
        _Number,
        typer.Option(help="Tokens that an encoder makes of a request's images, beside the text."),
    ] = None,
    seed: files.Seed = 1,
) -> None:
    """Make a seeded load of bursts, idle spells, waves, drifts and conversations."""
    files.ready(seed, out)
    base = CHARACTERS[options.one_of("--like", like, LOADS)]
    arrivals, first, answer = base.arrivals, base.input, base.output
    every_s = _seconds("--drift-period", drift_period)
    ahead = None if drift_phase is None else first.wave.phase + drift_phase
    character = _changed(
        base,
        duration_s=None if duration is None else options.seconds("--duration", duration),
        arrivals=_changed(
            arrivals,
            rate_rps=rate,
            gap_cv=gap_cv,
            idle_s=_seconds("--idle", idle),
            amplitude=wave_amplitude,
            wave=_changed(
                arrivals.wave, period_s=_seconds("--wave-period", wave_period), phase=wave_phase
            ),
        ),
        input=_changed(
            first,
            mean=input_mean,
            cv=input_cv,
            swing=drift,
            longest=longest,
            wave=_changed(first.wave, period_s=every_s),
        ),
        output=_changed(
            answer,
            mean=output_mean,
            cv=output_cv,
            swing=drift,
            wave=_changed(answer.wave, period_s=every_s, phase=ahead),
        ),
    )
    character = _with_sessions(character, turns, added_mean, _seconds("--think", think))
    character = _with_images(character, encode_share, encode_mean)
    files.write(generated(_with_bursts(character, fano), like, seed), out)


def _with_sessions(
    character: Character, turns: _Number, added_mean: _Number, think_s: _Number
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
    added = _changed(law.added, mean=added_mean)
    return replace(
        character, conversations=_changed(law, turns=turns, added=added, think_s=think_s)
    )


def _with_images(character: Character, share: _Number, mean: _Number) -> Character:
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


def _with_bursts(character: Character, fano: _Number) -> Character:
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


def _seconds(flag: str, text: str | None) -> float | None:
    return None if text is None else durations.seconds(text, flag)


def _changed(law: _Law, **said: Any) -> _Law:
    """A law with what was said; None is what was not."""
    return replace(law, **{name: value for name, value in said.items() if value is not None})

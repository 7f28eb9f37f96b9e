"""`tandem trace generate`: a load of a given character."""

from typing import Annotated

import typer

from tandem.api import duration as durations
from tandem.cli import options
from tandem.cli.trace import files
from tandem.traces.names import LOADS

_Number = float | None


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
        typer.Option(help="Fano factor of 10 s counts by short bursts, at the mean rate; 1: none."),
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
    from tandem.cli.trace import asked  # noqa: PLC0415
    from tandem.traces.character import generated  # noqa: PLC0415
    from tandem.traces.named import CHARACTERS  # noqa: PLC0415

    files.ready(seed, out)
    base = CHARACTERS[options.one_of("--like", like, LOADS)]
    arrivals, first, answer = base.arrivals, base.input, base.output
    every_s = _seconds("--drift-period", drift_period)
    ahead = None if drift_phase is None else first.wave.phase + drift_phase
    character = asked.changed(
        base,
        duration_s=None if duration is None else options.seconds("--duration", duration),
        arrivals=asked.changed(
            arrivals,
            rate_rps=rate,
            gap_cv=gap_cv,
            idle_s=_seconds("--idle", idle),
            amplitude=wave_amplitude,
            wave=asked.changed(
                arrivals.wave, period_s=_seconds("--wave-period", wave_period), phase=wave_phase
            ),
        ),
        input=asked.changed(
            first,
            mean=input_mean,
            cv=input_cv,
            swing=drift,
            longest=longest,
            wave=asked.changed(first.wave, period_s=every_s),
        ),
        output=asked.changed(
            answer,
            mean=output_mean,
            cv=output_cv,
            swing=drift,
            wave=asked.changed(answer.wave, period_s=every_s, phase=ahead),
        ),
    )
    character = asked.with_sessions(character, turns, added_mean, _seconds("--think", think))
    character = asked.with_images(character, encode_share, encode_mean)
    files.write(generated(asked.with_bursts(character, fano), like, seed), out)


def _seconds(flag: str, text: str | None) -> float | None:
    return None if text is None else durations.seconds(text, flag)

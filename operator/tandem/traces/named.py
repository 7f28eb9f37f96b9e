"""Built-in loads by name, and whatever names a trace: a file or one of them.

- `generated`: the default where no trace is given, `tandem.traces.generate`.
- `poisson`: an hour of Poisson arrivals at 5 requests/s, Azure's lengths, nothing that drifts.
- `sine-10528`: the load of ai-dynamo/dynamo issue #10528, 1 to 24 requests/s, 8,000 tokens in, 1,000
  out. Half an hour, period of ten minutes and begin at the lowest rate as in Dynamo's planner guide
  (`sin_synth.py --time-duration 1800 --request-rate-period 600`); the issue's text tells none.
- `bursty`: busy spells of minutes between idle ones of minutes, inter-arrival variation near 13.
- `drift`: a day in which the mean prompt and the mean answer each swing by ten times, a quarter of a day
  apart, so that their ratio is high and low both while the load is rising and while it falls.
- `multi-turn`: conversations with long contexts. P99 of the prompts is near 85,000 tokens; each shares
  all but its last turn with the one before it.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from tandem.errors import InvalidInputError
from tandem.traces.arrivals import ArrivalLaw
from tandem.traces.character import Character, generated
from tandem.traces.conversations import ConversationLaw
from tandem.traces.generate import AZURE_INPUT, AZURE_OUTPUT, BUSY, NAME, character
from tandem.traces.lengths import LengthLaw
from tandem.traces.model import Trace
from tandem.traces.names import LOADS
from tandem.traces.read import read_trace
from tandem.traces.waves import Wave

_DAY_S = 86_400.0
_DRIFT = LengthLaw(mean=2000.0, cv=1.0, swing=10.0, wave=Wave(period_s=_DAY_S))
CONVERSATIONS = ConversationLaw(turns=8.0, added=LengthLaw(mean=1200.0, cv=1.5), think_s=30.0)

CHARACTERS: Mapping[str, Character] = MappingProxyType(
    {
        NAME: character(rate_rps=5.5, duration_s=600.0),
        "poisson": Character(
            duration_s=3600.0,
            arrivals=ArrivalLaw(rate_rps=5.0),
            input=AZURE_INPUT,
            output=AZURE_OUTPUT,
        ),
        "sine-10528": Character(
            duration_s=1800.0,
            arrivals=ArrivalLaw(
                rate_rps=12.5, amplitude=11.5 / 12.5, wave=Wave(period_s=600.0, phase=-0.25)
            ),
            input=LengthLaw(mean=8000.0),
            output=LengthLaw(mean=1000.0),
        ),
        "bursty": Character(
            duration_s=4 * 3600.0,
            arrivals=ArrivalLaw(rate_rps=2.0, gap_cv=13.0, idle_s=120.0, burst_variance=BUSY),
            input=AZURE_INPUT,
            output=AZURE_OUTPUT,
        ),
        "drift": Character(
            duration_s=_DAY_S,
            arrivals=ArrivalLaw(rate_rps=5.0, burst_variance=BUSY),
            input=_DRIFT,
            output=replace(_DRIFT, mean=250.0, wave=Wave(period_s=_DAY_S, phase=0.25)),
        ),
        "multi-turn": Character(
            duration_s=2 * 3600.0,
            arrivals=ArrivalLaw(rate_rps=2.0, burst_variance=BUSY),
            input=LengthLaw(mean=12_000.0, cv=1.2),
            output=LengthLaw(mean=400.0, cv=1.0),
            conversations=CONVERSATIONS,
        ),
    }
)


def built_in(name: str, seed: int, field: str = "--like") -> Trace:
    """The built-in load of a name; seeded."""
    if name not in CHARACTERS:
        raise InvalidInputError(field, name, f"one of {', '.join(LOADS)}")
    return generated(CHARACTERS[name], name, seed)


def load(text: str, field: str = "--trace", seed: int = 1) -> Trace:
    """The trace of a file, or the built-in load of that name; `./drift` is always a file."""
    if text in CHARACTERS:
        return built_in(text, seed, field)
    if not Path(text).exists():
        allowed = f"a file that can be read (there is none), or one of {', '.join(LOADS)}"
        raise InvalidInputError(field, text, allowed)
    return read_trace(Path(text), field)

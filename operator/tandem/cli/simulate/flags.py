"""Flags of `tandem simulate` for what a fleet can do beyond the plain path; `features` reads their words."""

from typing import Annotated

import typer

SHARED = "shared"
STATIC = "static"
ORDERED_BY_CLASS = "class"

PodSpread = Annotated[float, typer.Option(help="Variation of pods' speeds; 0: all alike.")]
PromptSpread = Annotated[float, typer.Option(help="Variation of the time of prompts; 0: none.")]
StartSpread = Annotated[
    float, typer.Option(help="Variation of each stage of a cold start; 0: none.")
]
PushLayers = Annotated[
    int,
    typer.Option(
        help="Send KV layer by layer, of so many, while it is computed; 0: decode pulls it afterwards."
    ),
]
KvLease = Annotated[str, typer.Option(help="Prefilled KV waits so long for its decode leg.")]
Swap = Annotated[
    str | None,
    typer.Option(
        help="Bytes a second (25GB) to the host's memory for preempted KV; else recomputed."
    ),
]
PrefixCache = Annotated[
    bool | None,
    typer.Option(
        "--prefix-cache/--no-prefix-cache",
        help="Keep prefixes; done where the trace has block hashes.",
    ),
]
DeflectChunk = Annotated[
    int,
    typer.Option(help="Decode pods take late prompts, in chunks of so many tokens; 0: never."),
]
Migrate = Annotated[
    bool, typer.Option("--migrate", help="A decode pod that is to go hands over what it decodes.")
]
WarmStart = Annotated[str, typer.Option(help="A warm pod is Ready so long after it is needed.")]
NEVER = "never"
SwitchTime = Annotated[
    str | None,
    typer.Option(
        help=f"A drained pod is Ready in another role so long after, 5s; or {NEVER}, as where engines differ."
    ),
]
NodeAccelerators = Annotated[int, typer.Option(help="Of one node, which may fail.")]
MissedScrapes = Annotated[float, typer.Option(help="Share of scrapes that bring nothing.")]
EncodePods = Annotated[
    str | None,
    typer.Option(help="Who encodes images: a number of pods, or shared, by the prefill pods."),
]
EncodeCost = Annotated[
    str | None,
    typer.Option(
        help='Time of a request with images, then of each of their tokens: "20ms 0.05ms".'
    ),
]
FAIL = (
    '"pod ROLE AT", "node ROLE AT" or "link ROLE AT SHARE LASTS", such as "pod decode 2m", or'
    ' "link decode:1 3m 0.1 60s" for a tenth of the second pod\'s bandwidth'
)
Fail = Annotated[list[str] | None, typer.Option(help=f"{FAIL}; may be repeated.")]
Priority = Annotated[
    list[str] | None,
    typer.Option(help="CLASS=N, the lowest first, of --order class; may be repeated."),
]
POOL = '"ROLE PROFILE MOST", such as "decode h200-llama-3.1-8b-tp1 4"'
Pools = Annotated[
    list[str] | None,
    typer.Option("--pool", help=f"{POOL}: other engines, taken first; may be repeated."),
]

"""Flags of `tandem plan` for what differs within a fleet: TTFT tiers, classes of requests, pools of a role."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from tandem.api.role import Role
from tandem.cli import options
from tandem.cli.plan import load
from tandem.errors import InvalidInputError
from tandem.perf.library import profile as library_profile
from tandem.planner.demand import Demand, LengthMix, of_classes
from tandem.planner.queueing.targets import OTHERS
from tandem.planner.spec import Pool, RequestClass, RoleSpec, Slo, TtftTier

TIER = 'TOKENS=DURATION, such as "2000=500ms"'
CLASS = '"NAME share=S ...", such as "chat share=0.3 ttft=500ms tpot=20ms attainment=0.95"'
CLASS_KEYS = ("share", "ttft", "tpot", "attainment", "isl", "osl", "isl-cv", "osl-cv")
POOL = '"ROLE PROFILE MOST", such as "decode a100-llama-3.1-8b-tp1 8"'

Tiers = Annotated[
    list[str] | None,
    typer.Option(
        "--ttft-tier", help=f"{TIER}: the target of prompts of at most so many tokens; repeatable."
    ),
]
Classes = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        help=f"{CLASS}: requests with an SLO of their own, and with isl= and osl= lengths of their own;"
        " repeatable.",
    ),
]
Pools = Annotated[
    list[str] | None,
    typer.Option(
        "--pool", help=f"{POOL}: other engines that a role may have besides --profile; repeatable."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A class as the user gives it; `lengths` is None where they are those of all requests."""

    name: str
    slo: Slo
    share: float
    lengths: LengthMix | None


def only_for_tandem(policy: str, **flags: Sequence[str] | None) -> None:
    """Refuse with another rule what that does not know."""
    for flag, given in flags.items():
        if given:
            allowed = f"left out: {policy} does not know of it"
            raise InvalidInputError(f"--{flag.replace('_', '-')}", given[0], allowed)


def tiers(texts: Sequence[str] | None) -> tuple[TtftTier, ...]:
    """TTFT targets of short prompts, the shortest first."""
    found = []
    for text in texts or ():
        tokens, _, target = text.partition("=")
        if not tokens.isdecimal():
            raise InvalidInputError("--ttft-tier", text, TIER)
        ttft_s = options.seconds("--ttft-tier", target)
        found.append(TtftTier(max_input_tokens=int(tokens), ttft_s=ttft_s))
    return tuple(sorted(found, key=lambda tier: tier.max_input_tokens))


def classes(texts: Sequence[str] | None, slo: Slo) -> tuple[Asked, ...]:
    """Classes; a target that one does not tell is that of all, but for tiers."""
    return tuple(_class(text, replace(slo, tiers=())) for text in texts or ())


def in_spec(asked: Sequence[Asked]) -> tuple[RequestClass, ...]:
    """The classes as a spec holds them; their shares are the demand's where lengths differ."""
    own = any(each.lengths is not None for each in asked)
    return tuple(
        RequestClass(name=each.name, slo=each.slo, share=None if own else each.share)
        for each in asked
    )


def in_demand(demand: Demand, asked: Sequence[Asked]) -> Demand:
    """The demand of classes with lengths of their own, and of all others."""
    if all(each.lengths is None for each in asked):
        return demand
    total = sum(each.share for each in asked)
    if total > 1:
        raise InvalidInputError("--class", f"share={total:g}", "shares of at most 1 in all")
    mixes = {each.name: (each.share, each.lengths or demand.lengths) for each in asked}
    others = {OTHERS: (1 - total, demand.lengths)} if total < 1 else {}
    return of_classes(demand.rate_rps, {**mixes, **others}, arrival_ca2=demand.arrival_ca2)


def pools(texts: Sequence[str] | None, role: Role, base: RoleSpec) -> RoleSpec:
    """The role with the pools that are named for it beside its own engine."""
    named = [_pool(text, base) for text in texts or ()]
    others = tuple(pool for of, pool in named if of is role)
    if not others:
        return base
    own = Pool(name=base.profile.name, profile=base.profile, max_replicas=base.max_replicas)
    return replace(base, pools=(own, *others))


def _class(text: str, slo: Slo) -> Asked:
    name, *words = text.split() or [""]
    said = dict(word.split("=", 1) for word in words if "=" in word)
    unknown = [word for word in words if word.split("=", 1)[0] not in CLASS_KEYS or "=" not in word]
    if not name or "=" in name or unknown or "share" not in said or len(said) != len(words):
        keys = ", ".join(f"{key}=" for key in CLASS_KEYS)
        raise InvalidInputError("--class", text, f"{CLASS}; each of {keys} once")
    own = replace(
        slo,
        ttft_s=options.seconds("--class", said["ttft"]) if "ttft" in said else slo.ttft_s,
        tpot_s=options.seconds("--class", said["tpot"]) if "tpot" in said else slo.tpot_s,
        attainment=_number(text, said.get("attainment", str(slo.attainment))),
    )
    options.share("--class", own.attainment)
    share = _number(text, said["share"])
    if not 0 < share <= 1:
        raise InvalidInputError("--class", f"share={said['share']}", "above 0, at most 1")
    return Asked(name=name, slo=own, share=share, lengths=_lengths(text, said))


def _lengths(text: str, said: dict[str, str]) -> LengthMix | None:
    if not {"isl", "osl", "isl-cv", "osl-cv"} & said.keys():
        return None
    numbers = {key: _number(text, said[key]) for key in CLASS_KEYS[4:] if key in said}
    return load.stated(
        load.Lengths(
            input_tokens=numbers.get("isl"),
            output_tokens=numbers.get("osl"),
            input_cv=numbers.get("isl-cv", 0.0),
            output_cv=numbers.get("osl-cv", 0.0),
        )
    )


def _number(text: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise InvalidInputError("--class", text, f"{CLASS}; {word!r} is no number") from None


def _pool(text: str, base: RoleSpec) -> tuple[Role, Pool]:
    words = text.split()
    if len(words) != 3 or words[0] not in list(Role) or not words[2].isdecimal():  # noqa: PLR2004
        raise InvalidInputError("--pool", text, POOL)
    profile, own = library_profile(words[1], "--pool"), base.profile
    if profile.model != own.model or profile.kv.bytes_per_token != own.kv.bytes_per_token:
        allowed = f"a profile of {own.model} whose KV is as that of {own.name}"
        raise InvalidInputError("--pool", profile.name, allowed)
    if profile.name == own.name:
        raise InvalidInputError("--pool", profile.name, "another one than --profile")
    return Role(words[0]), Pool(name=profile.name, profile=profile, max_replicas=int(words[2]))

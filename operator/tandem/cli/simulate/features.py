"""What a fleet can do beyond the plain path, from the command line's words (`flags`)."""

import re
from collections.abc import Iterable, Mapping, Sequence

from tandem.api import duration
from tandem.api.role import Role
from tandem.cli import options
from tandem.cli.simulate.flags import FAIL, ORDERED_BY_CLASS, POOL, SHARED
from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.library import profile as library_profile
from tandem.perf.truth import truth
from tandem.simulator.features import Encode, Failure, Pool
from tandem.traces.model import Trace
from tandem.traces.statistics import block_tokens

_BYTES = re.compile(r"(\d+(?:\.\d+)?)([kMGT]?)B(?:/s)?")
_POWERS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}
_WORDS = {"pod": 3, "node": 3, "link": 5}  # of a failure


def bytes_per_s(flag: str, text: str | None) -> float:
    """A pace such as 25GB; 0 where nothing was said."""
    if text is None:
        return 0.0
    found = _BYTES.fullmatch(text)
    if not found or not float(found[1]):
        raise InvalidInputError(flag, text, "bytes a second above 0, such as 25GB or 900MB")
    return float(found[1]) * 1000.0 ** _POWERS[found[2]]


def share(flag: str, value: float) -> float:
    """A share below 1, 0 among them."""
    if not 0 <= value < 1:
        raise InvalidInputError(flag, value, "a share from 0 to below 1")
    return value


def whole(flag: str, value: int, least: int = 0) -> int:
    """A whole number that is not too small."""
    if value < least:
        raise InvalidInputError(flag, value, f"{least} or more")
    return value


def prefix_block_tokens(asked: bool | None, trace: Trace) -> int:
    """Tokens of a block whose prefixes are kept; 0 where they are not."""
    tokens = block_tokens(trace)
    if asked and tokens is None:
        raise InvalidInputError("--prefix-cache", "true", "used with a trace that has block hashes")
    return 0 if asked is False else tokens or 0


def encode(pods: str | None, cost: str | None, trace: Trace) -> Encode:
    """The encode stage; none where nothing was said."""
    if pods is None and cost is None:
        return Encode()
    if pods is None or cost is None:
        flag, value, lacks = (
            ("--encode-cost", cost, "--encode")
            if pods is None
            else ("--encode", pods, "--encode-cost")
        )
        raise InvalidInputError(flag, value, f"used together with {lacks}")
    if pods != SHARED and not (pods.isdecimal() and int(pods)):
        raise InvalidInputError("--encode", pods, f"a number of pods, 1 or more, or {SHARED}")
    if not any(request.encode_tokens for request in trace.requests):
        raise InvalidInputError("--encode", pods, "used with a trace that tells encode lengths")
    words = cost.split()
    if len(words) != 2:  # noqa: PLR2004 - fixed, and for each token
        raise InvalidInputError("--encode-cost", cost, 'two durations, such as "20ms 0.05ms"')
    fixed_s, each_s = (duration.seconds(word, "--encode-cost") for word in words)
    count = 0 if pods == SHARED else int(pods)
    return Encode(fixed_s=fixed_s, s_per_token=each_s, pods=count)


def failures(texts: Sequence[str] | None) -> tuple[Failure, ...]:
    """What goes wrong, in any order."""
    return tuple(_failure(text) for text in texts or ())


def priorities(texts: Sequence[str] | None, order: str, trace: Trace) -> dict[str, int]:
    """The priority of each request class; classes of which nothing is said have 0."""
    classes = {request.class_name for request in trace.requests}
    found: dict[str, int] = {}
    for text in texts or ():
        name, is_pair, number = text.partition("=")
        if not is_pair or not number.removeprefix("-").isdecimal():
            raise InvalidInputError("--priority", text, "CLASS=N with a whole number")
        if order != ORDERED_BY_CLASS:
            raise InvalidInputError("--priority", text, f"used with --order {ORDERED_BY_CLASS}")
        if name not in classes:
            known = ", ".join(sorted(classes - {""})) or "there is none"
            raise InvalidInputError("--priority", text, f"a class of the trace ({known})")
        if name in found:
            raise InvalidInputError("--priority", text, f"one number for {name}")
        found[name] = int(number)
    return found


def pools(
    texts: Sequence[str] | None, truth_text: str, base: Mapping[Role, EngineProfile]
) -> dict[Role, tuple[Pool, ...]]:
    """Other engines by role, in the order in which they were named."""
    found: dict[Role, tuple[Pool, ...]] = {}
    for text in texts or ():
        role, pool = _pool(text, truth_text)
        same_kv("--pool", pool.profile, base[role])
        found[role] = (*found.get(role, ()), pool)
    return found


def same_kv(flag: str, profile: EngineProfile, base: EngineProfile) -> None:
    """Refuse engines that can't take each other's KV."""
    size = base.kv.bytes_per_token
    if profile.kv.bytes_per_token != size:
        allowed = f"a profile whose KV has {size} bytes a token, as that of {base.name}"
        raise InvalidInputError(flag, profile.name, allowed)


def node_accelerators(
    value: int, base: Mapping[Role, EngineProfile], others: Mapping[Role, Iterable[Pool]]
) -> int:
    """As many as the largest engine has, at least."""
    profiles = [*base.values(), *(pool.profile for pools in others.values() for pool in pools)]
    largest = max(profiles, key=lambda profile: profile.accelerators)
    if value < largest.accelerators:
        allowed = f"{largest.accelerators} or more, what a pod of {largest.name} takes"
        raise InvalidInputError("--node-accelerators", value, allowed)
    return value


def _failure(text: str) -> Failure:
    words = text.split()
    if not words or len(words) != _WORDS.get(words[0]):
        raise InvalidInputError("--fail", text, FAIL)
    kind, whom, at, *slow = words
    role, _, pick = whom.partition(":")
    if role not in list(Role) or not (pick or "0").isdecimal():
        allowed = f"{' or '.join(Role)}, with :N for the N-th ready pod after the first"
        raise InvalidInputError("--fail", text, allowed)
    at_s = duration.seconds(at, "--fail")
    if not slow:
        return Failure(at_s=at_s, kind=kind, role=Role(role), pick=int(pick or 0))
    return Failure(
        at_s=at_s,
        kind=kind,
        role=Role(role),
        pick=int(pick or 0),
        speed=_speed(text, slow[0]),
        lasts_s=options.seconds("--fail", slow[1]),
    )


def _speed(text: str, word: str) -> float:
    try:
        return share("--fail", float(word))
    except (ValueError, InvalidInputError):
        allowed = "with the share of the bandwidth that is left, from 0 to below 1"
        raise InvalidInputError("--fail", text, allowed) from None


def _pool(text: str, truth_text: str) -> tuple[Role, Pool]:
    words = text.split()
    if len(words) != 3 or words[0] not in list(Role) or not words[2].isdecimal():  # noqa: PLR2004
        raise InvalidInputError("--pool", text, POOL)
    profile = library_profile(words[1], "--pool")
    times = truth(truth_text, profile, options.data_folder())
    return Role(words[0]), Pool(profile=profile, most=int(words[2]), times=times)

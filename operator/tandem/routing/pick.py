"""Filter, score, pick: which pod takes a request."""

from collections.abc import Iterable

from tandem.perf.engine_profile import DecodeCost
from tandem.routing.load import DecodeField, PodLoad, PrefillField
from tandem.routing.model import RouteRequest


def prefill(field: PrefillField, request: RouteRequest) -> PodLoad | None:
    """An idle pod with room for the prompt, the one with least pinned KV; None when there is none.

    One prompt a pod at a time: what waits, waits in the central queue, where order can still be chosen.
    A prompt whose blocks are known goes where most of its beginning is.
    """
    if request.hash_ids:
        return _with_most_prefix(field, request)
    best = field.best()
    if best is None or best.room(request.input_tokens):
        return best
    found: PodLoad | None = None
    for load in field.loads:  # no other has less pinned KV, but one may have more of it
        idle = not load.tokens and not load.pod.draining
        less = found is None or load.pinned_sum < found.pinned_sum
        if idle and less and load.room(request.input_tokens):
            found = load
    return found


def _with_most_prefix(field: PrefillField, request: RouteRequest) -> PodLoad | None:
    found: PodLoad | None = None
    most, least = -1, 0
    for load in field.loads:
        if load.tokens or load.pod.draining or not load.room(request.input_tokens):
            continue
        known = load.prefixes.known(request.hash_ids)
        if known > most or (known == most and load.pinned_sum < least):
            found, most, least = load, known, load.pinned_sum
    return found


def decode(
    field: DecodeField, request: RouteRequest, cost: DecodeCost, tpot_s: float
) -> PodLoad | None:
    """The pod whose iteration stays shortest; when all would miss TPOT, the fullest takes the excess.

    The field holds pods of the prefill pod's revision: KV of another one can't be read. A pod without
    room is taken only when no other is there: it queues the request until blocks are free. Its prefill
    is done, so a pod that is finishing takes it when no other can.
    """
    tokens = request.input_tokens + request.output_tokens
    best = field.best()
    if best is not None and best.room(tokens) and step_s(best, tokens, cost) <= tpot_s:
        return best
    return _among(_usable(field.loads), tokens, cost, tpot_s)


def _usable(loads: Iterable[PodLoad]) -> list[PodLoad]:
    staying = [load for load in loads if not load.pod.draining]
    return staying or [load for load in loads if load.pod.finishing]


def _among(usable: list[PodLoad], tokens: int, cost: DecodeCost, tpot_s: float) -> PodLoad | None:
    with_room = [load for load in usable if load.room(tokens)] or usable
    shortest: PodLoad | None = None
    fullest: PodLoad | None = None
    shortest_s, fullest_s = float("inf"), -1.0
    for load in with_room:
        this_s = step_s(load, tokens, cost)
        if this_s < shortest_s:
            shortest, shortest_s = load, this_s
        if this_s >= fullest_s:  # among equals the last by name, as the shortest is the first
            fullest, fullest_s = load, this_s
    return shortest if shortest_s <= tpot_s else fullest


def step_s(load: PodLoad, tokens: int, cost: DecodeCost) -> float:
    """Seconds of an iteration there, the request and all its tokens among the others."""
    return (load.pod.cost or cost).step_s(len(load.tokens) + 1, load.tokens_sum + tokens)

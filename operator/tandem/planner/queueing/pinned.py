"""Pinned KV: prefill keeps what it computed until decode has it, and may have no room for the next prompt.

How many prompts are pinned in a pod is a Poisson variable (M/G/∞), their KV taken as a gamma variable.
"""

from math import inf

from scipy.special import gammaincc

from tandem.planner.demand import Floats, LengthMix
from tandem.planner.queueing.wait import Wait

LEAST = 0.2  # of a pod's room: where less is pinned on average, nobody is held up


def tokens(lengths: LengthMix, rate_rps: float, transfer_s: Floats, admission: Wait) -> float:
    """KV that stays on prefill pods until decode has it, of the whole fleet."""
    moving_s = float(lengths.weights @ (lengths.input_tokens * transfer_s))
    return rate_rps * (moving_s + lengths.mean_input * admission.mean_s)


def held_up(lengths: LengthMix, pinned_tokens: float, pods: int, kv_tokens: float) -> float:
    """Share of the time that a prefill pod has no room for a prompt beside the KV that is pinned there.

    Tokens are of all pods together; pods that differ are taken as so many of their mean KV.
    """
    prompt = lengths.prompt_tokens
    room = kv_tokens - pods * prompt  # beside the prompts that shall begin
    if pinned_tokens <= LEAST * room:
        return 0.0
    if pinned_tokens == inf or room <= 0:
        return 1.0
    each = pods * prompt
    return float(gammaincc(pinned_tokens / each, room / each))

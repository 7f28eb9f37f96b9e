"""Refuses an SLO that no request of a load could meet, before anything is started."""

from collections.abc import Sequence

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.spec import Slo
from tandem.traces.request import TraceRequest

_MILLI = 1000.0


def require(slo: Slo, profile: EngineProfile, requests: Sequence[TraceRequest]) -> None:
    """Raise when idle engines need longer than a target even for the shortest prompt.

    Longer prompts may still be too long for it: that is what a run is to show.
    """
    most = profile.kv.capacity_tokens
    held = [r.input_tokens for r in requests if r.input_tokens + r.output_tokens <= most]
    if not held:
        return  # nothing can be served at all, which is another mistake
    tokens = min(held)
    step_s = profile.decode.step_s(1, tokens)
    first_s = profile.prefill_s(tokens)
    if profile.first_token is Role.DECODE:
        first_s += profile.transfer_s(tokens) + step_s
    for flag, target_s, least_s in (
        ("--ttft", slo.ttft_s, first_s),
        ("--tpot", slo.tpot_s, step_s),
    ):
        if target_s < least_s:
            needs = f"what one idle engine of {profile.name} needs for the shortest prompt"
            allowed = f"at least {least_s * _MILLI:.3g}ms, {needs} ({tokens} tokens)"
            raise InvalidInputError(flag, f"{target_s * _MILLI:g}ms", allowed)

"""Why each request missed its targets, and of which parts its TTFT is made."""

from collections.abc import Mapping

import numpy as np

from tandem.planner.spec import Slo
from tandem.simulator.pages.columns import (
    FAILED,
    REFUSED,
    UNFINISHED,
    Codes,
    Floats,
    Requests,
)

PARTS = ("queue", "prefill", "transfer", "first decode")  # of TTFT, in the order of time
MET = 0
REASONS = (  # by code; of `met` and eight reasons each request has exactly one
    "met",
    "prefill queue",  # TTFT missed, and met had it not waited for a prefill pod
    "prefill",  # TTFT missed without the wait too; the largest of its other parts
    "transfer",
    "first decode",
    "decode TPOT",  # TTFT met, TPOT not
    "refused",  # no engine of the fleet could ever hold it
    "unfinished",  # cut off at the end
    "failed",  # its pod died, and nothing took it up
)
_ENDED: Mapping[int, str] = {REFUSED: "refused", UNFINISHED: "unfinished", FAILED: "failed"}


def ttft_parts(requests: Requests) -> Floats:
    """A row for each of `PARTS`, in seconds, whose sum is the TTFT; NaN where there was no first token.

    Where the prefill leg gives the first token, KV is pulled after it and is no part. Prefill is from the
    begin of the first leg to the end of the last, and whatever an encode pod took before (its queue too);
    waiting for a decode pod counts as first decode.
    """
    left = requests.ttft_s
    parts = []
    prefill_s = np.nan_to_num(requests.encode_s) + np.nan_to_num(requests.prefill_s)
    for part in (requests.queue_s, prefill_s, requests.transfer_s):
        taken = np.minimum(np.nan_to_num(part), left)
        parts.append(taken)
        left = left - taken
    return np.array([*parts, left])


def verdicts(requests: Requests, slo: Slo) -> Codes:
    """A code of `REASONS` for each request; who missed both targets counts under TTFT."""
    late = ~(requests.ttft_s <= slo.ttft_s)
    waited = late & (requests.ttft_s - requests.queue_s <= slo.ttft_s)
    largest = np.argmax(np.nan_to_num(ttft_parts(requests)[1:]), axis=0)
    slow = requests.tpot_s > slo.tpot_s
    codes = np.select(
        [waited, late, slow],
        [_code("prefill queue"), _code("prefill") + largest, _code("decode TPOT")],
        MET,
    )
    for outcome, reason in _ENDED.items():
        codes[requests.outcome == outcome] = _code(reason)
    return np.asarray(codes, dtype=np.int8)


def _code(reason: str) -> int:
    return REASONS.index(reason)

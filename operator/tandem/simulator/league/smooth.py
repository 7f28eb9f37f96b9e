"""Smooth goodput: tokens a second that came when a reader wanted them.

After Wang et al., *Revisiting Service Level Objectives and System Level Metrics in LLM Serving*, 2024
(arXiv 2410.14257): token i has a deadline, here that of the SLO, d_i = TTFT + (i − 1) TPOT; l is how long
a reader of that pace stood idle in all, which is the largest lateness of a token; and a request is worth
its tokens less what would have been read in l:

    benefit = max(0, O − l / TPOT)        smooth goodput = Σ benefit / duration

Serving a late request never lowers the sum, so that abandoning it gains nothing; holding a token back to
even out gaps gains nothing either. Their weights are free; ours is one token per TPOT of idling. Only the
first and the last token of a request have a time here: between them tokens count as evenly spaced, so
the largest lateness is at either end.
"""

import numpy as np
from numpy.typing import NDArray

from tandem.planner.spec import Slo

_Floats = NDArray[np.float64]


def smooth_goodput(
    output_tokens: _Floats, ttft_s: _Floats, e2e_s: _Floats, slo: Slo, duration_s: float
) -> float:
    """Tokens a second of finished requests (arrays of one entry a request); others bring nothing."""
    last_due_s = slo.ttft_s + (output_tokens - 1) * slo.tpot_s
    idle_s = np.maximum(np.maximum(ttft_s - slo.ttft_s, e2e_s - last_due_s), 0.0)
    benefit = np.maximum(output_tokens - idle_s / slo.tpot_s, 0.0)
    return float(benefit.sum()) / duration_s

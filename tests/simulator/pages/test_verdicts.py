"""One reason for each miss, and the parts of a TTFT, by hand."""

import numpy as np
import pytest

from tandem.planner.spec import Slo
from tandem.simulator.pages.columns import FAILED, FINISHED, REFUSED, UNFINISHED, Requests
from tandem.simulator.pages.verdicts import MET, REASONS, ttft_parts, verdicts

SLO = Slo(ttft_s=2.0, tpot_s=0.05)
NAN = float("nan")


def one(
    *,
    queue_s: float = 0.1,
    prefill_s: float = 0.2,
    transfer_s: float = 0.1,
    ttft_s: float = 0.5,
    tpot_s: float = 0.04,
    encode_s: float = NAN,
    outcome: int = FINISHED,
) -> Requests:
    """A calm request that met both targets."""
    values = (0.0, encode_s, queue_s, prefill_s, transfer_s, ttft_s, tpot_s, ttft_s + 1.0)
    columns = [np.array([value]) for value in values]
    names = (
        "arrival_s",
        "encode_s",
        "queue_s",
        "prefill_s",
        "transfer_s",
        "ttft_s",
        "tpot_s",
        "e2e_s",
    )
    return Requests(
        **dict(zip(names, columns, strict=True)), outcome=np.array([outcome], dtype=np.int8)
    )


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(one(), "met", id="both met"),
        pytest.param(one(ttft_s=2.0, tpot_s=0.05), "met", id="just on both targets"),
        pytest.param(one(tpot_s=NAN), "met", id="one token alone has no TPOT"),
        pytest.param(one(queue_s=1.9, ttft_s=2.2), "prefill queue", id="in time but for the wait"),
        pytest.param(one(queue_s=0.5, prefill_s=1.9, ttft_s=2.6), "prefill", id="late without the wait too"),
        pytest.param(one(encode_s=1.9, ttft_s=2.2), "prefill", id="late for its images"),
        pytest.param(one(transfer_s=2.1, ttft_s=2.5), "transfer", id="a slow link"),
        pytest.param(one(ttft_s=2.8), "first decode", id="late after its KV was there"),
        pytest.param(one(tpot_s=0.051), "decode TPOT", id="slow tokens"),
        pytest.param(one(queue_s=9.0, ttft_s=9.5, tpot_s=0.06), "prefill queue", id="both missed: TTFT first"),
        pytest.param(one(ttft_s=NAN, tpot_s=NAN, outcome=REFUSED), "refused", id="refused"),
        pytest.param(one(ttft_s=NAN, tpot_s=NAN, outcome=UNFINISHED), "unfinished", id="no first token"),
        pytest.param(one(outcome=UNFINISHED), "unfinished", id="in time, then cut off"),
        pytest.param(one(outcome=FAILED), "failed", id="failed"),
    ],
)  # fmt: skip
def test_each_request_has_one_verdict(request_: Requests, reason: str) -> None:
    assert REASONS[verdicts(request_, SLO)[0]] == reason


def test_parts_add_up_to_the_ttft() -> None:
    """Queue 0.1, prefill 0.2, transfer 0.1 of 0.5 s leave 0.1 for the first decode."""
    assert ttft_parts(one())[:, 0] == pytest.approx([0.1, 0.2, 0.1, 0.1])


def test_what_comes_after_the_first_token_is_no_part_of_it() -> None:
    """The prefill leg speaks first: KV is pulled later, and TTFT is queue and prefill alone."""
    assert ttft_parts(one(ttft_s=0.3))[:, 0] == pytest.approx([0.1, 0.2, 0.0, 0.0])


def test_no_first_token_has_no_parts() -> None:
    assert np.isnan(ttft_parts(one(ttft_s=NAN, queue_s=NAN))).all()


def test_met_is_the_first_of_the_reasons() -> None:
    assert REASONS[MET] == "met"

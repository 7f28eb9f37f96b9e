import pytest

from tandem.cli import reachable
from tandem.errors import InvalidInputError
from tandem.perf.library import profile
from tandem.planner.spec import Slo
from tandem.traces.request import TraceRequest

ENGINE = profile("a100-opt-13b-tp1")
REQUESTS = [
    TraceRequest(arrival_s=0.0, input_tokens=tokens, output_tokens=10) for tokens in (1000, 100)
]
# 100 tokens: prefill 18.1025 + 10.1912 + 0.0712 ms, transfer 0.4 + 5.0412 ms, first step 20.0359 ms
FIRST_S = 0.0538420
STEP_S = 0.0200359


def test_what_the_shortest_prompt_can_meet_is_let_through() -> None:
    reachable.require(Slo(ttft_s=FIRST_S + 1e-5, tpot_s=STEP_S + 1e-5), ENGINE, REQUESTS)


@pytest.mark.parametrize(
    ("slo", "message"),
    [
        pytest.param(
            Slo(ttft_s=FIRST_S - 1e-4, tpot_s=1.0),
            "--ttft: '53.742ms' is not allowed: at least 53.8ms, what one idle engine of"
            " a100-opt-13b-tp1 needs for the shortest prompt (100 tokens)",
            id="ttft",
        ),
        pytest.param(
            Slo(ttft_s=1.0, tpot_s=0.01),
            "--tpot: '10ms' is not allowed: at least 20ms, what one idle engine of"
            " a100-opt-13b-tp1 needs for the shortest prompt (100 tokens)",
            id="tpot",
        ),
    ],
)
def test_what_nobody_can_meet_is_refused(slo: Slo, message: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        reachable.require(slo, ENGINE, REQUESTS)
    assert str(refused.value) == message

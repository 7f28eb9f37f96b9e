import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.gateway_fleet import settings

from tandem.cluster import series
from tandem.cluster.exposition import samples
from tandem.gateway.account import Account
from tandem.gateway.metrics import GatewayMetrics, Outcome
from tandem.perf.engine_profile import DecodeCost
from tandem.planner.lengths import representative
from tandem.routing.router import Router

ROUTER = Router(DecodeCost(alpha_s=0.01, beta_s_per_sequence=0, gamma_s_per_token=0), tpot_s=1)


class Ledger:
    """An account of a request that came at 10 s, and what the metrics say after it."""

    def __init__(self) -> None:
        given = settings(ttft_s=2.0, tpot_s=0.1)
        self.metrics = GatewayMetrics(given, ROUTER)
        self.account = Account(self.metrics, given, arrival_s=10.0)
        self.account.input_tokens = 100

    def value(self, name: str, **labels: str) -> float:
        found = samples(self.metrics.render().decode(), [name])
        return sum(x.value for x in found if labels.items() <= x.labels.items())


def test_a_stream_with_all_its_times() -> None:
    ledger = Ledger()
    for second in (11.0, 11.25, 11.5, 11.75):
        ledger.account.seen(second, 1)
    ledger.account.seen(11.8, 2)  # usage and [DONE]
    ledger.account.close(silent=2)
    ledger.account.end(Outcome.OK)
    assert ledger.value(series.TTFT + "_sum") == 1
    assert ledger.value(series.TPOT + "_sum") == 0.25
    assert ledger.value(series.ITL + "_sum") == 0.75
    assert ledger.value(series.ITL + "_count") == 3
    assert ledger.value(series.E2E + "_sum") == 1.75
    assert ledger.value(series.LENGTHS, input=str(representative(100)), cached="0", output="4") == 1
    assert ledger.value(series.SLO, ttft="met", tpot="missed") == 1


@given(st.lists(st.integers(1, 4), min_size=1, max_size=9), st.integers(0, 3))
def test_silent_last_events_are_no_tokens_however_they_are_read(
    tokens: list[int], silent: int
) -> None:
    for apart in (False, True):
        ledger = Ledger()
        for number, count in enumerate(tokens):
            is_last = number == len(tokens) - 1
            ledger.account.seen(11.0 + number, count + (silent if is_last and not apart else 0))
        if apart:
            for number in range(silent):
                ledger.account.seen(50.0 + number, 1)
        ledger.account.close(silent)
        ledger.account.end(Outcome.OK)
        assert ledger.account.output_tokens == sum(tokens)
        assert ledger.value(series.E2E + "_sum") == 1.0 + len(tokens) - 1
        assert ledger.value(series.ITL + "_count") == sum(tokens) - 1


def test_the_engine_s_count_of_tokens_wins_over_events() -> None:
    ledger = Ledger()
    ledger.account.seen(11.0, 1)
    ledger.account.seen(12.0, 1)  # an event of nine tokens, as speculative decoding sends
    ledger.account.close(silent=0, completion_tokens=11)
    ledger.account.end(Outcome.OK)
    assert ledger.value(series.TPOT + "_sum") == 0.1
    assert ledger.value(series.SLO, ttft="met", tpot="met") == 1


def test_one_token_meets_its_time_between_tokens() -> None:
    ledger = Ledger()
    ledger.account.seen(13.0, 1)
    ledger.account.close(silent=0)
    ledger.account.end(Outcome.OK)
    assert ledger.value(series.TPOT + "_count") == 0
    assert ledger.value(series.SLO, ttft="missed", tpot="met") == 1


def test_an_unstreamed_answer_splits_its_wait_where_the_decode_leg_was_sent() -> None:
    ledger = Ledger()
    ledger.account.whole_answer(sent_s=11.5, now_s=12.5, completion_tokens=10)
    ledger.account.end(Outcome.OK)
    assert ledger.value(series.TTFT + "_sum") == 1.5
    assert ledger.value(series.TPOT + "_sum") == 0.1
    assert ledger.value(series.E2E + "_sum") == 2.5
    assert ledger.value(series.SLO, ttft="met", tpot="met") == 1


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_request_without_an_answer_met_nothing_and_only_the_fleet_s_fault_is_judged(
    outcome: Outcome,
) -> None:
    ledger = Ledger()
    ledger.account.end(outcome)
    judged = outcome not in (Outcome.CANCELLED, Outcome.INVALID)
    assert ledger.value(series.FINISHED, outcome=outcome) == 1
    assert ledger.value(series.FINISHED) == 1
    assert ledger.value(series.SLO, ttft="missed", tpot="missed") == judged
    assert ledger.value(series.SLO) == judged
    assert ledger.value(series.TTFT + "_count") == ledger.value(series.LENGTHS) == 0


def test_a_cut_stream_missed_its_time_between_tokens() -> None:
    ledger = Ledger()
    for second in (11.0, 11.01, 11.02):
        ledger.account.seen(second, 1)
    ledger.account.close(silent=0)
    ledger.account.end(Outcome.CUT)
    assert ledger.value(series.SLO, ttft="met", tpot="missed") == 1
    assert ledger.value(series.E2E + "_count") == 0

from dataclasses import replace

import pytest
from tests.planner.builders import ENGINE, demand, spec

from tandem.api.role import Role
from tandem.planner.queueing.stages import UNLIMITED
from tandem.planner.queueing.tandem import Tandem

SLOW_DOMAIN = replace(ENGINE, transfer=replace(ENGINE.transfer, domain_bytes_per_s=1e9))


def test_each_number_of_replicas_is_worked_out_once() -> None:
    tandem = Tandem(demand(35.0), spec())

    assert tandem.decode(2) is tandem.decode(2)
    assert tandem.prefill(5, 2) is tandem.prefill(5, 2)
    assert tandem.decode(2) is not tandem.decode(3)


def test_a_share_of_the_arrivals_has_sides_of_its_own() -> None:
    tandem = Tandem(demand(35.0), spec())
    half = tandem.shared(0.5)

    assert half.rate_rps == pytest.approx(tandem.rate_rps / 2)
    assert half.decode(2).pool.residents < tandem.decode(2).pool.residents
    assert tandem.wait(5).mean_s > half.wait(5).mean_s


def test_decode_without_end_does_alike_at_any_rate_and_keeps_kv_as_requests_come() -> None:
    lengths = demand(1.0).lengths
    slow, quick = (
        Tandem(replace(demand(rate), lengths=lengths), spec()).decode(UNLIMITED)
        for rate in (1.0, 40.0)
    )

    assert quick.slack is slow.slack
    assert quick.pinned_tokens == pytest.approx(40 * slow.pinned_tokens)


def test_a_link_that_a_domain_shares_slows_decode_without_end_too() -> None:
    lengths = demand(1.0).lengths
    slow, quick = (
        Tandem(replace(demand(rate), lengths=lengths), spec(profile=SLOW_DOMAIN))
        .decode(UNLIMITED)
        .transfer_s.mean()
        for rate in (0.1, 5.0)
    )

    assert quick > slow


def test_prompts_without_room_wait_longer() -> None:
    tandem = Tandem(demand(35.0), spec())
    counts = tandem.fillings[Role.PREFILL].counts(5)
    free, held_up = (tandem._sides.prefill(counts, share) for share in (0.0, 0.1))

    assert held_up.wait.mean_s > free.wait.mean_s

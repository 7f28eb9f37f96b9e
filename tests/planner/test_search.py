"""Search: what is found is what trying everything would find."""

from dataclasses import replace

import pytest
from tests.planner.builders import ENGINE, demand

from tandem.perf.engine_profile import EngineProfile
from tandem.planner import search
from tandem.planner.search import by_accelerators, by_rate
from tandem.planner.spec import Slo

SLO = Slo(ttft_s=1.0, tpot_s=0.03)


def wider(times: float, accelerators: int) -> EngineProfile:
    """An engine on more accelerators, so many times as fast."""
    return replace(
        ENGINE,
        name=f"wide-{accelerators}",
        accelerators=accelerators,
        prefill=replace(
            ENGINE.prefill,
            a_s=ENGINE.prefill.a_s / times,
            b_s_per_token=ENGINE.prefill.b_s_per_token / times,
        ),
        decode=replace(
            ENGINE.decode,
            alpha_s=ENGINE.decode.alpha_s / times,
            beta_s_per_sequence=ENGINE.decode.beta_s_per_sequence / times,
            gamma_s_per_token=ENGINE.decode.gamma_s_per_token / times,
        ),
    )


def test_accelerators_that_do_not_add_up_are_not_joined() -> None:
    """Twice the accelerators for 1.5 times the speed: the single one serves more."""
    best = by_rate([ENGINE, wider(1.5, 2)], demand(), SLO, 12)[0]

    assert {role.profile.name for role in best.spec.roles.values()} == {ENGINE.name}
    assert best.accelerators <= 12


def test_a_target_that_one_can_not_meet_takes_two() -> None:
    """A step of one request is 10.1 ms on one accelerator, 6.8 on two."""
    tight = replace(SLO, tpot_s=0.009)
    best = by_rate([ENGINE, wider(1.5, 2)], demand(), tight, 12)[0]

    assert [role.profile.accelerators for role in best.spec.roles.values()] == [1, 2]


def test_nothing_within_the_budget_serves_more_than_what_is_found() -> None:
    load = demand()
    best = by_rate([ENGINE], load, SLO, 8)[0]
    more = replace(load, rate_rps=best.rate_rps * 1.03)

    assert by_accelerators([ENGINE], replace(load, rate_rps=best.rate_rps), SLO, 8)
    assert not by_accelerators([ENGINE], more, SLO, 8)


def test_passing_over_what_can_not_be_best_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = [ENGINE, *(wider(0.9 * n, n) for n in (2, 3, 4))]
    quick = by_rate(engines, demand(), SLO, 24)
    monkeypatch.setattr(search, "_most_rps", lambda *_: 500.0)
    thorough = by_rate(engines, demand(), SLO, 24)

    assert len(quick) == len(thorough) == search.SHOWN
    assert quick[0].rate_rps == pytest.approx(thorough[0].rate_rps, rel=0.05)


def test_engines_of_unlike_accelerators_are_not_paired() -> None:
    other = replace(ENGINE, name="other", accelerator="other")
    found = by_accelerators([ENGINE, other], demand(), SLO, 12)

    for option in found:
        assert len({role.profile.accelerator for role in option.spec.roles.values()}) == 1
    assert len(found) == 2

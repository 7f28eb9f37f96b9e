"""A generated table is near its profile, and is not its formula."""

import pytest

from tandem.perf.fit import fit_decode, fit_prefill
from tandem.perf.generated import generated
from tandem.perf.library import PROFILES

NAMES = sorted(PROFILES)


@pytest.mark.parametrize("name", NAMES)
def test_it_stays_within_a_tenth_of_its_profile(name: str) -> None:
    profile, times = PROFILES[name], generated(PROFILES[name])

    for length in (64, 100, 700, 2000, 8192, 30_000):
        asked = [(0, length)]
        assert times.step_s(asked, 0, 0) == pytest.approx(profile.step_s(asked, 0, 0), rel=0.1)
    for batch in (1, 7, 64, 200):
        context = batch * 1500
        asked_s = profile.step_s([], batch, context)
        assert times.step_s([], batch, context) == pytest.approx(asked_s, rel=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_no_three_terms_fit_it(name: str) -> None:
    times = generated(PROFILES[name])
    prefill = [(n, n * n, times.step_s([(0, n)], 0, 0)) for n in (128, 512, 2048, 8192, 32768)]
    decode = [(b, b * c, times.step_s([], b, b * c)) for b in (1, 8, 16, 128) for c in (512, 4096)]

    assert fit_prefill(prefill).max_error > 0.02
    assert fit_decode(decode).max_error > 0.02


def test_it_is_the_same_every_time() -> None:
    first, second = (generated(PROFILES[NAMES[0]]) for _ in range(2))

    assert first.step_s([(0, 777)], 13, 4321) == second.step_s([(0, 777)], 13, 4321)

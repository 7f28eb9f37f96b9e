from math import inf

import numpy as np
import pytest

from tandem.planner.queueing.wait import ENDLESS, NO_WAIT, Wait


def test_a_quantile_is_where_its_tail_is() -> None:
    wait = Wait(0.4, 5.0)

    assert wait.beyond(np.array([wait.quantile_s(0.99)])) == pytest.approx([0.01])
    assert wait.miss(wait.quantile_s(0.9)) == pytest.approx(0.1)
    assert wait.quantile_s(0.5) == 0.0
    assert wait.mean_s == pytest.approx(0.08)


def test_without_slack_everything_is_missed() -> None:
    assert NO_WAIT.miss(-1e-9) == 1.0
    assert NO_WAIT.miss(0.0) == 0.0
    assert Wait(0.4, 5.0).beyond(np.array([-1.0])) == [1.0]


def test_an_endless_wait_has_infinite_quantiles() -> None:
    assert ENDLESS.is_endless
    assert ENDLESS.mean_s == ENDLESS.quantile_s(0.5) == inf

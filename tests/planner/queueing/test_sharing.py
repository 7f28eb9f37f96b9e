from math import exp, factorial, log

import numpy as np
import pytest

from tandem.planner.queueing.erlang import delay_probability
from tandem.planner.queueing.sharing import NODES, Sharing


def sharing(rate: float, *, each_s: float = 0.001, replicas: int = 1, most: float = 1e6) -> Sharing:
    return Sharing(
        rate=rate, fixed_s=0.01, each_s=each_s, alone_s=each_s, replicas=replicas, most=most
    )


def exact(pool: Sharing, until: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """π by its definition, state by state."""
    logs = [0.0]
    for k in range(1, until):
        step_s = pool.fixed_s + max(pool.each_s * k / pool.replicas, pool.alone_s)
        logs.append(logs[-1] + log(pool.rate * step_s / k))
    weights = np.exp(np.array(logs) - max(logs))
    return np.asarray(weights / weights.sum())


def test_servers_that_nobody_slows_hold_a_poisson_number() -> None:
    states, shares, _ = sharing(300.0, each_s=1e-15).states()

    expected = [exp(-3) * 3**n / factorial(n) for n in range(len(states))]
    assert shares == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("load", "servers"), [(2.0, 4), (8.0, 10), (29.0, 32)])
def test_a_full_batch_of_constant_steps_is_erlang_c(load: float, servers: int) -> None:
    _, _, full = sharing(100 * load, each_s=1e-15, most=servers).states()

    assert full == pytest.approx(delay_probability(load, servers), rel=1e-6)


@pytest.mark.parametrize("rate", [1.0, 200.0, 500.0])
@pytest.mark.parametrize("replicas", [1, 3])
def test_every_state_of_a_small_pool_is_exact(rate: float, replicas: int) -> None:
    pool = sharing(rate, replicas=replicas)
    states, shares, full = pool.states()

    assert full == 0.0
    assert states[1] - states[0] == 1
    assert shares == pytest.approx(exact(pool, 500)[states.astype(int)], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("replicas", [8, 64])
def test_lumps_of_a_large_pool_keep_mean_and_spread(replicas: int) -> None:
    pool = sharing(700.0 * replicas, replicas=replicas)
    states, shares, _ = pool.states()
    truth = exact(pool, int(4 * pool.mean()))
    n = np.arange(len(truth))
    mean, spread = truth @ n, np.sqrt(truth @ (n - truth @ n) ** 2)

    assert len(states) <= NODES + 2
    assert shares @ states == pytest.approx(mean, rel=2e-3)
    assert np.sqrt(shares @ (states - mean) ** 2) == pytest.approx(spread, rel=0.02)


def test_the_mean_is_where_as_many_steps_are_done_as_asked() -> None:
    pool = sharing(500.0)
    mean = pool.mean()

    assert mean == pytest.approx(500 * (0.01 + 0.001 * mean))
    assert sharing(0.5).mean() == pytest.approx(0.5 * 0.011)

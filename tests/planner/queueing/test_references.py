from dataclasses import replace

import numpy as np
import pytest
from benchmarks.planner.decoding import WARM_UP, play
from tests.planner.builders import ENGINE
from tests.planner.queueing.simulated import decode_run, lognormal

SIZE = 3000


# Where KV is scarce, some hundred requests are preempted and computed again.
@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("kv_tokens", [30_000, 10**6], ids=["scarce", "plenty"])
def test_the_reference_pool_ends_every_request_when_engines_do(
    replicas: int, kv_tokens: int
) -> None:
    rng = np.random.default_rng(3)
    lengths = lognormal(rng, 1000, 0.6, SIZE), lognormal(rng, 200, 0.8, SIZE)
    profile = replace(ENGINE, kv=replace(ENGINE.kv, capacity_tokens=kv_tokens))
    rate_rps = 8.0 * replicas
    arrivals_s = np.cumsum(np.random.default_rng(4).gamma(1.0, 1 / rate_rps, SIZE))
    run = decode_run(profile, replicas, rate_rps, lengths, np.random.default_rng(4))
    ours = play(profile, replicas, arrivals_s, *lengths)

    middle = slice(SIZE // 6, SIZE * 9 // 10)
    warm = int(SIZE * WARM_UP)
    ends_s = run.first_token_s + run.tpot_s * np.maximum(run.outputs - 1, 1.0)
    later = run.outputs > 1
    theirs_s = ends_s[later]
    ours_s = (ours.wait_s + ours.stay_s)[middle.start - warm : middle.stop - warm][later]
    ended = ~np.isnan(ours_s)

    assert ours_s[ended] == pytest.approx(theirs_s[ended], abs=1e-6)
    assert ended.mean() > 0.9
    assert bool(ours.preempted.any()) is (kv_tokens == 30_000)

import numpy as np
import pytest
from tests.planner.builders import ENGINE

from tandem.perf.link import SharedLink
from tandem.planner.demand import from_means
from tandem.planner.queueing import link


def test_work_is_what_an_idle_link_takes() -> None:
    work = link.work(ENGINE, from_means(1000, 10))

    assert work.mean_s == pytest.approx(ENGINE.transfer_s(1000))


def test_load_is_shared_by_all_links() -> None:
    work = link.work(ENGINE, from_means(1000, 10))

    assert link.utilisation(work, 20.0, 2) == pytest.approx(10 * work.mean_s)


@pytest.mark.parametrize(("busy", "times"), [(0.0, 1.0), (0.75, 4.0), (1.0, np.inf), (3.0, np.inf)])
def test_stretch(busy: float, times: float) -> None:
    assert link.stretch(busy) == times


@pytest.mark.parametrize("cv", [0.0, 1.0])
def test_a_shared_link_stretches_all_sizes_alike(cv: float) -> None:
    """20,000 transfers at 60 % on `perf.link`: 2.5 times as long as alone, within 6 % (measured: 3 %)."""
    rng = np.random.default_rng(3)
    mix = from_means(1000, 10, input_cv=cv)
    work = link.work(ENGINE, mix)
    alone_s = rng.choice(work.alone_s, 20_000, p=mix.weights)
    arrivals_s = np.cumsum(rng.exponential(work.mean_s / 0.6, len(alone_s)))
    taken_s = _sojourns_s(arrivals_s, alone_s)

    assert (taken_s / alone_s).mean() == pytest.approx(link.stretch(0.6), rel=0.06)
    assert taken_s.mean() / alone_s.mean() == pytest.approx(link.stretch(0.6), rel=0.06)


def _sojourns_s(
    arrivals_s: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    alone_s: "np.ndarray[tuple[int], np.dtype[np.float64]]",
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    shared, ends = SharedLink(), np.zeros(len(arrivals_s))
    coming = list(enumerate(arrivals_s))[::-1]
    while coming or len(shared):
        upcoming = shared.next_end()
        if coming and (upcoming is None or coming[-1][1] <= upcoming[0]):
            index, now_s = coming.pop()
            shared.add(now_s, str(index), alone_s[index])
        else:
            assert upcoming is not None
            shared.finish(*upcoming)
            ends[int(upcoming[1])] = upcoming[0]
    return ends - arrivals_s

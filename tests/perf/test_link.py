"""A shared link gives every transfer its fair share, whoever comes, goes, or is late to look."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.perf.link import SharedLink

NS = 1e-9


def ends(link: SharedLink, until_s: float = float("inf")) -> list[tuple[str, float]]:
    """Who ends and when, each taken off on time."""
    seen = []
    while (following := link.next_end()) is not None and following[0] <= until_s:
        end_s, key = following
        link.finish(end_s, key)
        seen.append((key, end_s))
    return seen


def test_one_transfer_takes_its_time_alone() -> None:
    link = SharedLink()
    link.add(3.0, "a", 2.0)
    assert len(link) == 1
    assert ends(link) == [("a", 5.0)]
    assert len(link) == 0
    assert link.next_end() is None


def test_two_share_the_link_while_both_are_on_it() -> None:
    """Until 1 s a has 1 of 3 s; both then get half: b's 1 s end at 3, a's last at 4."""
    link = SharedLink()
    link.add(0.0, "a", 3.0)
    link.add(1.0, "b", 1.0)
    assert ends(link) == [("b", 3.0), ("a", 4.0)]


def test_equal_transfers_end_together_in_the_order_they_came() -> None:
    link = SharedLink()
    for key in "abc":
        link.add(0.0, key, 1.0)
    assert ends(link) == [("a", 3.0), ("b", 3.0), ("c", 3.0)]


def test_a_cancelled_transfer_gives_its_share_to_the_others() -> None:
    link = SharedLink()
    link.add(0.0, "a", 3.0)
    link.add(0.0, "b", 9.0)
    link.cancel(2.0, "b")
    link.cancel(2.0, "nobody")
    assert ends(link) == [("a", 4.0)]


def test_a_key_that_is_added_again_begins_anew() -> None:
    link = SharedLink()
    link.add(0.0, "a", 3.0)
    link.add(2.0, "a", 5.0)
    assert len(link) == 1
    assert ends(link) == [("a", 7.0)]


def test_a_transfer_of_nothing_ends_at_once() -> None:
    link = SharedLink()
    link.add(1.0, "a", 0.0)
    assert ends(link) == [("a", 1.0)]


def test_a_late_look_takes_nothing_from_the_others() -> None:
    """Through at 2 and noticed at 2.5: b has had the link alone since 2."""
    link = SharedLink()
    link.add(0.0, "a", 1.0)
    link.add(0.0, "b", 2.0)
    assert link.next_end() == (2.0, "a")
    link.finish(2.5, "a")
    assert link.next_end() == (3.0, "b")


def test_those_through_by_a_late_look_are_told_one_by_one_with_their_own_times() -> None:
    link = SharedLink()
    link.add(0.0, "a", 1.0)
    link.add(0.0, "b", 2.0)
    link.add(10.0, "c", 1.0)
    assert len(link) == 3
    assert ends(link) == [("a", 2.0), ("b", 3.0), ("c", 11.0)]


def test_a_clock_that_steps_back_undoes_nothing() -> None:
    link = SharedLink()
    link.add(5.0, "a", 2.0)
    link.cancel(6.0, "nobody")
    link.cancel(4.0, "nobody")
    assert ends(link) == [("a", 7.0)]


def fair_ends(arrivals: list[tuple[float, float, float]]) -> dict[str, float]:
    """Processor sharing by its definition; of (comes at, seconds alone, is cancelled after)."""
    left = {str(i): alone for i, (_, alone, _) in enumerate(arrivals)}
    changes = sorted({t for at, _, stay in arrivals for t in (at, at + stay)})
    ended: dict[str, float] = {}
    now = 0.0
    for until in [*changes, float("inf")]:
        while True:
            here = [
                key
                for key, (at, _, stay) in zip(left, arrivals, strict=True)
                if at <= now < at + stay and key not in ended
            ]
            soonest = min(here, key=left.__getitem__, default=None)
            if soonest is None or now + left[soonest] * len(here) > until:
                break
            took, now = left[soonest], now + left[soonest] * len(here)
            for key in here:
                left[key] -= took
            ended[soonest] = now
        for key in here:
            left[key] -= (until - now) / len(here)
        now = until
    return ended


@given(
    st.lists(
        st.tuples(
            st.floats(0, 10), st.floats(0.125, 4), st.one_of(st.just(1e6), st.floats(0.125, 8))
        ),
        min_size=1,
        max_size=12,
    )
)
def test_transfers_end_when_processor_sharing_ends_them(
    arrivals: list[tuple[float, float, float]],
) -> None:
    changes = [(at, 1, i) for i, (at, _, _) in enumerate(arrivals)]
    changes += [(at + stay, 0, i) for i, (at, _, stay) in enumerate(arrivals)]
    link = SharedLink()
    ended: dict[str, float] = {}
    for now, comes, index in sorted(changes):
        ended.update(ends(link, now))
        if comes:
            link.add(now, str(index), arrivals[index][1])
        else:
            link.cancel(now, str(index))
    fair = fair_ends(arrivals)
    cut_s = {str(i): at + stay for i, (at, _, stay) in enumerate(arrivals)}
    for key in set(fair) ^ set(ended):  # a transfer that ends as it is cancelled may do either
        assert (fair | ended)[key] == pytest.approx(cut_s[key], abs=NS)
    for key in set(fair) & set(ended):
        assert ended[key] == pytest.approx(fair[key], abs=NS)
    assert len(link) == 0


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.125, 4)), min_size=1, max_size=12))
def test_the_link_is_never_idle_while_something_is_on_it(
    arrivals: list[tuple[float, float]],
) -> None:
    """Whoever shares, the last ends when the work of the busy period is done."""
    link = SharedLink()
    done_s = 0.0
    for index, (at, alone_s) in enumerate(sorted(arrivals)):
        ends(link, at)
        link.add(at, str(index), alone_s)
        done_s = max(done_s, at) + alone_s
    assert ends(link)[-1][1] == pytest.approx(done_s, abs=NS)

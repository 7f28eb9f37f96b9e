from math import inf

from hypothesis import given
from hypothesis import strategies as st

from tandem.routing.ranking import Ranking

SCORES = st.sampled_from([0.0, 1.0, 1.5, 7.0, inf])


@given(st.lists(SCORES, max_size=20), st.data())
def test_the_first_is_the_lowest_place_with_the_least_score(
    scores: list[float], data: st.DataObject
) -> None:
    ranking = Ranking(scores)
    for _ in range(10):
        least = min(scores, default=inf)
        assert ranking.first() == (scores.index(least) if least < inf else -1)
        if scores:
            place = data.draw(st.integers(0, len(scores) - 1))
            scores[place] = data.draw(SCORES)
            ranking.set(place, scores[place])

"""Who has the least: a tournament over places, so that a change costs O(log n) and the answer nothing."""

from collections.abc import Sequence
from math import inf


class Ranking:
    """Scores by place; an infinite one takes no part. Of equals the lowest place is first."""

    def __init__(self, scores: Sequence[float]) -> None:
        size = 1
        while size < len(scores):
            size *= 2
        self._size = size
        self._scores = [inf] * (2 * size)
        self._winners = [0] * (2 * size)
        for place in range(size):
            self._scores[size + place] = scores[place] if place < len(scores) else inf
            self._winners[size + place] = place
        for node in range(size - 1, 0, -1):
            self._winners[node] = -1
            self._play(node)

    def set(self, place: int, score: float) -> None:
        """Give a place another score."""
        node = self._size + place
        self._scores[node] = score
        while node > 1:
            node //= 2
            if not self._play(node):
                return

    def first(self) -> int:
        """The place with the least score; -1 when nobody takes part."""
        return self._winners[1] if self._scores[1] < inf else -1

    def _play(self, node: int) -> bool:
        """Whether another wins there now, or with another score."""
        scores, child = self._scores, 2 * node
        score = scores[child]
        if scores[child + 1] < score:
            child += 1
            score = scores[child]
        winner = self._winners[child]
        if winner == self._winners[node] and score == scores[node]:
            return False
        scores[node], self._winners[node] = score, winner
        return True

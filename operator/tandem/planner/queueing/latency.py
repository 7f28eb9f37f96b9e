"""Latency: TTFT and TPOT of each length point from the parts of its path, and who meets the targets.

Waits are masses on a grid of the TTFT targets. A target shorter than the longest one has, as it were, used
up the difference already when a prompt comes (`targets`).
"""

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np

from tandem.planner.demand import Floats, LengthMix
from tandem.planner.queueing import targets, tokens
from tandem.planner.queueing.decode import DecodePool, DecodeWork
from tandem.planner.queueing.grid import Grid
from tandem.planner.queueing.prefill import PrefillWork
from tandem.planner.queueing.targets import Target

SLO_CELLS = 256  # resolution of TTFT up to its target: 2 ms of 500 ms
FINEST = 4.0  # times as many where targets differ
LEAST_SHARE = 1e-9  # of requests that wait for a place in decode: fewer are none


class Latency:
    """What requests of these lengths get of stages, against these targets.

    Attributes:
        targets: who is to be served how soon.
        first_by_decode: whether decode emits the first token.
        shortest_s: the shortest TTFT target of all.
        ttft_s: the TTFT target of each length point, or of all; where classes differ, the shortest.
        times_s: points of the grid, up to the longest TTFT target, shape (cells,).

    """

    def __init__(
        self, lengths: LengthMix, asked: Sequence[Target], *, first_by_decode: bool
    ) -> None:
        self.targets = tuple(asked)
        self.first_by_decode = first_by_decode
        self.shortest_s, self._longest_s = targets.span_s(self.targets)
        self.ttft_s: float | Floats = reduce(np.minimum, (each.ttft_s for each in self.targets))
        finer = min(self._longest_s / self.shortest_s, FINEST)
        self._grid = Grid.over(self._longest_s, int(SLO_CELLS * finer))
        self.times_s = self._grid.times_s
        self._later = lengths.output_tokens - 1

    def path_s(self, ahead: PrefillWork, work: DecodeWork, transfer_s: Floats) -> Floats:
        """Seconds to the first token that a request's own size costs, of the shape of `transfer_s`.

        A context far below a mean resident's shortens the first step: that alone never below nothing.
        """
        if not self.first_by_decode:
            return ahead.service_s
        path_s: Floats = np.maximum(ahead.service_s + work.own_s + transfer_s, 0.0)
        return path_s

    def tpot_within(
        self, work: DecodeWork, pool: DecodePool, transfer_s: Floats, seconds: float | Floats
    ) -> Floats:
        """P(TPOT <= seconds) of each length point, shape (..., points)."""
        gap_s = None if self.first_by_decode else transfer_s
        return tokens.tpot_within(work, pool, self._later, seconds, gap_s)

    def tpot_met(
        self, work: DecodeWork, pool: DecodePool, transfer_s: Floats
    ) -> Mapping[float, Floats]:
        """P(TPOT within its target) of each length point, by target."""
        targets_s = sorted({each.slo.tpot_s for each in self.targets})
        if len(targets_s) == 1:
            return {targets_s[0]: self.tpot_within(work, pool, transfer_s, targets_s[0])}
        met = self.tpot_within(work, pool, transfer_s, np.array(targets_s)[:, None])
        return dict(zip(targets_s, met, strict=True))

    def slack(
        self,
        prefills: Sequence[PrefillWork],
        work: DecodeWork,
        pool: DecodePool,
        cases_s: Floats,
        met: Mapping[float, Floats],
    ) -> Floats:
        """What is left of the TTFT targets after all but the wait for prefill, of requests that meet TPOT.

        Masses on the grid, shape (prefill kinds, targets, cells); `cases_s` of transfers, shape (cases, points).
        """
        delay = self._delay(pool)
        found = np.empty((len(prefills), len(self.targets), self._grid.cells))
        for row, each in enumerate(self.targets):
            weights, earlier_s = each.weights * met[each.slo.tpot_s], self._longest_s - each.ttft_s
            for kind, ahead in enumerate(prefills):
                path_s = self.path_s(ahead, work, cases_s) + earlier_s
                used = self._grid.points(*flat(path_s, weights))
                if delay is not None:
                    used = self._grid.summed(used, delay)
                found[kind, row] = used[::-1]
        return found

    def _delay(self, pool: DecodePool) -> Floats | None:
        """Masses of what comes before the first token besides prefill and the KV transfer."""
        if not self.first_by_decode:
            return None
        step = tokens.first_step(pool, self._grid)
        if pool.admission.probability <= LEAST_SHARE:
            return step
        return self._grid.summed(self._grid.wait(pool.admission), step)


def flat(seconds: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Equally likely cases of length points, shape (cases, points), as points of their own."""
    cases = seconds.size // weights.size
    return seconds.ravel(), weights if cases == 1 else np.tile(weights / cases, cases)

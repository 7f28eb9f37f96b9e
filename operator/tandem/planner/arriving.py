"""What comes: tokens to be prefilled, and lengths as far as they are known.

Requests that ended tell of prompts late, and of those with short answers first; a prompt is known as soon
as it is prefilled. So answers are those of requests that ended, each weighed by how much more often prompts
of its size come now (post-stratification, by half doublings of what must be computed). Prompts of a size of
which none has ended get the answers of all. Where nobody tells of prompts those of ended requests stand in.

While prompts wait, those that were prefilled are no sample of those that came: the short ones go first. Tokens
are conserved, though: what came is what was prefilled and what more is waiting.

Source: this project, docs/decisions/0015.
"""

import numpy as np

from tandem.planner.buckets import coarsened
from tandem.planner.cells import Cells
from tandem.planner.demand import Floats, LengthMix, from_cells, mix
from tandem.planner.identity import by_identity
from tandem.planner.model import Memory
from tandem.planner.observation import LengthCounts, Missing, Traffic

STRATA = 2.0  # a doubling
ANSWERS = np.array([0.1, 0.35, 0.65, 0.9])  # quantiles that stand for all answers
SHARES = np.array([0.2, 0.3, 0.3, 0.2])  # of each


def lengths(memory: Memory) -> LengthMix | None:
    """The mix that comes; None before a request has ended."""
    return _lengths(memory.cells, memory.prompts)


def prefilled(traffic: Traffic) -> LengthCounts | Missing:
    """Prompts of the interval."""
    return traffic.lengths if isinstance(traffic.prompts, Missing) else traffic.prompts


def prompt_tokens(table: Floats, more_queued: float, known: Cells) -> float:
    """Uncached tokens that came with the prompts of an interval, given how many more tokens wait after it.

    `table` are prompts that were prefilled, `known` those of before: they tell what is cached.
    """
    uncached = _uncached_of(known) if known else _uncached(table)
    return max(0.0, _weighed_tokens(table)[1] + more_queued * uncached)


@by_identity
def _lengths(cells: Cells, prompts: Cells) -> LengthMix | None:
    if not prompts:
        return from_cells(cells)
    ended, came = (rows[rows[:, 3] > 0] for rows in (cells.table, prompts.table))
    if not len(ended) or not len(came):
        return from_cells(cells)
    return mix(*coarsened(_as_they_come(ended, came)).T)


def _as_they_come(ended: Floats, came: Floats) -> Floats:
    """Rows of those that ended, weighed as prompts come, and rows for prompts that none is like."""
    of_ended, of_came = _strata(ended), _strata(came)
    count = 1 + int(max(of_ended.max(), of_came.max()))
    wanted = np.bincount(of_came, came[:, 3], count)
    known = np.bincount(of_ended, ended[:, 3], count)
    factors = np.divide(wanted, known, out=np.zeros(count), where=known > 0)
    rows = np.column_stack([ended[:, :3], ended[:, 3] * factors[of_ended]])
    strange = came[known[of_came] == 0]
    if len(strange):
        rows = np.concatenate([rows, _with_answers(strange, ended)])
    return rows[rows[:, 3] > 0]


def _with_answers(prompts: Floats, ended: Floats) -> Floats:
    """Each prompt with each of the answers that stand for all."""
    answers = np.quantile(ended[:, 2], ANSWERS, weights=ended[:, 3], method="inverted_cdf")
    rows = np.repeat(prompts, len(answers), axis=0)
    rows[:, 2] = np.tile(answers, len(prompts))
    rows[:, 3] *= np.tile(SHARES, len(prompts))
    return rows


def _strata(table: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    new = np.maximum(table[:, 0] - table[:, 1], 1.0)
    return (np.log2(new) * STRATA).astype(np.int64)


def _uncached(table: Floats) -> float:
    """Share of the input tokens that must be computed; all where there is no prompt."""
    inputs, new = _weighed_tokens(table)
    return new / inputs if inputs else 1.0


@by_identity
def _uncached_of(prompts: Cells) -> float:
    return _uncached(prompts.table)


def _weighed_tokens(table: Floats) -> tuple[float, float]:
    """Input tokens of all, and of these the uncached."""
    inputs, cached, _, weights = table.T
    return float(weights @ inputs), float(weights @ np.maximum(inputs - cached, 1.0))

"""What is remembered of lengths: counts by bucket that halve every ten minutes, wider buckets where they are many.

What is new waits to be merged for half a lead time, half a minute at most, for until then all that
hangs on the mix of lengths stands and need not be found again. It waits for nothing where it matters: while
little is known, and where much came at once.
"""

from dataclasses import replace

import numpy as np

from tandem.planner.buckets import begins, coarsened
from tandem.planner.cells import NO_CELLS, Cells
from tandem.planner.demand import Floats
from tandem.planner.identity import by_identity
from tandem.planner.model import Memory
from tandem.planner.observation import LengthCounts, Missing
from tandem.planner.readings import MOST_LENGTH, MOST_REQUESTS

HALF_LIFE_S = 600.0  # long enough for a mix, short enough for a new prompt template
MOST_CELLS, MOST_FRESH, MOST_PROMPTS = 768, 1024, 256
LEAST_WEIGHT = 1e-3  # of a cell, in requests; lighter ones are forgotten
LEAST = np.array([1.0, 0.0, 1.0, LEAST_WEIGHT])  # input, cached and output tokens, requests
MOST = np.array([MOST_LENGTH, MOST_LENGTH, MOST_LENGTH, MOST_REQUESTS])
MERGES_A_LEAD = 2.0  # of what waits
MATTERS = 0.1  # new requests of those known


@by_identity
def believed(lengths: LengthCounts | Missing) -> Floats:
    """Rows (input, cached, output, requests) that can be; none where nobody tells."""
    table = NO_CELLS.table if isinstance(lengths, Missing) else lengths.cells.table
    if (table >= LEAST).all() and (table <= MOST).all():  # twice as quick as to ask row by row
        return table
    return table[((table >= LEAST) & (table <= MOST)).all(axis=1)]


def learnt(
    memory: Memory,
    ended: LengthCounts | Missing,
    prompts: LengthCounts | Missing,
    interval_s: float,
    merge_s: float,
) -> Memory:
    """With the requests that ended and the prompts that were prefilled in one more interval."""
    fresh, fresh_prompts = _with(memory.fresh, ended), _with(memory.fresh_prompts, prompts)
    waited_s = memory.waited_s + interval_s
    if waited_s < merge_s and not _matters(fresh, fresh_prompts, memory):
        return replace(
            memory,
            fresh=_few(fresh, MOST_FRESH),
            fresh_prompts=_few(fresh_prompts, MOST_PROMPTS),
            waited_s=waited_s,
        )
    return replace(
        memory,
        cells=_merged(memory.cells, fresh, waited_s, MOST_CELLS),
        prompts=_merged(memory.prompts, fresh_prompts, waited_s, MOST_PROMPTS),
        fresh=NO_CELLS,
        fresh_prompts=NO_CELLS,
        waited_s=0.0,
    )


def whole(table: Floats) -> Cells:
    """Rows of whole lengths; the table is written into."""
    np.round(table[:, :3], out=table[:, :3])
    return Cells(table)


def _with(known: Cells, more: LengthCounts | Missing) -> Cells:
    return Cells(np.concatenate([known.table, believed(more)]))


def _matters(fresh: Cells, fresh_prompts: Cells, memory: Memory) -> bool:
    pairs = (fresh, memory.cells), (fresh_prompts, memory.prompts)
    return any(new.requests > MATTERS * known.requests for new, known in pairs)


def _merged(cells: Cells, fresh: Cells, waited_s: float, most: int) -> Cells:
    """Counts of before, decayed, and those that are new."""
    before = cells.times(0.5 ** (waited_s / HALF_LIFE_S)).table
    kept = before[before[:, 3] >= LEAST_WEIGHT]
    return whole(_summed(np.concatenate([kept, fresh.table]), most))


def _few(cells: Cells, most: int) -> Cells:
    return cells if len(cells) <= most else whole(_summed(cells.table, most))


def _summed(table: Floats, most: int) -> Floats:
    """One row for each (input, cached, output), in their order, weights added up; wider buckets if too many."""
    ordered = table.take(np.lexsort(table.T[2::-1]), axis=0)
    starts = begins(*ordered.T[:3])
    rows = ordered.compress(starts, axis=0)
    rows[:, 3] = np.bincount(starts.cumsum() - 1, ordered[:, 3], len(rows))
    return coarsened(rows) if len(rows) > most else rows

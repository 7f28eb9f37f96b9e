"""What is remembered of lengths: counts by bucket that halve every ten minutes, wider buckets where they are many.

What is new waits to be merged for a third of a lead time, half a minute at most, for until then all that
hangs on the mix of lengths stands and need not be found again. It waits for nothing where it matters: while
little is known, and where much came at once.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tandem.planner import demand
from tandem.planner.demand import Floats
from tandem.planner.identity import by_identity
from tandem.planner.model import Memory
from tandem.planner.observation import Cells, LengthCounts, Missing
from tandem.planner.readings import MOST_LENGTH, MOST_REQUESTS

HALF_LIFE_S = 600.0  # long enough for a mix, short enough for a new prompt template
MOST_CELLS, MOST_FRESH, MOST_PROMPTS = 768, 1024, 256
LEAST_WEIGHT = 1e-3  # of a cell, in requests; lighter ones are forgotten
LEAST = np.array([1.0, 0.0, 1.0, LEAST_WEIGHT])  # input, cached and output tokens, requests
MOST = np.array([MOST_LENGTH, MOST_LENGTH, MOST_LENGTH, MOST_REQUESTS])
MATTERS = 0.1  # new requests of those known


@by_identity
def believed(lengths: LengthCounts | Missing) -> Floats:
    """Rows (input, cached, output, requests) that can be; none where nobody tells."""
    if isinstance(lengths, Missing):
        return np.empty((0, 4))
    table = demand.as_table(lengths.cells)
    possible: Floats = table[plausible(table)]
    possible.flags.writeable = False
    return possible


def plausible(table: Floats) -> NDArray[np.bool_]:
    """Which rows are lengths and counts that exist."""
    possible: NDArray[np.bool_] = np.all((table >= LEAST) & (table <= MOST), axis=1)
    return possible


def learnt(
    memory: Memory,
    ended: LengthCounts | Missing,
    prompts: LengthCounts | Missing,
    interval_s: float,
    merge_s: float,
) -> Memory:
    """With the requests that ended and the prompts that were prefilled in one more interval."""
    fresh = (*memory.fresh, *_believed_cells(ended))
    fresh_prompts = (*memory.fresh_prompts, *_believed_cells(prompts))
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
        fresh=(),
        fresh_prompts=(),
        waited_s=0.0,
    )


def _believed_cells(lengths: LengthCounts | Missing) -> Cells:
    """The same as cells, which are at hand where nothing is left out, as nearly always."""
    table = believed(lengths)
    if isinstance(lengths, LengthCounts) and len(table) == len(lengths.cells):
        return lengths.cells
    return as_cells(table)


def as_cells(table: Floats) -> Cells:
    """Rows as tuples of whole lengths."""
    columns = (*np.round(table[:, :3]).astype(np.int64).T.tolist(), table[:, 3].tolist())
    return tuple(zip(*columns, strict=True))


def _matters(fresh: Cells, fresh_prompts: Cells, memory: Memory) -> bool:
    pairs = (fresh, memory.cells), (fresh_prompts, memory.prompts)
    return any(_requests(new) > MATTERS * _known(known) for new, known in pairs)


def _requests(cells: Cells) -> float:
    return sum(cell[3] for cell in cells)


_known = by_identity(_requests)  # of what stands for many looks


def _merged(cells: Cells, fresh: Cells, waited_s: float, most: int) -> Cells:
    """Counts of before, decayed, and those that are new."""
    before = demand.table_of(cells).copy()
    before[:, 3] *= 0.5 ** (waited_s / HALF_LIFE_S)
    kept = before[before[:, 3] >= LEAST_WEIGHT]
    return as_cells(_summed(np.concatenate([kept, demand.as_table(fresh)]), most))


def _few(cells: Cells, most: int) -> Cells:
    return cells if len(cells) <= most else as_cells(_summed(demand.as_table(cells), most))


def _summed(table: Floats, most: int) -> Floats:
    """One row for each (input, cached, output), in their order, weights added up; wider buckets if too many."""
    order = np.lexsort((table[:, 2], table[:, 1], table[:, 0]))
    ordered = table[order]
    starts = np.ones(len(ordered), dtype=np.bool_)
    starts[1:] = (ordered[1:, :3] != ordered[:-1, :3]).any(axis=1)
    rows = ordered[starts]
    rows[:, 3] = np.bincount(np.cumsum(starts) - 1, ordered[:, 3], len(rows))
    return demand.coarsened(rows) if len(rows) > most else rows

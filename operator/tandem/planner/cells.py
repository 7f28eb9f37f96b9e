"""Cells: how many requests had which lengths, one table from whoever counts them to the mix that is sized for."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from struct import pack

import numpy as np
from numpy.typing import NDArray

Cell = tuple[int, int, int, float]  # input, cached and output tokens, and how many
WIDTH = 4


def table(rows: Collection[Iterable[float]], width: int) -> NDArray[np.float64]:
    """Rows one by one as a table, shape (rows, width), read only; quicker than NumPy's own ways with tuples."""
    packed = pack(f"{width * len(rows)}d", *chain.from_iterable(rows))
    return np.frombuffer(packed).reshape(-1, width)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Rows (input, cached, output tokens, requests), shape (cells, 4); nobody may write into the table."""

    table: NDArray[np.float64]

    def __post_init__(self) -> None:
        self.table.flags.writeable = False

    @classmethod
    def of(cls, *rows: Cell) -> "Cells":
        """Of rows one by one."""
        return cls(table(rows, WIDTH))

    @property
    def requests(self) -> float:
        """How many in all."""
        return float(self.table[:, 3].sum())

    def tokens(self) -> tuple[float, float, float]:
        """Input, cached and output tokens of all requests."""
        inputs, cached, outputs = (self.table[:, 3] @ self.table[:, :3]).tolist()
        return inputs, cached, outputs

    def times(self, factor: float) -> "Cells":
        """So many times the requests of each length."""
        return Cells(self.table * (1.0, 1.0, 1.0, factor))

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[Cell]:
        for inputs, cached, outputs, requests in self.table.tolist():
            yield int(inputs), int(cached), int(outputs), requests

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cells) and np.array_equal(self.table, other.table)

    def __hash__(self) -> int:
        return hash((len(self), self.requests))


NO_CELLS = Cells.of()

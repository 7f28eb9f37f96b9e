"""Costs from measured times: non-negative least squares on the relative error.

Every row is divided by its time, so that 1 ms off at 10 ms weighs as much as 100 ms off at 1 s;
coefficients are costs, so none is negative. Columns differ by ten orders of magnitude (1 against
tokens²), so each is scaled to unit length before it is solved for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import DecodeCost, PrefillCost

Cost = TypeVar("Cost", PrefillCost, DecodeCost)
Matrix = NDArray[np.float64]

_COEFFICIENTS = 3
# Singular values of unit columns below this are rounding. Ten times larger and prompts that differ
# by 1 % in length would count as all alike.
_RANK_TOLERANCE = 1e-9


class Fit(NamedTuple, Generic[Cost]):
    """A fitted cost and its relative errors, as shares (0.03 is 3 %).

    `holdout_error` is the mean error on every second row of a fit to the others; None when either
    half determines no fit of its own.
    """

    cost: Cost
    mean_error: float
    max_error: float
    holdout_error: float | None


@dataclass(frozen=True, slots=True)
class _Form(Generic[Cost]):
    """One stage's model: the columns of its samples, and how they make a row of the fit."""

    columns: tuple[str, ...]
    terms: Callable[[Matrix], Matrix]
    cost: Callable[[float, float, float], Cost]


def fit_prefill(samples: ArrayLike) -> Fit[PrefillCost]:
    """Fit T = a + b Σn + c Σ(L² − p²).

    Args:
        samples: rows of (Σn tokens, Σ(L² − p²), seconds) and, where a row sums up several batches,
            a fourth column with their number.

    """
    rows = _matrix(samples)
    return _fit(rows, _PREFILL_BATCHES if rows.shape[1:] == (4,) else _PREFILL)


def fit_decode(samples: ArrayLike) -> Fit[DecodeCost]:
    """Fit T = α + β batch + γ Σcontext to rows of (batch, Σcontext tokens, seconds)."""
    return _fit(_matrix(samples), _DECODE)


def _prefill_cost(a: float, b: float, c: float) -> PrefillCost:
    return PrefillCost(a_s=a, b_s_per_token=b, c_s_per_token2=c)


def _decode_cost(alpha: float, beta: float, gamma: float) -> DecodeCost:
    return DecodeCost(alpha_s=alpha, beta_s_per_sequence=beta, gamma_s_per_token=gamma)


def _one_batch(rows: Matrix) -> Matrix:
    return np.column_stack([np.ones(len(rows)), rows[:, 0], rows[:, 1]])


def _several_batches(rows: Matrix) -> Matrix:
    return rows[:, [3, 0, 1]]


_PREFILL_COLUMNS = ("Σn", "Σ(L² − p²)", "seconds")
_PREFILL = _Form(_PREFILL_COLUMNS, _one_batch, _prefill_cost)
_PREFILL_BATCHES = _Form((*_PREFILL_COLUMNS, "batches"), _several_batches, _prefill_cost)
_DECODE = _Form(("batch", "Σcontext", "seconds"), _one_batch, _decode_cost)


def _fit(rows: Matrix, form: _Form[Cost]) -> Fit[Cost]:
    _check(rows, form.columns)
    relative = form.terms(rows) / rows[:, 2:3]
    if not _is_determined(relative):
        raise InvalidInputError(
            "samples", f"{len(rows)} rows", "rows that differ enough to tell three costs apart"
        )
    found = _solve(relative)
    errors = _errors(relative, found)
    cost = form.cost(*(float(value) for value in found))
    return Fit(cost, float(errors.mean()), float(errors.max()), _holdout_error(relative))


def _matrix(samples: ArrayLike) -> Matrix:
    try:
        return np.asarray(samples, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError("samples", samples, "rows of numbers, all as long") from error


def _check(rows: Matrix, columns: tuple[str, ...]) -> None:
    if rows.ndim != 2 or rows.shape[1] != len(columns):  # noqa: PLR2004  a table
        raise InvalidInputError("samples", rows.shape, f"rows of ({', '.join(columns)})")
    wrong = np.argwhere(~(np.isfinite(rows) & (rows > 0)))
    if len(wrong):
        row, column = (int(index) for index in wrong[0])
        name = f"samples row {row}, {columns[column]}"
        raise InvalidInputError(name, float(rows[row, column]), "a finite number above zero")
    if len(rows) < _COEFFICIENTS:
        raise InvalidInputError("samples", f"{len(rows)} rows", f"at least {_COEFFICIENTS} rows")


def _is_determined(relative: Matrix) -> bool:
    """Whether the rows tell every coefficient apart from the others."""
    if len(relative) < _COEFFICIENTS:
        return False
    unit = relative / np.linalg.norm(relative, axis=0)
    return bool(np.linalg.svd(unit, compute_uv=False)[-1] > _RANK_TOLERANCE)


def _solve(relative: Matrix) -> Matrix:
    # Here because importing it takes as long as a command may, and most commands never fit.
    from scipy.optimize import nnls  # noqa: PLC0415

    scale = np.linalg.norm(relative, axis=0)
    found, _ = nnls(relative / scale, np.ones(len(relative)))
    return np.asarray(found / scale, dtype=np.float64)


def _errors(relative: Matrix, found: Matrix) -> Matrix:
    return np.abs(relative @ found - 1.0)


def _holdout_error(relative: Matrix) -> float | None:
    train, rest = relative[::2], relative[1::2]
    if not _is_determined(train) or not len(rest):
        return None
    return float(_errors(rest, _solve(train)).mean())

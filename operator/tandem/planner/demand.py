"""Demand: how many requests come, how unevenly, and of which lengths.

Lengths are a joint sketch of weighted points (input, cached, output), not means: prefill time grows
with the square of the input and decode memory with its product with the output, so tails decide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from tandem.errors import InvalidInputError
from tandem.planner.buckets import coarsened, two_points
from tandem.planner.cells import Cells
from tandem.planner.identity import by_identity

Floats = NDArray[np.float64]
MOST_ARRIVAL_CA2 = 64.0  # of counts a second; a level that goes up by 250/s looks like more
RECENT = 8  # mixes whose costs are remembered: a plan asks about the same lengths at several rates
SMALLEST_CV = 1e-3  # below it lengths are constant; moments of strata would drown in rounding
# Probabilities between which a law is replaced by two points: finer where percentiles are read, and for
# inputs, whose tail meets the TTFT target; outputs act through moments and the averaging of TPOT.
INPUT_STRATA = (
    *(0, 0.1, 0.2, 0.35, 0.5, 0.62, 0.72, 0.8, 0.86),
    *(0.91, 0.945, 0.968, 0.982, 0.9885, 0.9935, 0.998, 1),
)
OUTPUT_STRATA = (0, 0.5, 0.85, 0.98, 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LengthMix:
    """Weighted points of lengths in tokens, each array of shape (points,), read-only; weights sum to 1.

    `mean_new` is the mean of what must be computed of a prompt, input less cached; `prompt_tokens` is
    E[L²]/E[L], the prompt of a random token.
    """

    input_tokens: Floats
    cached_tokens: Floats
    output_tokens: Floats
    weights: Floats
    mean_input: float = field(init=False)
    mean_new: float = field(init=False)
    mean_output: float = field(init=False)
    prompt_tokens: float = field(init=False)

    def __post_init__(self) -> None:
        new = self.input_tokens - self.cached_tokens
        for name, values in (
            ("mean_input", self.input_tokens),
            ("mean_new", new),
            ("mean_output", self.output_tokens),
        ):
            object.__setattr__(self, name, float(self.weights @ values))
        squares = float(self.weights @ self.input_tokens**2)
        object.__setattr__(self, "prompt_tokens", squares / self.mean_input)

    def where(self, keep: NDArray[np.bool_]) -> tuple["LengthMix", float]:
        """The mix of the points that `keep` marks, and their share; all points when none is marked."""
        if keep.all() or not keep.any():
            return self, float(keep[0])
        share = float(self.weights @ keep)
        return mix(
            self.input_tokens[keep],
            self.cached_tokens[keep],
            self.output_tokens[keep],
            self.weights[keep],
        ), share


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Arrivals of `rate_rps` requests a second.

    `arrival_ca2` is the squared coefficient of variation of gaps between arrivals at the time scale of
    the queue, for which the index of dispersion of counts stands: 1 for Poisson.

    `classes` are weights of the points of `lengths`, shape (points,), by the name of the class that
    sends them; what these leave of a point's weight is of no class.

    `prompts` come for each request that decode gets: other than 1 where what the roles are to be ready for
    differs.
    """

    rate_rps: float
    lengths: LengthMix
    arrival_ca2: float = 1.0
    prompts: float = 1.0
    classes: Mapping[str, Floats] = field(default_factory=lambda: MappingProxyType({}))


def arrival_ca2(dispersion: float) -> float:
    """The Ca² that an index of dispersion of counts a second stands for."""
    return min(dispersion, MOST_ARRIVAL_CA2)


def mix(
    input_tokens: ArrayLike, cached_tokens: ArrayLike, output_tokens: ArrayLike, weights: ArrayLike
) -> LengthMix:
    """A mix of these points: at least one token in and out, one token of each prompt computed."""
    inputs = np.maximum(np.asarray(input_tokens, dtype=np.float64), 1.0)
    cached = np.clip(np.asarray(cached_tokens, dtype=np.float64), 0.0, inputs - 1.0)
    outputs = np.maximum(np.asarray(output_tokens, dtype=np.float64), 1.0)
    share = np.asarray(weights, dtype=np.float64)
    arrays = (inputs, cached, outputs, share / share.sum())
    for array in arrays:
        array.flags.writeable = False
    inputs, cached, outputs, share = arrays
    return LengthMix(
        input_tokens=inputs, cached_tokens=cached, output_tokens=outputs, weights=share
    )


def from_means(
    input_tokens: float,
    output_tokens: float,
    *,
    input_cv: float = 0.0,
    output_cv: float = 0.0,
    cached_tokens: float = 0.0,
) -> LengthMix:
    """Independent lognormal lengths of these means and coefficients of variation (0: constant).

    Of each prompt the same share is cached.
    """
    inputs, input_weights = lognormal(input_tokens, input_cv, INPUT_STRATA)
    outputs, output_weights = lognormal(output_tokens, output_cv, OUTPUT_STRATA)
    shape = (len(inputs), len(outputs))
    grid_in = np.broadcast_to(inputs[:, None], shape).ravel()
    grid_out = np.broadcast_to(outputs[None, :], shape).ravel()
    cached = grid_in * (cached_tokens / input_tokens)
    return mix(grid_in, cached, grid_out, np.outer(input_weights, output_weights).ravel())


def of_classes(
    rate_rps: float, mixes: Mapping[str, tuple[float, LengthMix]], *, arrival_ca2: float = 1.0
) -> Demand:
    """The demand of classes, each of a share of the arrivals and lengths of its own.

    Shares are taken in proportion to their sum.
    """
    total = sum(share for share, _ in mixes.values())
    ends = np.cumsum([len(lengths.weights) for _, lengths in mixes.values()])
    lengths_of = [lengths for _, lengths in mixes.values()]
    classes = {}
    for (name, (share, lengths)), end in zip(mixes.items(), ends.tolist(), strict=True):
        weights = np.zeros(ends[-1])
        weights[end - len(lengths.weights) : end] = lengths.weights * (share / total)
        classes[name] = weights
    return Demand(
        rate_rps=rate_rps,
        lengths=mix(
            np.concatenate([each.input_tokens for each in lengths_of]),
            np.concatenate([each.cached_tokens for each in lengths_of]),
            np.concatenate([each.output_tokens for each in lengths_of]),
            np.sum(list(classes.values()), axis=0),
        ),
        arrival_ca2=arrival_ca2,
        classes=MappingProxyType(classes),
    )


@by_identity
def from_cells(cells: Cells) -> LengthMix | None:
    """The mix of counted lengths; None when they weigh nothing."""
    table = cells.table[cells.table[:, 3] > 0]
    return mix(*coarsened(table).T) if len(table) else None


def from_requests(
    input_tokens: ArrayLike, output_tokens: ArrayLike, cached_tokens: ArrayLike | None = None
) -> LengthMix:
    """The mix of single requests, compressed to at most `MOST_POINTS` cells of the same means."""
    inputs = np.asarray(input_tokens, dtype=np.float64)
    cached = np.zeros_like(inputs) if cached_tokens is None else np.asarray(cached_tokens)
    outputs = np.asarray(output_tokens, dtype=np.float64)
    if not len(inputs):
        raise InvalidInputError("requests", 0, "at least one")
    table = np.column_stack([inputs, cached, outputs, np.ones_like(inputs)])
    return mix(*coarsened(table).T)


def lognormal(mean: float, cv: float, strata: Sequence[float]) -> tuple[Floats, Floats]:
    """Points and weights with the mean, variance and third moment of a lognormal law.

    Strata of probability, finer towards the tail, each replaced by its two-point Gauss quadrature: a
    rule whose nodes lie within the stratum and whose first three moments are the stratum's own.
    With X = exp(σZ − σ²/2): E[Xᵏ; u<Z<v] = e^{k(k−1)σ²/2} (Φ(v − kσ) − Φ(u − kσ)).
    """
    if cv < SMALLEST_CV:
        return np.array([mean]), np.ones(1)
    sigma = np.sqrt(np.log1p(cv * cv))
    z = ndtri(strata)
    weight, *raw = (
        np.exp(k * (k - 1) / 2 * sigma**2) * np.diff(ndtr(z - k * sigma)) for k in range(4)
    )
    low, high, low_share = two_points(*(moment / weight for moment in raw))
    points = mean * np.concatenate([low, high])
    return points, np.concatenate([weight * low_share, weight * (1 - low_share)])

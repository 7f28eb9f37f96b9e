import numpy as np
import pytest

from tandem.errors import InvalidInputError
from tandem.planner.buckets import MOST_POINTS
from tandem.planner.cells import NO_CELLS, Cells
from tandem.planner.demand import (
    INPUT_STRATA,
    OUTPUT_STRATA,
    from_cells,
    from_means,
    from_requests,
    lognormal,
)


@pytest.mark.parametrize("strata", [INPUT_STRATA, OUTPUT_STRATA], ids=["input", "output"])
@pytest.mark.parametrize("cv", [0.01, 0.3, 1.0, 2.0, 5.0])
def test_points_have_the_first_three_moments_of_a_lognormal(
    cv: float, strata: tuple[float, ...]
) -> None:
    points, weights = lognormal(100.0, cv, strata)

    assert (points > 0).all()
    assert weights.sum() == pytest.approx(1.0)
    assert weights @ points == pytest.approx(100.0)
    assert weights @ points**2 == pytest.approx(100.0**2 * (1 + cv**2))
    assert weights @ points**3 == pytest.approx(100.0**3 * (1 + cv**2) ** 3)


def test_percentiles_of_a_lognormal_are_met() -> None:
    points, weights = lognormal(1.0, 1.0, INPUT_STRATA)
    order = np.argsort(points)
    share = np.cumsum(weights[order]) - weights[order] / 2
    exact = np.exp(np.sqrt(np.log(2)) * np.array([0.0, 1.2816, 2.3263]) - np.log(2) / 2)

    assert np.interp([0.5, 0.9, 0.99], share, points[order]) == pytest.approx(exact, rel=0.03)


def test_constant_lengths_are_one_point() -> None:
    mix = from_means(3000, 150)

    points = (mix.input_tokens.tolist(), mix.output_tokens.tolist(), mix.weights.tolist())
    assert points == ([3000.0], [150.0], [1.0])


def test_independent_lengths_are_a_product_of_points() -> None:
    mix = from_means(3000, 150, input_cv=1.0, output_cv=0.5, cached_tokens=300)

    assert len(mix.weights) <= MOST_POINTS
    assert mix.mean_input == pytest.approx(3000)
    assert mix.mean_new == pytest.approx(2700)
    assert mix.weights @ (mix.input_tokens * mix.output_tokens) == pytest.approx(3000 * 150)


def test_a_mix_can_not_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        from_means(3000, 150).weights[0] = 2.0


def test_at_least_one_token_of_a_prompt_is_computed() -> None:
    mix = from_cells(Cells.of((100, 500, 10, 1.0)))

    assert mix is not None
    assert mix.mean_new == 1.0


@pytest.mark.parametrize(
    "cells", [NO_CELLS, Cells.of((100, 0, 10, 0.0))], ids=["none", "of no weight"]
)
def test_no_cells_are_no_mix(cells: Cells) -> None:
    assert from_cells(cells) is None


def test_no_requests_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="requests: 0 is not allowed: at least one"):
        from_requests([], [])


@pytest.mark.parametrize(
    ("keep", "share"), [(100, 1.0), (10, 0.25), (1, 0.0)], ids=["all", "some", "none"]
)
def test_a_mix_can_be_cut(keep: float, share: float) -> None:
    mix = from_cells(Cells.of((5, 0, 10, 1.0), (50, 0, 10, 3.0)))
    assert mix is not None
    cut, kept = mix.where(mix.input_tokens <= keep)

    assert kept == pytest.approx(share)
    assert cut.weights.sum() == pytest.approx(1.0)
    assert cut.mean_input == pytest.approx(5.0 if share == 0.25 else mix.mean_input)

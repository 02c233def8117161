"""The least of a quadratic cost between bounds, against hand-made cases and another method."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import lsq_linear

from tradewind.errors import ConfigError
from tradewind.plugins.solvers.inversion.bounded import Bounds, least_between
from tradewind.plugins.solvers.options import AnalyticalOptions

INF = float("inf")


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def least(p, q, low, high):
    p, q = torch.as_tensor(p, dtype=torch.float64), torch.as_tensor(q, dtype=torch.float64)
    return least_between(p, q, Bounds(tensor(*low), tensor(*high)), torch.zeros_like(q))


def test_without_bounds_in_reach_it_is_the_solution_of_the_equations():
    x, held = least([[2.0, 1.0], [1.0, 2.0]], [3.0, 3.0], [-9.0, -9.0], [9.0, 9.0])
    assert x.tolist() == pytest.approx([1.0, 1.0], rel=1e-14)
    assert not held.any()


def test_one_element_at_its_bound_moves_the_other():
    # x1 <= 0.5: P22 x2 = q2 - P12 x1 = 3 - 0.5, x2 = 1.25
    x, held = least([[2.0, 1.0], [1.0, 2.0]], [3.0, 3.0], [-INF, -INF], [0.5, INF])
    assert x.tolist() == pytest.approx([0.5, 1.25], rel=1e-14)
    assert held.tolist() == [True, False]


def test_a_begin_at_the_wrong_bound_is_left():
    # zero lies below the bounds; the minimum of (x - 2)^2 is inside
    x, held = least([[1.0]], [2.0], [1.0], [3.0])
    assert x.tolist() == pytest.approx([2.0])
    assert not held.any()


def test_all_elements_may_be_held():
    x, held = least(np.eye(3), [5.0, -5.0, 5.0], [-1.0] * 3, [1.0] * 3)
    assert x.tolist() == [1.0, -1.0, 1.0]
    assert held.all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 25), st.integers(0, 999), st.floats(0.01, 2.0))
def test_it_is_what_an_active_set_method_finds(n, seed, width):
    generator = np.random.default_rng(seed)
    root = generator.standard_normal((n + 3, n))
    p, q = root.T @ root + 0.01 * np.eye(n), generator.standard_normal(n)
    upper = np.linalg.cholesky(p).T
    expected = lsq_linear(
        upper, np.linalg.solve(upper.T, q), (-width, width), method="bvls", tol=1e-14, max_iter=500
    )
    x, held = least(p, q, [-width] * n, [width] * n)
    cost = 0.5 * x.numpy() @ p @ x.numpy() - q @ x.numpy()
    theirs = 0.5 * expected.x @ p @ expected.x - q @ expected.x
    assert cost <= theirs + 1e-12 * abs(theirs)
    np.testing.assert_allclose(x, expected.x, atol=1e-7 * width)
    # the slope vanishes where nothing holds, and pushes outwards where something does
    slope = p @ x.numpy() - q
    assert np.abs(slope[~held.numpy()]).max(initial=0.0) <= 1e-9 * (1 + np.abs(q).max())
    assert (slope[held.numpy()] * np.sign(x.numpy()[held.numpy()]) <= 0).all()


# ---------------------------------------------------------------------- in an inversion
def test_factors_do_not_become_negative(inversions):
    control = inversions.scaled(2, 1.0)
    # y asks for a factor of about -1 of the first, +1.5 of the second
    model = inversions.Model(
        {w: torch.eye(2, dtype=torch.float64) for w in days(1)},
        {w: tensor(0.0, 0.0) for w in days(1)},
        lognormal=torch.zeros(2, dtype=torch.bool),
    )
    found = inversions.solve(model, control, observed(tensor(-3.0, 2.0)), bounds=[0.0, None])
    assert found.mean.tolist() == pytest.approx([0.0, 1.5])
    assert found.details["active"].tolist() == [True, False]
    # the held element has no error of its own; the other is 1/(1 + 1), A = 1/2
    assert found.covariance.flatten().tolist() == pytest.approx([0.0, 0.0, 0.0, 0.5])
    assert found.dofs == pytest.approx(0.5)
    # J_A = 1 + 1/4
    assert found.cost["prior_after"] == pytest.approx(1.25)


def observed(y):
    from tradewind.couplers.assimilation import Observations
    from tradewind.couplers.assimilation.covariance import DiagonalCovariance

    return {w: Observations(y, DiagonalCovariance(torch.ones_like(y))) for w in days(1)}


def days(count):
    from tradewind.testing.model import days as made

    return made(count)


def test_bounds_that_hold_nothing_change_nothing(inversions):
    control = inversions.scaled(4)
    model, seen = inversions.problem(control, (6, 5))
    free = inversions.solve(model, control, seen)
    wide = inversions.solve(model, control, seen, bounds=[-1e6, 1e6])
    torch.testing.assert_close(wide.mean, free.mean, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(wide.covariance, free.covariance, rtol=1e-9, atol=1e-12)
    assert wide.dofs == pytest.approx(free.dofs, rel=1e-10)


def test_what_is_added_has_no_bounds(inversions):
    control = inversions.both(inversions.scaled(2), inversions.added(2, 5.0))
    model, seen = inversions.problem(control, (9,), seed=4)
    found = inversions.solve(model, control, seen, bounds=[0.9, 1.1])
    free = inversions.solve(model, control, seen)
    assert (free.mean[:2] - 1.0).abs().max() > 0.1
    assert 0.9 <= found.mean[:2].min() <= found.mean[:2].max() <= 1.1
    assert found.mean[2:].abs().max() > 1.1


def test_the_weight_is_sought_between_bounds_too(inversions):
    control = inversions.scaled(3, 0.1)
    model, seen = inversions.problem(control, (8,), scale=20.0)
    found = inversions.solve(model, control, seen, bounds=[0.0, None], gamma="auto")
    assert found.details["gamma"] < 1.0
    assert found.details["prior_cost_per_element"] == pytest.approx(1.0, rel=1e-3)


def test_bounds_of_logarithms_are_refused(inversions):
    control = inversions.lognormal(2)
    model, seen = inversions.problem(control, (3,))
    with pytest.raises(ConfigError, match="no factors alone"):
        inversions.solve(model, control, seen, bounds=[0.0, None])


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"bounds": [1.0, 0.0]}, "nothing lies between 1 and 0"),
        ({"bounds": [1.0]}, "bounds are two numbers"),
        ({"bounds": [0.0, 1.0], "form": "gain"}, "bounds need"),
        ({"bounds": [0.0, 1.0], "every": "7d", "carry_covariance": True}, "no error to carry"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(options, what):
    with pytest.raises(ValidationError, match=what):
        AnalyticalOptions(**options)

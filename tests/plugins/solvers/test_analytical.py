"""The analytical inversion over windows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.couplers.operators import MatrixOperator
from tradewind.errors import DataError, SpecError
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.plugins.solvers.jacobians import BATCH, dense
from tradewind.plugins.solvers.options import AnalyticalOptions
from tradewind.testing import LinearModel, SolverConformance, VectorControl
from tradewind.testing.model import days


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def seen(y, *variance) -> Observations:
    y = torch.as_tensor(y, dtype=torch.float64)
    return Observations(y, DiagonalCovariance(tensor(*variance)) if len(y) else None)


FIRST, SECOND, THIRD = days(3)
UNIT = VectorControl(tensor(1.0, 1.0), DiagonalCovariance(tensor(1.0, 1.0)))


def two_windows(**changes) -> LinearModel:
    """The first window sees x1 + 5, the second x1 + x2."""
    jacobians = {FIRST: tensor([1.0, 0.0]), SECOND: tensor([1.0, 1.0])}
    return LinearModel(jacobians, {FIRST: tensor(5.0), SECOND: tensor(0.0)}, **changes)


def two_seen() -> dict:
    return {FIRST: seen([7.0], 1.0), SECOND: seen([2.0], 1.0)}


def solve(model=None, observations=None, control=UNIT, **options):
    solver = Analytical(AnalyticalOptions(**options))
    return solver.solve(model or two_windows(), control, observations or two_seen())


class TestAnalyticalConforms(SolverConformance):
    def solver(self):
        return Analytical()


def test_two_elements_two_windows_by_hand():
    # d = (1, 0); KᵀK = (2 1; 1 1), S = (3 1; 1 2)⁻¹ = (2 -1; -1 3)/5, increment S (1 0)ᵀ = (2/5 -1/5)
    found = solve()
    assert found.mean.tolist() == pytest.approx([1.4, 0.8], rel=1e-15)
    assert found.covariance.flatten().tolist() == pytest.approx([0.4, -0.2, -0.2, 0.6], rel=1e-14)
    # A = I - S, DOFS = 2 - 1
    assert found.averaging_kernel.flatten().tolist() == pytest.approx([0.6, 0.2, 0.2, 0.4], rel=1e-14)
    assert found.dofs == pytest.approx(1.0, rel=1e-14)


def test_costs_by_hand():
    # before: 1² + 0²; after: J_A = 4/25 + 1/25, residuals (1 - 2/5, 0 - 1/5): 9/25 + 1/25
    found = solve()
    assert found.cost == pytest.approx(
        {"prior_before": 0.0, "observations_before": 1.0, "prior_after": 0.2, "observations_after": 0.4}
    )
    assert found.details["prior_cost_per_element"] == pytest.approx(0.1)
    assert found.details["chi_square"] == pytest.approx(0.3)
    assert (found.details["observations"], found.details["elements"]) == (2, 2)


def test_simulations_by_hand():
    found = solve().simulated
    assert found[FIRST]["prior"].tolist() == [6.0]
    assert found[SECOND]["prior"].tolist() == [2.0]
    assert found[FIRST]["posterior"].tolist() == pytest.approx([6.4])
    assert found[SECOND]["posterior"].tolist() == pytest.approx([2.2])


def test_the_model_s_own_error_adds_to_that_of_the_observations():
    # one element, sa = 1, k = 1, d = 1, R = 1 + 2: increment 1/(1 + 3)
    control = VectorControl(tensor(1.0), DiagonalCovariance(tensor(1.0)))
    model = LinearModel({FIRST: tensor([1.0])}, {FIRST: tensor(0.0)}, {FIRST: tensor(2.0)})
    assert solve(model, {FIRST: seen([2.0], 1.0)}, control).mean.item() == pytest.approx(1.25, rel=1e-15)


def test_correlated_observations_count_for_less():
    # R = (1 .5; .5 1), K = (1 1)ᵀ: KᵀR⁻¹K = 4/3 instead of 2; d = (1 1): KᵀR⁻¹d = 4/3, increment 4/7
    control = VectorControl(tensor(0.0), DiagonalCovariance(tensor(1.0)))
    model = LinearModel({FIRST: tensor([1.0], [1.0])}, {FIRST: tensor(0.0, 0.0)})
    correlated = Observations(tensor(1.0, 1.0), DenseCovariance(tensor([1.0, 0.5], [0.5, 1.0])))
    assert solve(model, {FIRST: correlated}, control).mean.item() == pytest.approx(4 / 7, rel=1e-14)


def test_correlated_observations_and_the_model_s_error_add_up():
    # R = (1 .5; .5 1) + I = (2 .5; .5 2), R⁻¹ rows sum to 1/2.5: KᵀR⁻¹K = 0.8, increment 0.8/1.8
    control = VectorControl(tensor(0.0), DiagonalCovariance(tensor(1.0)))
    model = LinearModel({FIRST: tensor([1.0], [1.0])}, {FIRST: tensor(0.0, 0.0)}, {FIRST: tensor(1.0, 1.0)})
    correlated = Observations(tensor(1.0, 1.0), DenseCovariance(tensor([1.0, 0.5], [0.5, 1.0])))
    assert solve(model, {FIRST: correlated}, control).mean.item() == pytest.approx(4 / 9, rel=1e-14)


def test_a_covariance_of_the_model_s_error_adds_too():
    # R = I + (1 .5; .5 1) = (2 .5; .5 2), as above
    control = VectorControl(tensor(0.0), DiagonalCovariance(tensor(1.0)))
    errors = {FIRST: tensor([1.0, 0.5], [0.5, 1.0])}
    model = LinearModel({FIRST: tensor([1.0], [1.0])}, {FIRST: tensor(0.0, 0.0)}, errors)
    found = solve(model, {FIRST: seen([1.0, 1.0], 1.0, 1.0)}, control)
    assert found.mean.item() == pytest.approx(4 / 9, rel=1e-14)


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (([1.0, 0.5], [0.4, 1.0]), "not symmetric"),
        (([-1.0, 0.0], [0.0, 1.0]), "negative or too few"),
        (([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]), "negative or too few"),
        (([float("nan"), 0.0], [0.0, 1.0]), "model's error"),
    ],
    ids=["not symmetric", "negative", "another size", "nan"],
)
def test_a_model_error_that_is_no_covariance_is_refused(bad, named):
    control = VectorControl(tensor(0.0), DiagonalCovariance(tensor(1.0)))
    model = LinearModel({FIRST: tensor([1.0], [1.0])}, {FIRST: tensor(0.0, 0.0)}, {FIRST: tensor(*bad)})
    with pytest.raises(DataError, match=named):
        solve(model, {FIRST: seen([1.0, 1.0], 1.0, 1.0)}, control)


def test_the_observations_can_be_given_less_weight():
    control = VectorControl(tensor(1.0), DiagonalCovariance(tensor(1.0)))
    model = LinearModel({FIRST: tensor([1.0])}, {FIRST: tensor(0.0)})
    found = solve(model, {FIRST: seen([2.0], 1.0)}, control, gamma=0.5)
    assert found.mean.item() == pytest.approx(1 + 1 / 3, rel=1e-15)
    # J/m = (1/9 + 0.5 * 4/9) / 1
    assert found.details["chi_square"] == pytest.approx(1 / 3)


def test_the_weight_can_be_left_to_the_solver():
    control = VectorControl(tensor(1.0), DiagonalCovariance(tensor(1.0)))
    model = LinearModel({FIRST: tensor([1.0])}, {FIRST: tensor(0.0)})
    found = solve(model, {FIRST: seen([4.0], 1.0)}, control, gamma="auto")
    assert found.details["gamma"] == pytest.approx(0.5)
    assert found.details["prior_cost_per_element"] == pytest.approx(1.0)


@pytest.mark.parametrize("gamma", [0.0, -1.0, "some"])
def test_a_weight_that_makes_no_sense_is_refused(gamma):
    with pytest.raises(ValidationError, match="gamma"):
        AnalyticalOptions(gamma=gamma)


def test_splitting_a_window_changes_nothing_but_rounding():
    k = torch.randn(6, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = tensor(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    whole = LinearModel({FIRST: k}, {FIRST: torch.zeros(6, dtype=torch.float64)})
    parts = LinearModel(
        {FIRST: k[:2], SECOND: k[2:]}, {w: torch.zeros(m).double() for w, m in ((FIRST, 2), (SECOND, 4))}
    )
    one = solve(whole, {FIRST: seen(y, *[0.5] * 6)})
    two = solve(parts, {FIRST: seen(y[:2], 0.5, 0.5), SECOND: seen(y[2:], *[0.5] * 4)})
    torch.testing.assert_close(one.mean, two.mean, rtol=1e-13, atol=1e-13)
    assert one.dofs == pytest.approx(two.dofs, rel=1e-13)


def test_windows_without_observations_change_no_bit():
    model = two_windows()
    model.jacobians = {**model.jacobians, THIRD: torch.zeros(0, 2, dtype=torch.float64)}
    model.windows = (FIRST, SECOND, THIRD)
    found = solve(model, {**two_seen(), THIRD: seen([])})
    assert torch.equal(found.mean, solve().mean)
    assert found.simulated[THIRD]["posterior"].shape == (0,)


def test_a_window_that_is_not_mentioned_has_no_observations():
    found = solve(observations={SECOND: seen([5.0], 1.0)})
    # only x1 + x2 is seen, d = 3: increment 3/3 each
    assert found.mean.tolist() == pytest.approx([2.0, 2.0])


def test_the_model_is_asked_only_where_something_was_seen():
    class Reluctant(LinearModel):
        def __call__(self, x, window):
            assert window == SECOND
            return super().__call__(x, window)

    base = two_windows()
    solve(Reluctant(base.jacobians, base.offsets), {SECOND: seen([5.0], 1.0)})


def test_the_jacobian_is_kept_only_when_asked_for():
    assert "jacobian" not in solve().details
    kept = solve(keep_jacobian=True).details["jacobian"]
    assert kept[SECOND].tolist() == [[1.0, 1.0]]


def test_progress_is_shown_window_by_window():
    told = []

    def progress(name, length):
        told.append((name, length))
        return lambda: told.append(name)

    Analytical(progress=progress).solve(two_windows(), UNIT, two_seen())
    assert told == [
        ("linearize", 2),
        "linearize",
        "linearize",
        ("simulate posterior", 2),
        "simulate posterior",
        "simulate posterior",
    ]


# ---------------------------------------------------------------------- building K
@pytest.mark.parametrize(
    "shape", [(0, 3), (2, 5), (5, 2), (3, 3), (BATCH + 1, BATCH + 7), (2 * BATCH + 1, 70)]
)
def test_k_is_built_exactly_whichever_way_is_shorter(shape):
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(dense(MatrixOperator(matrix)), matrix)


@pytest.mark.parametrize(("shape", "way"), [((2, 5), "adjoint"), ((5, 2), "forward"), ((3, 3), "forward")])
def test_k_is_built_from_the_side_with_fewer_columns(shape, way):
    class Watched(MatrixOperator):
        def forward(self, x):
            asked.append("forward")
            return super().forward(x)

        def adjoint(self, y):
            asked.append("adjoint")
            return super().adjoint(y)

    asked = []
    dense(Watched(torch.zeros(*shape, dtype=torch.float64)))
    assert asked == [way]


# ---------------------------------------------------------------------- faults
def test_nan_in_an_observation_is_named():
    with pytest.raises(DataError, match=r"window 2000-01-02.*observation \[0\] is nan"):
        solve(observations={**two_seen(), SECOND: seen([float("nan")], 1.0)})


def test_nan_in_the_jacobian_is_named():
    model = two_windows()
    model.jacobians = {**model.jacobians, SECOND: tensor([1.0, float("nan")])}
    model.offsets = model.offsets
    # F(xA) would be NaN too, and is checked first
    with pytest.raises(DataError, match=r"simulated observation \[0\] is nan"):
        solve(model)


def test_nan_in_the_jacobian_alone_is_named():
    class Spoilt(LinearModel):
        def linearize(self, x, window):
            return MatrixOperator(tensor([1.0, float("nan")]))

    base = two_windows()
    with pytest.raises(DataError, match=r"window 2000-01-01.*Jacobian entry \[0, 1\] is nan"):
        solve(Spoilt(base.jacobians, base.offsets))


@pytest.mark.parametrize("bad", [float("nan"), -1.0])
def test_a_model_error_that_is_no_variance_is_refused(bad):
    with pytest.raises(DataError, match="model's error"):
        solve(two_windows(errors={FIRST: tensor(bad)}))


def test_observations_without_errors_are_refused():
    with pytest.raises(DataError, match="lack their errors"):
        solve(observations={**two_seen(), FIRST: Observations(tensor(7.0), None)})


def test_no_observations_at_all_are_refused():
    with pytest.raises(DataError, match="no observations"):
        solve(observations={FIRST: seen([]), SECOND: seen([])})


def test_observations_of_an_unknown_window_are_not_dropped():
    with pytest.raises(DataError, match=r"unknown window.*model has 2"):
        solve(observations={**two_seen(), THIRD: seen([1.0], 1.0)})


def test_more_observations_than_simulations_are_refused():
    with pytest.raises(SpecError, match=r"simulates \(1,\) for observations \(2,\)"):
        solve(observations={**two_seen(), FIRST: seen([1.0, 2.0], 1.0, 1.0)})


def test_a_jacobian_of_another_control_is_refused():
    class Other(LinearModel):
        def linearize(self, x, window):
            return MatrixOperator(torch.zeros(1, 3, dtype=torch.float64))

    base = two_windows()
    with pytest.raises(SpecError, match="K is"):
        solve(Other(base.jacobians, base.offsets))


def test_errors_of_another_number_than_observations_are_refused():
    observed = replace(two_seen()[FIRST], covariance=DiagonalCovariance(tensor(1.0, 1.0)))
    with pytest.raises(DataError, match="lack their errors"):
        solve(observations={**two_seen(), FIRST: observed})

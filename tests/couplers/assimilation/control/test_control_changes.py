"""What x does to a prior: by hand, with its derivative, and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.assimilation.control import (
    Add,
    Bounded,
    Clustering,
    FieldControl,
    Lognormal,
    Per,
    PriorError,
    Scale,
)
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import ConfigError, DataError

CHANGES = [Scale(), Add(), Lognormal(), Bounded(-1.0, 3.0)]
TARGET = "soil.carbon"


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def line(n: int = 3, mask=None) -> Grid:
    mask = None if mask is None else np.array([mask], dtype=bool)
    return Grid.latlon([0.5], np.arange(n) + 0.5, lat_bounds=[0.0, 1.0], mask=mask)


def control(change, values, per=Per.CELL, mask=None, sigma=0.5) -> FieldControl:
    field = tensor(*values)
    grid = line(field.shape[-1], mask)
    return FieldControl(TARGET, field, Layout(grid), Clustering(per), PriorError(sigma), change)


def test_each_change_by_hand():
    p, x = tensor(2.0), tensor(0.5)
    assert Scale().outward(p, x).item() == 1.0
    assert Add().outward(p, x).item() == 2.5
    assert Lognormal().outward(p, x).item() == pytest.approx(2 * math.exp(0.5))
    # (2 - -1) / (3 - 2) = 3: logit ln 3; the logistic of ln 3 + x is 3 e^x / (1 + 3 e^x)
    expected = -1 + 4 * 3 * math.exp(0.5) / (1 + 3 * math.exp(0.5))
    assert Bounded(-1.0, 3.0).outward(p, x).item() == pytest.approx(expected)


@pytest.mark.parametrize("change", CHANGES)
def test_the_neutral_x_leaves_the_prior_as_it_is(change):
    found = control(change, [0.5, 1.0, 2.5])
    assert found.prior.tolist() == [change.neutral] * 3
    assert found.to_fields(found.prior)[TARGET].tolist() == pytest.approx([0.5, 1.0, 2.5], rel=1e-15)


@pytest.mark.parametrize("change", CHANGES)
def test_the_derivative_is_that_of_torch(change):
    p, x = tensor(0.5, 1.0, 2.5), tensor(0.3, -0.7, 2.0).requires_grad_()
    change.outward(p, x).sum().backward()
    torch.testing.assert_close(change.derivative(p, x.detach()), x.grad)


@pytest.mark.parametrize("change", CHANGES)
def test_a_field_comes_back_from_the_space_without_bounds(change):
    field = tensor(0.5, 1.0, 2.5)
    torch.testing.assert_close(change.outward_field(change.inward(field)), field)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-30, 30), min_size=3, max_size=3))
def test_bounds_hold_whatever_x_is(x):
    field = control(Bounded(0.0, 1.0), [0.1, 0.5, 0.9]).to_fields(tensor(*x))[TARGET]
    assert bool(((field >= 0) & (field <= 1)).all())
    assert bool((control(Lognormal(), [0.1, 0.5, 0.9]).to_fields(tensor(*x))[TARGET] > 0).all())


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("per", [Per.CELL, Per.TOTAL])
def test_a_control_of_any_change_has_its_exact_derivative(change, per):
    found = control(change, [0.5, 1.0, 2.5], per)
    x = found.prior + 0.3 * torch.arange(1.0, 1 + len(found.prior)).double()
    expected = torch.autograd.functional.jacobian(
        lambda at: found.change.outward(found.field, at[found.labels]), x
    )
    operator, identity = found.linearize(x), torch.eye(len(x), dtype=torch.float64)
    torch.testing.assert_close(operator.forward(identity).T, expected)
    assert dot_test(operator, batch=(2,)) <= 1e-15


@pytest.mark.parametrize("change", CHANGES)
def test_gradients_flow_through_the_fields(change):
    found = control(change, [0.5, 1.0, 2.5], Per.TOTAL)
    x = (found.prior + 0.2).requires_grad_()
    found.to_fields(x)[TARGET].sum().backward()
    expected = found.linearize(x.detach()).adjoint(torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(x.grad, expected)


def test_a_batch_of_members_is_changed_member_by_member():
    found = control(Lognormal(), [0.5, 1.0, 2.5])
    x = tensor([0.0, 0.1, 0.2], [1.0, -1.0, 0.5])
    both = found.to_fields(x)[TARGET]
    assert both.shape == (2, 3)
    assert torch.equal(both[1], found.to_fields(x[1])[TARGET])


# ---------------------------------------------------------------------- what is uncertain
def test_one_sigma_of_the_field_follows_the_change():
    variance = tensor(0.04, 0.04, 0.04)
    x = tensor(0.0, 0.0, 0.0)
    lognormal, add = control(Lognormal(), [0.5, 1.0, 2.0]), control(Add(), [0.5, 1.0, 2.0])
    assert lognormal.sigma(x, variance)[TARGET].tolist() == pytest.approx([0.1, 0.2, 0.4])
    assert add.sigma(x, torch.diag(variance))[TARGET].tolist() == pytest.approx([0.2, 0.2, 0.2])
    # (b - a) s (1 - s) with s = 1/2 in the middle of (-1, 3) is 1
    bounded = control(Bounded(-1.0, 3.0), [1.0, 1.0, 1.0])
    assert bounded.sigma(x, variance)[TARGET].tolist() == pytest.approx([0.2, 0.2, 0.2])


# ---------------------------------------------------------------------- cells that stay as they are
def test_masked_cells_keep_what_they_hold():
    nothing = float("nan")
    found = control(Bounded(0.0, 1.0), [0.5, nothing, 0.5], mask=[1, 0, 1])
    assert found.labels.tolist() == [0, -1, 1]
    field = found.to_fields(tensor(1.0, -1.0))[TARGET]
    assert field.isnan().tolist() == [False, True, False]
    assert found.linearize(found.prior).forward(tensor(1.0, 1.0)).tolist() == pytest.approx([0.25, 0.0, 0.25])


def test_gradients_pass_masked_cells_by():
    found = control(Lognormal(), [0.5, float("nan"), 0.5], Per.TOTAL, mask=[1, 0, 1])
    x = found.prior.clone().requires_grad_()
    found.to_fields(x)[TARGET][[0, 2]].sum().backward()
    assert x.grad.tolist() == [1.0]


def test_cells_of_no_region_keep_their_prior():
    grid, regions = line(), [0, -1, 0]
    field = tensor(1.0, 2.0, 3.0)
    found = FieldControl(TARGET, field, Layout(grid), Clustering(Per.REGION, regions=regions))
    assert found.to_fields(tensor(2.0))[TARGET].tolist() == [2.0, 2.0, 6.0]


def test_zero_stays_zero_where_factors_act_and_moves_where_x_is_added():
    assert control(Lognormal(), [0.0, 1.0, 1.0]).labels.tolist() == [-1, 0, 1]
    assert control(Add(), [0.0, -1.0, 1.0]).labels.tolist() == [0, 1, 2]


# ---------------------------------------------------------------------- refused
@pytest.mark.parametrize(
    ("change", "values", "message"),
    [
        (Lognormal(), [1.0, -1.0, 1.0], r"negative \(-1.0\) in cell 1"),
        (Lognormal(), [0.0, 0.0, 0.0], "nothing to scale"),
        (Bounded(0.0, 1.0), [0.5, 1.0, 0.5], r"not inside \(0, 1\) \(1.0\) in cell 1"),
        (Bounded(0.0, 1.0), [0.0, 0.5, 0.5], r"not inside \(0, 1\) \(0.0\) in cell 0"),
        (Add(), [0.0, 1.0, float("inf")], r"not finite \(inf\) in cell 2"),
        (Add(), [[0.0, 1.0, 0.0], [0.0, float("nan"), 0.0]], r"not finite \(nan\) in cell 1 of level 1"),
    ],
)
def test_a_prior_from_which_a_change_cannot_start_is_refused(change, values, message):
    with pytest.raises(DataError, match=message):
        control(change, values)


@pytest.mark.parametrize("bounds", [(1.0, 0.0), (0.0, 0.0), (0.0, math.inf), (math.nan, 1.0)])
def test_bounds_hold_something_between_them(bounds):
    with pytest.raises(ConfigError, match="nothing between"):
        Bounded(*bounds)


@pytest.mark.parametrize(
    ("change", "values"),
    [(Lognormal(), [1.0, 0.0]), (Bounded(0.0, 1.0), [0.5, 1.0]), (Lognormal(), [math.nan])],
)
def test_a_field_outside_of_its_space_cannot_be_brought_in(change, values):
    with pytest.raises(DataError, match="a value is not"):
        change.inward(tensor(*values))

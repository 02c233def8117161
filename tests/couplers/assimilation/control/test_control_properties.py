"""What holds for any control: of any change, any elements, any levels, any mask."""

from __future__ import annotations

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
from tradewind.couplers.assimilation.covariance import dense
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import DataError, SpecError

TARGET = "a.b"
ROWS, COLUMNS = 3, 4


@st.composite
def controls(draw) -> FieldControl:
    """Draw a control of 12 cells, of which at least one is active, with up to two axes of levels."""
    mask = draw(st.lists(st.booleans(), min_size=12, max_size=12).filter(any))
    grid = Grid.latlon([9.5, 10.5, 11.5], [-0.5, 0.5, 1.5, 2.5], mask=np.reshape(mask, (ROWS, COLUMNS)))
    extra = draw(st.sampled_from([(), (2,), (2, 3)]))
    stream = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    field = 0.1 + 0.8 * torch.rand(*extra, 12, generator=stream, dtype=torch.float64)
    per = draw(st.sampled_from(list(Per)))
    regions = draw(st.permutations([0, 0, 0, 4, 4, 4, 7, 7, 7, 9, 9, 9]))
    change = draw(st.sampled_from([Scale(), Add(), Lognormal(), Bounded(0.0, 1.0)]))
    error = PriorError(draw(st.sampled_from([0.1, 2.0])), draw(st.sampled_from([None, 50.0])))
    return FieldControl(TARGET, field, Layout(grid), Clustering(per, 2.0, regions), error, change)


def near(found: FieldControl, seed: int) -> torch.Tensor:
    stream = torch.Generator().manual_seed(seed)
    return found.prior + 0.5 * torch.randn(len(found.prior), generator=stream, dtype=torch.float64)


ANY = {"max_examples": 25, "deadline": None}


@settings(**ANY)
@given(controls())
def test_the_prior_stands_for_the_prior_field(found):
    field = found.to_fields(found.prior)[TARGET]
    torch.testing.assert_close(field.reshape(-1), found.field, rtol=1e-14, atol=0.0)


@settings(**ANY)
@given(controls())
def test_there_are_a_name_a_place_and_a_variance_for_every_element(found):
    n = len(found.prior)
    assert len(found.names) == len(set(found.names)) == n
    assert [part.shape for part in found.places] == [(n,), (n,)]
    assert found.covariance.size == n
    assert sorted(set(found.labels.reshape(-1).tolist()) - {-1}) == list(range(n))


@settings(**ANY)
@given(controls(), st.integers(0, 99))
def test_cells_that_belong_to_no_element_never_change(found, seed):
    left_out = found.labels.reshape(-1) < 0
    field = found.to_fields(near(found, seed))[TARGET].reshape(-1)
    assert torch.equal(field[left_out], found.field[left_out])
    assert not found.linearize(found.prior).forward(near(found, seed))[left_out].any()


@settings(**ANY)
@given(controls(), st.integers(0, 99))
def test_the_derivative_is_that_of_the_fields_and_its_adjoint_exact(found, seed):
    x, step = near(found, seed), near(found, seed + 1)
    _, expected = torch.autograd.functional.jvp(lambda at: found.to_fields(at)[TARGET], x, step)
    operator = found.linearize(x)
    torch.testing.assert_close(operator.forward(step), expected.reshape(-1), rtol=1e-12, atol=1e-13)
    assert dot_test(operator, seed, (2,)) <= 1e-14


@settings(**ANY)
@given(controls(), st.integers(0, 99))
def test_one_sigma_of_a_cell_is_what_the_derivative_makes_of_the_covariance(found, seed):
    x = near(found, seed)
    J = found.linearize(x).forward(torch.eye(len(x), dtype=torch.float64)).T
    covariance = dense(found.covariance)
    expected = (J @ covariance @ J.T).diagonal().sqrt()
    torch.testing.assert_close(found.sigma(x, covariance)[TARGET].reshape(-1), expected)


@settings(**ANY)
@given(controls(), st.integers(0, 99))
def test_members_do_not_meet(found, seed):
    x = torch.stack([near(found, seed), near(found, seed + 1), found.prior])
    together = found.to_fields(x)[TARGET]
    for member, one in zip(together, x, strict=True):
        assert torch.equal(member, found.to_fields(one)[TARGET])


@settings(**ANY)
@given(controls())
def test_no_members_are_an_empty_batch(found):
    empty = found.to_fields(found.prior[None][:0])[TARGET]
    assert empty.shape == (0, *found.support.shape)


# ---------------------------------------------------------------------- broken on purpose
@pytest.mark.parametrize("per", [Per.CELL, Per.SITE, Per.CLUSTER, Per.TOTAL])
def test_a_grid_without_an_active_cell_has_nothing_to_change(per):
    grid = Grid.latlon([0.5, 1.5], [0.5, 1.5], mask=np.zeros((2, 2), dtype=bool))
    field = torch.ones(4, dtype=torch.float64)
    with pytest.raises(DataError, match="no region holds a cell that can change"):
        FieldControl(TARGET, field, Layout(grid), Clustering(per), change=Add())


def test_a_field_without_an_axis_of_cells_is_refused():
    layout = Layout(Grid.points([0.0], [0.0]))
    with pytest.raises(SpecError, match="an axis of cells"):
        FieldControl(TARGET, torch.tensor(1.0), layout)


@pytest.mark.parametrize("bad", [torch.ones(3), torch.ones(5).double(), torch.ones(2, 3).double()])
def test_an_x_that_does_not_belong_is_refused(bad):
    layout = Layout(Grid.points([0.0, 1.0], [0.0, 0.0]))
    found = FieldControl(TARGET, torch.ones(2, dtype=torch.float64), layout, Clustering(Per.CELL))
    with pytest.raises(SpecError, match="float64 of shape"):
        found.to_fields(bad)


def test_single_precision_priors_become_double():
    layout = Layout(Grid.points([0.0, 1.0], [0.0, 0.0]))
    found = FieldControl(TARGET, torch.ones(2), layout, Clustering(Per.CELL))
    assert found.to_fields(found.prior)[TARGET].dtype == torch.float64

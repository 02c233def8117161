"""Reading a field at places."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tradewind.couplers.assimilation.sampling import SamplingOperator, bilinear_cells, containing_cells
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import GridError, SpecError
from tradewind.testing import OperatorConformance

GLOBE = Grid.latlon(np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10))


def square() -> Grid:
    """Cells of one degree from 100 to 102 W and 30 to 32 N: 0 1 in the south, 2 3 in the north."""
    return Grid.latlon([30.5, 31.5], [-101.5, -100.5])


def where(matrix) -> list[int]:
    """Return the column of each row's single entry, -1 for an empty row."""
    return [int(matrix[[i]].indices[0]) if matrix[[i]].nnz else -1 for i in range(matrix.shape[0])]


class TestSamplingConforms(OperatorConformance):
    def operator(self):
        return SamplingOperator(
            bilinear_cells(square(), *places((-101.2, 30.7), (-100.9, 31.2))), Layout(square())
        )


def places(*pairs):
    return tuple(np.array(axis, dtype=float) for axis in zip(*pairs, strict=True))


def test_each_place_reads_the_cell_that_holds_it():
    lon, lat = places((-101.9, 30.1), (-100.1, 30.9), (-101.1, 31.9), (-100.9, 31.1))
    assert where(containing_cells(square(), lon, lat)) == [0, 1, 2, 3]


@pytest.mark.parametrize("shift", [0, 360, -360])
def test_longitudes_of_any_convention_mean_the_same_place(shift):
    lon, lat = places((-101.9, 30.1), (-100.1, 30.9))
    assert where(containing_cells(square(), lon + shift, lat)) == [0, 1]


def test_a_place_outside_reads_nothing():
    lon, lat = places((-102.1, 30.5), (-99.9, 30.5), (-101.5, 29.9), (-101.5, 32.1), (78.5, -30.5))
    assert where(containing_cells(square(), lon, lat)) == [-1] * 5


def test_a_place_on_an_edge_reads_the_first_of_its_cells():
    lon, lat = places((-101.0, 30.5), (-101.0, 31.5))
    assert where(containing_cells(square(), lon, lat)) == [0, 2]


def test_an_inactive_cell_is_not_read():
    grid = Grid.latlon([30.5, 31.5], [-101.5, -100.5], mask=[[True, False], [True, True]])
    assert where(containing_cells(grid, *places((-100.5, 30.5), (-101.5, 30.5)))) == [-1, 0]


def test_the_poles_and_the_date_line_belong_to_cells():
    grid = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(-165.0, 180, 30))
    found = where(containing_cells(grid, *places((10.0, 89.9), (180.0, 10.0), (-179.9, -89.9))))
    assert -1 not in found
    assert found[0] // 12 == 5
    assert found[2] == 0


@settings(max_examples=50, deadline=None)
@given(st.floats(-180, 180), st.floats(-89, 89))
def test_every_place_on_a_global_grid_is_in_a_cell_near_by(lon, lat):
    (cell,) = where(containing_cells(GLOBE, np.array([lon]), np.array([lat])))
    assert cell >= 0
    # sides are great circles, which bulge beyond the parallel by less than a degree here
    assert abs(GLOBE.lat[cell] - lat) <= 5.5
    assert abs((GLOBE.lon[cell] - lon + 180) % 360 - 180) <= 5 + 1e-6


def test_half_way_between_four_centres_each_counts_a_quarter():
    # about the equator, where rows are equally long
    grid = Grid.latlon([-0.5, 0.5], [-101.5, -100.5])
    found = bilinear_cells(grid, *places((-101.0, 0.0)))
    assert found.toarray()[0].tolist() == pytest.approx([0.25] * 4, abs=1e-14)


def test_bilinear_reads_nothing_beyond_the_outermost_centres():
    found = bilinear_cells(square(), *places((-101.9, 31.0), (-101.0, 31.0)))
    assert np.diff(found.indptr).tolist() == [0, 4]


@pytest.mark.parametrize("sample", [containing_cells, bilinear_cells])
def test_no_places_give_no_rows(sample):
    assert sample(square(), np.zeros(0), np.zeros(0)).shape == (0, 4)


def test_points_have_no_cells_to_be_in():
    with pytest.raises(GridError, match="corners"):
        containing_cells(Grid.points([0.0], [0.0]), np.zeros(1), np.zeros(1))


def test_samples_and_their_adjoint_by_hand():
    rows = sparse.csr_array(np.array([[0.0, 1.0, 0.0, 0.0], [0.5, 0.0, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0]]))
    h = SamplingOperator(rows, Layout(square()))
    assert h.forward(torch.tensor([1.0, 2.0, 3.0, 4.0]).double()).tolist() == [2.0, 2.0, 0.0]
    assert h.adjoint(torch.tensor([10.0, 1.0, 7.0]).double()).tolist() == [0.5, 10.0, 0.5, 0.0]


def test_a_gap_in_the_field_shows_only_where_it_is_read():
    rows = sparse.csr_array(np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]))
    h = SamplingOperator(rows, Layout(square()))
    found = h.forward(torch.tensor([float("nan"), 2.0, float("nan"), 4.0]).double())
    assert found.isnan().tolist() == [False, True]


def test_an_operator_without_rows_works():
    h = SamplingOperator(sparse.csr_array((0, 4)), Layout(square()))
    assert h.forward(torch.ones(3, 4).double()).shape == (3, 0)
    assert h.adjoint(torch.ones(3, 0).double()).tolist() == [[0.0] * 4] * 3


def test_rows_of_another_grid_are_refused():
    with pytest.raises(SpecError, match="3 columns for 4 cells"):
        SamplingOperator(sparse.csr_array((2, 3)), Layout(square()))


def test_a_field_with_levels_is_read_level_by_level():
    # level 0 of cell 1, and the sum of both levels of cell 2
    rows = sparse.csr_array(np.array([[0.0, 1, 0, 0, 0, 0, 0, 0], [0.0, 0, 1, 0, 0, 0, 1, 0]]))
    h = SamplingOperator(rows, Layout(square()), (2,))
    field = torch.tensor([[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]]).double()
    assert h.forward(field.reshape(-1)).tolist() == [2.0, 33.0]
    assert h.adjoint(torch.tensor([5.0, 7.0]).double()).tolist() == [0, 5, 7, 0, 0, 0, 7, 0]


def test_rows_that_pick_one_cell_each_copy_it_in_any_order():
    h = SamplingOperator(sparse.csr_array(np.eye(4)[[2, 0, 2]]), Layout(square()))
    batch = torch.arange(8.0).double().reshape(2, 4)
    assert h.forward(batch).tolist() == [[2.0, 0.0, 2.0], [6.0, 4.0, 6.0]]
    assert h.adjoint(torch.ones(3).double()).tolist() == [1.0, 0.0, 2.0, 0.0]


def test_rows_of_another_size_are_refused():
    with pytest.raises(SpecError, match="H has 4 columns for 8 cells"):
        SamplingOperator(sparse.csr_array((1, 4)), Layout(square()), (2,))

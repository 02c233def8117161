"""Scale factors of a field: which cells share one, and how uncertain they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.assimilation.control import Clustering, Per, PriorError, ScaledField
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import ConfigError, DataError, SpecError

TARGET = "inventory.methane_flux"


def line() -> Grid:
    """Four cells of one degree along the equator: 0.5, 1.5, 2.5 and 3.5 E."""
    return Grid.latlon([0.5], [0.5, 1.5, 2.5, 3.5], lat_bounds=[0.0, 1.0])


def control(values, clustering=None, error=None, grid=None) -> ScaledField:
    field = torch.tensor(values, dtype=torch.float64)
    return ScaledField(TARGET, field, Layout(grid or line()), clustering, error)


def test_every_emitting_cell_is_an_element_of_its_own():
    found = control([3.0, 0.0, 2.0, 1.0], Clustering(Per.CELL))
    assert found.labels.tolist() == [0, -1, 1, 2]
    assert found.names == ("0.5N 0.5E", "0.5N 2.5E", "0.5N 3.5E")


def test_one_element_scales_everything():
    found = control([3.0, 0.0, 2.0, 1.0], Clustering(Per.TOTAL))
    assert found.labels.tolist() == [0, -1, 0, 0]
    assert found.names == ("total",)


def test_tiles_of_two_degrees_hold_two_cells_each():
    found = control([3.0, 1.0, 2.0, 1.0], Clustering(Per.CLUSTER, tile=2.0))
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert found.names == ("tile 0N 0E", "tile 0N 2E")


def test_a_tile_without_emission_is_no_element():
    assert control([0.0, 0.0, 2.0, 1.0], Clustering(tile=2.0)).labels.tolist() == [-1, -1, 0, 0]


def test_tiles_are_ordered_from_south_to_north_then_eastwards():
    grid = Grid.latlon([-0.5, 0.5], [-0.5, 0.5])
    found = control([1.0, 1.0, 1.0, 1.0], Clustering(tile=1.0), grid=grid)
    # 359.5 E comes behind 0.5 E
    assert found.labels.tolist() == [1, 0, 3, 2]
    assert found.names[1] == "tile 1S 1W"


@pytest.mark.parametrize("shift", [0.0, 360.0, -360.0])
def test_tiles_do_not_depend_on_the_longitude_convention(shift):
    lon = np.arange(-104.75, -100, 0.5)
    ones = torch.ones(3 * len(lon), dtype=torch.float64)
    plain = ScaledField(TARGET, ones, Layout(Grid.latlon([30.25, 30.75, 31.25], lon)))
    shifted = ScaledField(TARGET, ones, Layout(Grid.latlon([30.25, 30.75, 31.25], lon + shift)))
    assert torch.equal(plain.labels, shifted.labels)
    assert plain.names == shifted.names


def test_regions_are_what_the_user_says():
    found = control([3.0, 1.0, 2.0, 1.0], Clustering(Per.REGION, regions=[[7, -5, 2, 7]]))
    assert found.labels.tolist() == [1, -1, 0, 1]
    assert found.names == ("region 2", "region 7")


def test_a_region_without_emission_is_no_element():
    assert control([0.0, 1.0, 0.0, 1.0], Clustering(Per.REGION, regions=[0, 1, 0, 2])).names == (
        "region 1",
        "region 2",
    )


def test_the_prior_is_one_and_stands_for_the_prior_field():
    found = control([3.0, 0.0, 2.0, 1.0])
    assert torch.equal(found.prior, torch.ones(2, dtype=torch.float64))
    assert found.to_fields(found.prior)[TARGET].tolist() == [3.0, 0.0, 2.0, 1.0]


def test_factors_scale_the_cells_of_their_element():
    found = control([3.0, 0.0, 2.0, 1.0])
    x = torch.tensor([[2.0, 10.0], [0.0, -1.0]], dtype=torch.float64)
    assert found.to_fields(x)[TARGET].tolist() == [[6.0, 0.0, 20.0, 10.0], [0.0, 0.0, -2.0, -1.0]]


def test_the_derivative_adds_up_the_cells_of_each_element():
    # (3*1 + 0*1, 2*5 + 1*7)
    operator = control([3.0, 0.0, 2.0, 1.0]).linearize(torch.zeros(2))
    assert operator.adjoint(torch.tensor([1.0, 1.0, 5.0, 7.0], dtype=torch.float64)).tolist() == [3.0, 17.0]


def test_fields_carry_gradients():
    found = control([3.0, 0.0, 2.0, 1.0])
    x = found.prior.clone().requires_grad_()
    found.to_fields(x)[TARGET].sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(0, 1e6), min_size=12, max_size=12).filter(any),
    st.sampled_from([Clustering(p, tile=t, regions=list(range(12))) for p in Per for t in (0.7, 1.0, 3.0)]),
)
def test_any_control_keeps_the_prior_and_has_an_exact_adjoint(values, clustering):
    grid = Grid.latlon([9.5, 10.5, 11.5], [-0.5, 0.5, 1.5, 2.5])
    found = control(values, clustering, grid=grid)
    assert found.to_fields(found.prior)[TARGET].tolist() == values
    assert dot_test(found.linearize(found.prior), batch=(2,)) <= 1e-14
    assert sorted(set(found.labels.tolist()) - {-1}) == list(range(len(found.names)))


def test_independent_errors_are_a_diagonal():
    found = control([1.0, 1.0, 1.0, 1.0], Clustering(Per.CELL), PriorError(0.5))
    assert isinstance(found.covariance, DiagonalCovariance)
    assert found.covariance.diagonal().tolist() == [0.25] * 4


def test_correlation_falls_with_the_distance_of_the_centres():
    grid = Grid.points([10.0, 11.0], [0.0, 0.0])
    found = control([1.0, 2.0], Clustering(Per.CELL), PriorError(0.5, correlation_km=100.0), grid)
    # a degree on a sphere of 6371 km is 6371 * pi / 180 = 111.1949 km
    expected = 0.25 * np.exp(-111.19492664455873 / 100.0)
    assert found.covariance.matrix[0, 1].item() == pytest.approx(expected, rel=1e-12)
    assert found.covariance.diagonal().tolist() == [0.25, 0.25]


def test_the_centre_of_an_element_lies_where_it_emits():
    # cells 0, 1 emit 1:0 and cells 2, 3 emit 0:1: the centres are 0.5 and 3.5 E, 3 degrees apart
    grid = Grid.latlon([0.0], [0.5, 1.5, 2.5, 3.5], lat_bounds=[-0.5, 0.5])
    found = control([1.0, 0.0, 0.0, 1.0], Clustering(tile=2.0), PriorError(1.0, correlation_km=1000.0), grid)
    assert -1000 * np.log(found.covariance.matrix[0, 1].item()) == pytest.approx(3 * 111.19492664455873)


def test_an_element_around_the_globe_has_no_centre_to_measure_from():
    grid = Grid.latlon([0.0], [0.0, 90.0, 180.0, 270.0], lat_bounds=[-10.0, 10.0])
    with pytest.raises(DataError, match="total surrounds the globe"):
        control([1.0] * 4, Clustering(Per.TOTAL), PriorError(0.5, 100.0), grid)


@pytest.mark.parametrize("error", [PriorError(0.3), PriorError(0.3, correlation_km=200.0)])
def test_the_square_root_squares_to_the_covariance(error):
    found = control([3.0, 1.0, 2.0, 1.0], Clustering(Per.CELL), error)
    root, identity = found.sqrt_covariance(), torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(root.forward(root.adjoint(identity)), found.covariance.apply(identity))
    assert dot_test(root) <= 1e-15


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, -2.0, 0.0, 0.0], r"negative \(-2.0\) in cell 1"),
        ([1.0, 2.0, float("nan"), 0.0], r"not finite \(nan\) in cell 2"),
        ([0.0, 0.0, 0.0, 0.0], "nothing to scale"),
        ([1.0, 2.0], r"shape \(2,\) on 4 cells"),
    ],
)
def test_a_prior_that_cannot_be_scaled_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        control(values)


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ([1, 2, 3], "3 labels for 4 cells"),
        ([0.5, 1.0, 2.0, 3.0], "labels are float64"),
        ([-1, -1, -1, -1], "no region holds a cell"),
    ],
)
def test_regions_that_do_not_fit_are_refused(regions, message):
    with pytest.raises(DataError, match=message):
        control([1.0, 1.0, 1.0, 1.0], Clustering(Per.REGION, regions=regions))


def test_regions_must_be_given():
    with pytest.raises(ConfigError, match="no regions"):
        Clustering(Per.REGION)


@pytest.mark.parametrize("tile", [0.0, -1.0, 181.0, float("nan")])
def test_a_tile_must_have_a_size(tile):
    with pytest.raises(ConfigError, match="tile"):
        Clustering(tile=tile)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_prior_errors_must_be_positive(bad):
    with pytest.raises(ConfigError, match="error is"):
        PriorError(bad)
    with pytest.raises(ConfigError, match="correlation length is"):
        PriorError(0.5, bad)


def test_factors_of_the_wrong_number_are_refused():
    with pytest.raises(SpecError, match="shape"):
        control([3.0, 0.0, 2.0, 1.0]).to_fields(torch.ones(3, dtype=torch.float64))

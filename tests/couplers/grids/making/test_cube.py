"""The cubed sphere: known corners, six equal faces, and the C12 of ESMF's reference weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid, GridKind, topology
from tradewind.errors import GridError


def test_the_cube_itself():
    grid = Grid.cubed_sphere(1)
    assert (grid.kind, grid.shape) == (GridKind.MESH, (6,))
    assert grid.area == pytest.approx(np.full(6, 4 * np.pi / 6), rel=1e-14)
    # corners of a cube stand at 45 degrees and at arctan(1 / sqrt 2)
    assert grid.lon_corners[0].tolist() == [315, 45, 45, 315]
    assert grid.lat_corners[0] == pytest.approx([-35.26438968, -35.26438968, 35.26438968, 35.26438968])
    assert grid.lat[[4, 5]].tolist() == [90, -90]


def test_faces_follow_the_equator_eastwards():
    assert Grid.cubed_sphere(1).lon[:4].tolist() == [0, 90, 180, 270]


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 12))
def test_cells_cover_the_sphere_and_share_their_nodes(n):
    grid = Grid.cubed_sphere(n)
    assert grid.area.sum() == pytest.approx(4 * np.pi, rel=1e-13)
    # Euler: V = E - F + 2 with E = 2 F
    assert int(topology.node_numbers(grid.corners).max()) + 1 == grid.size + 2


def test_nodes_of_neighbouring_faces_have_the_same_digits():
    grid = Grid.cubed_sphere(5)
    places = grid.lon_corners + 1j * grid.lat_corners
    assert len(np.unique(places)) == grid.size + 2


def test_cells_touch_across_the_edges_of_the_cube():
    # the middle cell of the eastern edge of face 0 touches three of face 1
    near = Grid.cubed_sphere(3).neighbours(np.array([5]))
    assert near.tolist() == [1, 2, 4, 5, 7, 8, 9, 12, 15]


@pytest.mark.shared
def test_it_is_the_grid_of_the_reference_weights(shared):
    path = shared / "reference" / "esmf_weights" / "e_C12_to_5_conserve_dstarea.nc"
    theirs, ours = Grid.from_map_file(path), Grid.cubed_sphere(12)
    assert np.abs(theirs.corners - ours.corners).max() < 1e-14
    assert np.abs(theirs.centres - ours.centres).max() < 1e-14


@pytest.mark.parametrize("n", [0, -2, 1.5, 20_000])
def test_bad_numbers_of_cells(n):
    with pytest.raises(GridError, match="cells along the edges of a cube"):
        Grid.cubed_sphere(n)


def test_masks_and_areas_fit_all_cells():
    with pytest.raises(GridError, match=r"cubed sphere C2 mask: shape \(4,\) is not the grid's \(24,\)"):
        Grid.cubed_sphere(2, mask=np.ones(4))
    assert (Grid.cubed_sphere(2, area=np.full(24, 0.5)).area == 0.5).all()

"""A grid in the terms of ESMF: nodes between cells, and each rank's share of a mesh."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tradewind.couplers.esmf_shapes import Share, mesh_share, node_coordinates
from tradewind.couplers.grids import Grid


def test_nodes_of_a_regional_grid(box):
    lon, lat = node_coordinates(box)
    assert lon[0].tolist() == [-110, -108, -106, -104, -102, -100, -98, -96]
    assert lat[:, 0].tolist() == [26, 28, 30, 32, 34, 36, 38]


def test_nodes_of_a_global_grid_are_not_closed_twice(coarse):
    lon, lat = node_coordinates(coarse)
    assert lon.shape == (7, 12)
    assert lat[:, 5].tolist() == [-90, -60, -30, 0, 30, 60, 90]


def test_nodes_of_a_grid_from_north_to_south(finer):
    _, lat = node_coordinates(finer)
    assert lat[:, 0].tolist() == [90, 70, 50, 30, 10, -10, -30, -50, -70, -90]


def test_nodes_of_a_curvilinear_grid_are_its_corners(rotated):
    lon, lat = node_coordinates(rotated)
    again = Grid.curvilinear(rotated.lon.reshape(8, 10), rotated.lat.reshape(8, 10), lon, lat)
    assert again == rotated


def test_cells_that_share_no_corners_have_no_nodes():
    lon, lat = np.array([[0.5, 5.5]]), np.array([[0.5, 0.5]])
    apart = Grid.curvilinear(lon, lat, [[[0, 1, 1, 0], [5, 6, 6, 5]]], [[[0, 0, 1, 1]] * 2])
    assert node_coordinates(apart) is None


def test_a_grid_without_corners_has_no_nodes():
    lon, lat = np.meshgrid([0.0, 1.0], [0.0, 1.0])
    assert node_coordinates(Grid.curvilinear(lon, lat)) is None


@pytest.mark.parametrize(("n", "size"), [(10, 1), (10, 3), (7, 7), (2, 3), (0, 2)])
def test_the_shares_of_all_ranks_are_all_cells_once(n, size):
    dealt = np.concatenate([Share(rank, size).cells(n) for rank in range(size)])
    assert dealt.tolist() == list(range(n))


@pytest.mark.parametrize(("n", "size"), [(10, 1), (10, 3), (7, 7), (2, 3)])
def test_the_owner_of_a_cell_is_the_rank_whose_share_it_is_in(n, size):
    for rank in range(size):
        share = Share(rank, size)
        assert np.flatnonzero(share.owner(n) == rank).tolist() == share.cells(n).tolist()


@pytest.fixture
def mesh() -> Grid:
    """Three squares in a row and a triangle at the end: nodes 0..3 below, 4..7 above, 8 at the tip."""
    lon = [0.0, 1, 2, 3, 0, 1, 2, 3, 4]
    lat = [0.0, 0, 0, 0, 1, 1, 1, 1, 0.5]
    return Grid.mesh(lon, lat, [[0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 8, 7, -1]])


def test_one_rank_gives_the_whole_mesh(mesh):
    whole = mesh_share(mesh, Share())
    assert whole.cells.tolist() == [0, 1, 2, 3]
    assert len(whole.nodes) == 9
    assert whole.corners.tolist() == [4, 4, 4, 3]
    assert set(whole.owners) == {0}


def test_connections_lead_to_the_corners_of_the_cells(mesh):
    share = mesh_share(mesh, Share(1, 2))
    assert share.cells.tolist() == [2, 3]
    square, triangle = np.split(share.lon_lat[share.connections], [4])
    assert sorted(map(tuple, square)) == [(2, 0), (2, 1), (3, 0), (3, 1)]
    assert sorted(map(tuple, triangle)) == [(3, 0), (3, 1), (4, 0.5)]


def test_every_node_has_one_owner_and_its_owner_has_it(mesh):
    shares = [mesh_share(mesh, Share(rank, 3)) for rank in range(3)]
    owner = {}
    for share in shares:
        for node, rank in zip(share.nodes, share.owners, strict=True):
            assert owner.setdefault(node, rank) == rank
    assert len(owner) == 9
    for node, rank in owner.items():
        assert node in shares[rank].nodes


def test_a_node_between_two_ranks_belongs_to_the_first(mesh):
    second = mesh_share(mesh, Share(1, 2))
    at_two = second.lon_lat[:, 0] == 2
    assert at_two.sum() == 2
    assert set(second.owners[at_two]) == {0}
    assert set(second.owners[~at_two]) == {1}


def test_a_rank_without_cells_gives_nothing(mesh):
    none = mesh_share(mesh, Share(0, 5))
    assert len(none.cells) == len(none.nodes) == len(none.connections) == 0


def test_a_cell_that_rounding_makes_a_line_is_left_out(mesh):
    lon, lat = mesh.lon_corners.copy(), mesh.lat_corners.copy()
    lon[1], lat[1] = [1.0, 2.0, 2.0, 1.0], [0.0, 0.0, 1e-12, 1e-12]
    places = replace(mesh.places, lon_corners=lon, lat_corners=lat)
    thin = replace(mesh, places=places)
    assert mesh_share(thin, Share()).cells.tolist() == [0, 2, 3]
    # its nodes belong to those who have cells there, not to the rank that would have given it
    second = mesh_share(thin, Share(1, 2))
    assert second.cells.tolist() == [2, 3]
    assert set(second.owners) == {1}

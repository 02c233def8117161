"""Clusters in and around a region of interest, and cells near the edge that are left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.assimilation.control import Add, Clustering, Clusters, FieldControl, Per, ScaledField
from tradewind.couplers.assimilation.control.clusters import cluster_keys, sphere_means
from tradewind.couplers.assimilation.control.elements import near_edge
from tradewind.couplers.grids import Grid
from tradewind.couplers.grids.sphere import unit_vectors
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import ConfigError, DataError

GRID = Grid.latlon(np.arange(30.5, 36), np.arange(-105.5, -97))
"""Six rows of nine cells of one degree."""
INSIDE = ((np.abs(GRID.lat - 33) < 1) & (np.abs(GRID.lon + 101.5) < 1.1)).astype(bool)
"""Two rows of three cells in the middle."""


def control(clusters, prior=None, **more) -> ScaledField:
    prior = np.ones(GRID.size) if prior is None else prior
    clustering = Clustering(Per.CLUSTER, clusters=clusters, **more)
    return ScaledField("a.flux", torch.tensor(prior, dtype=torch.float64), Layout(GRID), clustering)


def parts(labels) -> list[frozenset[int]]:
    labels = np.asarray(labels)
    return [frozenset(np.flatnonzero(labels == k).tolist()) for k in range(labels.max() + 1)]


# ---------------------------------------------------------------------- inside and around
def test_every_cell_of_the_region_is_an_element_and_what_is_around_is_a_few():
    found = control(Clusters(buffer=4, inside=INSIDE))
    inside = parts(found.labels)[:6]
    assert inside == [{cell} for cell in np.flatnonzero(INSIDE)]
    assert len(found.prior) == 6 + 4
    assert frozenset().union(*parts(found.labels)[6:]) == set(np.flatnonzero(~INSIDE))


def test_without_a_buffer_what_is_around_keeps_its_prior():
    found = control(Clusters(inside=INSIDE))
    fields = found.to_fields(3.0 * found.prior)["a.flux"]
    assert fields.tolist() == np.where(INSIDE, 3.0, 1.0).tolist()


def test_the_region_itself_may_be_clusters():
    found = control(Clusters(count=2, buffer=3, inside=INSIDE))
    assert len(found.prior) == 5
    # two rows of three cells fall apart into west and east or the other way, never across a buffer
    assert frozenset().union(*parts(found.labels)[:2]) == set(np.flatnonzero(INSIDE))


def test_without_a_region_all_cells_are_clusters():
    found = control(Clusters(count=9))
    assert len(found.prior) == 9
    assert bool((found.labels >= 0).all())


def test_elements_are_named_by_what_they_are():
    names = control(Clusters(buffer=2, inside=INSIDE)).names
    assert names[0] == "32.5N 102.5W"
    assert names[6:] == ("buffer 1", "buffer 2")
    assert control(Clusters(count=1, inside=INSIDE)).names == ("cluster 1",)


def test_only_cells_that_can_change_take_part():
    prior = np.where(GRID.lon < -100, 1.0, 0.0)
    found = control(Clusters(buffer=3, inside=INSIDE), prior)
    assert (found.labels.numpy() >= 0).tolist() == (prior > 0).tolist()


def test_the_same_seed_makes_the_same_clusters_and_another_may_not():
    one, two, other = (control(Clusters(count=7, seed=s)).labels.tolist() for s in (5, 5, 6))
    assert one == two
    assert one != other


# ---------------------------------------------------------------------- means on the sphere
def test_groups_that_lie_apart_are_found():
    lon = np.array([0.0, 1.0, 90.0, 91.0, 180.0, 181.0])
    found = sphere_means(unit_vectors(lon, np.zeros(6)), np.ones(6), 3)
    assert found.tolist() == [0, 0, 1, 1, 2, 2]


def test_the_date_line_is_no_border():
    lon = np.array([179.0, -179.0, 170.0, -170.0, 90.0, -90.0])
    found = sphere_means(unit_vectors(lon, np.zeros(6)), np.ones(6), 3)
    assert found[0] == found[1] == found[2] == found[3]


def test_longitudes_close_up_towards_the_pole():
    # four cells around the pole are nearer to each other than to one at 40 N
    lon, lat = np.array([0.0, 90.0, 180.0, 270.0, 0.0]), np.array([89.0] * 4 + [40.0])
    assert sphere_means(unit_vectors(lon, lat), np.ones(5), 2).tolist() == [0, 0, 0, 0, 1]


def test_cells_count_with_their_areas():
    # around 0 and 10, the middle of {0, 4.4} is 2.2 and holds 4.4 (8.5 is further); were the first cell
    # heavy, the middle would be 0, and 4.4 nearer to the others
    points = unit_vectors(np.array([0.0, 4.4, 7.0, 10.0]), np.zeros(4))
    light, heavy = (
        {
            tuple(sphere_means(points, np.array([weight, 1.0, 1.0, 1.0]), 2, seed).tolist())
            for seed in range(9)
        }
        for weight in (1.0, 100.0)
    )
    assert (0, 0, 1, 1) in light
    assert heavy == {(0, 1, 1, 1)}


@given(st.integers(1, 30), st.integers(0, 50), st.integers(0, 2**31))
def test_every_cluster_has_points_and_every_point_the_nearest_centre(count, more, seed):
    draw = np.random.default_rng(seed)
    points = unit_vectors(draw.uniform(-180, 180, count + more), draw.uniform(-90, 90, count + more))
    weights = draw.uniform(0.1, 1.0, count + more)
    labels = sphere_means(points, weights, count, seed)
    assert sorted(set(labels.tolist())) == list(range(len(set(labels.tolist()))))
    assert len(set(labels.tolist())) == count
    centres = np.stack([np.average(points[labels == k], 0, weights[labels == k]) for k in range(count)])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    near = points @ centres.T
    assert (near[np.arange(len(points)), labels] >= near.max(1) - 1e-12).all()


@given(st.integers(0, 100))
def test_labels_are_numbered_by_their_first_points(seed):
    draw = np.random.default_rng(seed)
    points = unit_vectors(draw.uniform(-180, 180, 40), draw.uniform(-60, 60, 40))
    _, first = np.unique(sphere_means(points, np.ones(40), 6, seed), return_index=True)
    assert (np.diff(first) > 0).all()


# ---------------------------------------------------------------------- the edge
def test_cells_near_the_edge_are_in_no_element():
    found = control(None, exclude_edge=1.0)
    left = (GRID.lat > 31) & (GRID.lat < 35) & (GRID.lon > -105) & (GRID.lon < -98)
    assert (found.labels.numpy() >= 0).tolist() == left.tolist()


def test_a_centre_just_so_far_from_the_edge_stays():
    assert near_edge(GRID, 0.5).sum() == 0
    assert near_edge(GRID, 0.51).sum() == 2 * 9 + 2 * 4


def test_a_globe_has_no_edge():
    globe = Grid.latlon(np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10))
    assert not near_edge(globe, 20.0).any()


def test_a_band_around_the_globe_has_two():
    band = Grid.latlon(np.arange(-25.0, 30, 10), np.arange(5.0, 360, 10))
    assert near_edge(band, 6.0).reshape(6, 36).all(1).tolist() == [True, False, False, False, False, True]


def test_the_edge_and_a_region_go_together():
    found = control(Clusters(buffer=2, inside=INSIDE), exclude_edge=1.0)
    assert int((found.labels >= 0).sum()) == 4 * 7


# ---------------------------------------------------------------------- what is refused
def test_a_region_without_cells_that_can_change_is_refused():
    with pytest.raises(DataError, match="region of interest holds no cell that can change"):
        control(Clusters(inside=INSIDE), np.where(INSIDE, 0.0, 1.0))


def test_more_clusters_than_cells_are_refused():
    with pytest.raises(DataError, match="count: 7 clusters are wanted of 6 cells"):
        control(Clusters(count=7, inside=INSIDE))
    with pytest.raises(DataError, match="buffer: 49 clusters are wanted of 48 cells"):
        control(Clusters(buffer=49, inside=INSIDE))


def test_a_buffer_around_everything_is_refused():
    with pytest.raises(ConfigError, match="a buffer lies around a region"):
        Clusters(buffer=3)


@pytest.mark.parametrize(("count", "buffer"), [(0, 0), (-1, 0), (None, -1)])
def test_counts_below_one_are_refused(count, buffer):
    with pytest.raises(ConfigError, match="clusters and a buffer"):
        Clusters(count, buffer, INSIDE)


def test_clusters_belong_to_clusters():
    with pytest.raises(ConfigError, match="per: cluster"):
        Clustering(Per.CELL, clusters=Clusters(3))


def test_flags_of_another_grid_are_refused():
    with pytest.raises(DataError, match="3 flags for 54 cells"):
        control(Clusters(inside=np.ones(3, dtype=bool)))


def test_points_of_one_place_are_not_two_clusters():
    with pytest.raises(DataError, match="2 clusters are wanted of 1 different places"):
        sphere_means(unit_vectors(np.zeros(4), np.zeros(4)), np.ones(4), 2)


def test_an_edge_that_leaves_nothing_is_refused():
    with pytest.raises(DataError, match="3 degrees from its edge nothing"):
        control(None, exclude_edge=3.0)


def test_points_have_no_edge():
    points = Grid.points([0.0, 1.0, 2.0], [0.0, 0.0, 0.0])
    field = torch.ones(3, dtype=torch.float64)
    with pytest.raises(DataError, match="the edge of a points grid"):
        FieldControl("a.b", field, Layout(points), Clustering(Per.CELL, exclude_edge=1.0), None, Add())


def test_points_are_clusters_of_equal_weight():
    points = Grid.points([0.0, 1.0, 50.0, 51.0], [0.0] * 4)
    keys, _ = cluster_keys(points, np.ones(4, dtype=bool), Clusters(2))
    assert keys[0] == keys[1] != keys[2] == keys[3]


def test_regions_may_have_names():
    labels = np.where(INSIDE, 0, 1)
    clustering = Clustering(Per.REGION, regions=labels, names=("basin", "around"))
    field = torch.ones(GRID.size, dtype=torch.float64)
    assert ScaledField("a.flux", field, Layout(GRID), clustering).names == ("basin", "around")


def test_numbers_of_no_place_may_have_names():
    clustering = Clustering(Per.CELL, names=("north", "east"))
    assert FieldControl("a.b", torch.zeros(2), None, clustering, None, Add()).names == ("north", "east")

"""Point methods against a real ESMPy: the same pattern, the same weights; skipped where it is absent.

Sources here are fine enough about the equator: on coarse rows ESMF loses points that bulge out of its boxes.
"""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.scheme import Creep, InverseDistance, NearestSource, PoleKind, Poles
from tradewind.couplers.regrid.weights import Method, Scheme

B, S2D, D2S = Method.BILINEAR, Method.NEAREST_S2D, Method.NEAREST_D2S
EXTRAPOLATIONS = [NearestSource(), InverseDistance(), InverseDistance(3, 1.5), Creep(1), Creep(4)]


@pytest.fixture(scope="session")
def same(matrix, esmpys):
    """Return a function that holds native weights to ESMPy's, entry by entry."""

    def hold(source: Grid, target: Grid, scheme: Scheme) -> None:
        ours, theirs = matrix(source, target, scheme), esmpys(source, target, scheme)
        assert theirs.any()
        assert np.array_equal(np.abs(ours) > 1e-10, np.abs(theirs) > 1e-10)
        assert np.abs(ours - theirs).max() <= 1e-10

    return hold


def part(mesh: Grid, keep: np.ndarray, mask: np.ndarray | None = None) -> Grid:
    """Some cells of a mesh."""
    lon, lat = mesh.lon_corners[keep], mesh.lat_corners[keep]
    faces = np.arange(lon.size).reshape(lon.shape)
    centres = mesh.lon[keep], mesh.lat[keep]
    return Grid.mesh(lon.ravel(), lat.ravel(), faces, centres=centres, mask=mask)


@pytest.fixture(scope="module")
def speckled() -> Grid:
    """A region of 15 x 20 with a tenth of the cells masked."""
    rng = np.random.default_rng(1)
    lat, lon = np.arange(20.3, 45, 1.7), np.arange(-110.2, -70, 2.1)
    return Grid.latlon(lat, lon, mask=rng.random((15, 20)) > 0.1)


@pytest.fixture(scope="module")
def wider() -> Grid:
    """A wider region of 22 x 28, masked likewise."""
    rng = np.random.default_rng(2)
    lat, lon = np.arange(10.1, 60, 2.3), np.arange(-130.3, -50, 2.87)
    return Grid.latlon(lat, lon, mask=rng.random((22, 28)) > 0.1)


@pytest.mark.parametrize("mesh", ["globe", "triangles"])
def test_bilinear_from_a_mesh(same, request, scattered, mesh):
    same(request.getfixturevalue(mesh), scattered, Scheme(B))


@pytest.mark.parametrize("mesh", ["globe", "triangles"])
def test_bilinear_from_part_of_a_mesh(same, request, scattered, mesh):
    whole = request.getfixturevalue(mesh)
    same(part(whole, (whole.lat > 0) & (whole.lon < 200)), scattered, Scheme(B))


@pytest.mark.parametrize("mesh", ["globe", "triangles"])
def test_bilinear_from_a_masked_mesh(same, request, scattered, mesh):
    whole = request.getfixturevalue(mesh)
    mask = np.random.default_rng(4).random(whole.size) > 0.2
    same(part(whole, np.ones(whole.size, dtype=bool), mask), scattered, Scheme(B))


@pytest.mark.parametrize("mesh", ["globe", "triangles"])
def test_bilinear_from_a_mesh_to_itself(same, request, mesh):
    grid = request.getfixturevalue(mesh)
    same(grid, grid, Scheme(B))


@pytest.mark.shared
def test_bilinear_from_the_cubed_sphere(same, shared, scattered):
    path = shared / "reference" / "esmf_weights" / "e_C12_to_5_conserve_dstarea.nc"
    same(Grid.from_map_file(path, "source"), Grid.from_map_file(path, "target"), Scheme(B))
    same(Grid.from_map_file(path, "source"), scattered, Scheme(B))


@pytest.mark.parametrize(
    "poles",
    [
        Poles(PoleKind.NONE),
        Poles(),
        Poles(PoleKind.TEETH),
        *(Poles(PoleKind.NPNTAVG, n) for n in (1, 2, 5, 24)),
    ],
    ids=str,
)
@pytest.mark.parametrize("north_first", [1, -1], ids=["from south", "from north"])
def test_poles(same, scattered, poles, north_first):
    edges = np.sort(np.random.default_rng(6).uniform(0, 360, 24))
    edges = np.append(edges, edges[0] + 360)
    lats = np.arange(-84.0, 90, 12)[::north_first]
    lons = (edges[1:] + edges[:-1]) / 2
    polar = np.abs(scattered.lat) > 20
    target = Grid.points(scattered.lon[polar], scattered.lat[polar])
    same(Grid.latlon(lats, lons, lon_bounds=edges), target, Scheme(B, poles=poles))


@pytest.mark.parametrize("kind", [PoleKind.NONE, PoleKind.ALLAVG, PoleKind.TEETH])
def test_poles_of_masked_rows(same, scattered, kind):
    mask = np.random.default_rng(7).random((15, 24)) > 0.15
    polar = np.abs(scattered.lat) > 20
    target = Grid.points(scattered.lon[polar], scattered.lat[polar])
    grid = Grid.latlon(np.arange(-84.0, 90, 12), np.arange(0.0, 360, 15), mask=mask)
    same(grid, target, Scheme(B, poles=Poles(kind)))


@pytest.mark.parametrize("how", EXTRAPOLATIONS, ids=str)
@pytest.mark.parametrize("method", [B, S2D])
def test_extrapolation_between_regions(same, speckled, wider, how, method):
    same(speckled, wider, Scheme(method, extrapolation=how))


@pytest.mark.parametrize("how", EXTRAPOLATIONS, ids=str)
@pytest.mark.parametrize("mesh", ["globe", "triangles"])
def test_extrapolation_onto_a_mesh(same, request, speckled, how, mesh):
    same(speckled, request.getfixturevalue(mesh), Scheme(B, extrapolation=how))


@pytest.mark.parametrize("how", EXTRAPOLATIONS, ids=str)
@pytest.mark.parametrize("mesh", ["globe", "triangles"])
def test_extrapolation_from_a_mesh(same, request, wider, how, mesh):
    whole = request.getfixturevalue(mesh)
    same(part(whole, (whole.lat > 20) & (whole.lon > 180)), wider, Scheme(B, extrapolation=how))


@pytest.mark.parametrize("mesh", ["globe", "triangles"])
def test_patch_from_a_mesh(same, request, scattered, mesh):
    same(request.getfixturevalue(mesh), scattered, Scheme(Method.PATCH))


@pytest.mark.parametrize("kind", [PoleKind.NONE, PoleKind.ALLAVG, PoleKind.TEETH])
def test_patch_around_the_globe(same, scattered, kind):
    polar = np.abs(scattered.lat) > 20
    target = Grid.points(scattered.lon[polar], scattered.lat[polar])
    grid = Grid.latlon(np.arange(-84.0, 90, 12), np.arange(0.0, 360, 15))
    same(grid, target, Scheme(Method.PATCH, poles=Poles(kind)))


def test_patch_from_a_masked_region_with_its_rim(same, speckled, wider):
    same(speckled, wider, Scheme(Method.PATCH))
    same(speckled, wider, Scheme(Method.PATCH, extrapolation=NearestSource()))


def test_patch_of_fine_cells_where_few_terms_can_be_told_apart(same):
    source = Grid.latlon(np.arange(0, 5, 0.25), np.arange(0, 7, 0.25))
    same(source, Grid.latlon(np.arange(0, 5, 0.31), np.arange(0, 7, 0.43)), Scheme(Method.PATCH))


@pytest.mark.parametrize("method", [S2D, D2S])
def test_nearest_where_half_of_all_tie(same, method):
    # half a cell apart in longitude, and a fine row in every coarse one
    source = Grid.latlon(np.arange(-87.5, 90, 5), np.arange(2.5, 360, 5))
    target = Grid.latlon(np.arange(-80.0, 90, 10), np.arange(0.0, 360, 5))
    same(source, target, Scheme(method))
    same(target, source, Scheme(method))


@pytest.mark.parametrize("method", [S2D, D2S])
def test_nearest_about_the_poles(same, coarse, method):
    same(coarse, Grid.points([0.0, 33.0, 200.0, 75.0], [90.0, -90.0, 90.0, 89.0]), Scheme(method))


def test_bilinear_from_a_turned_grid(same, rotated, scattered):
    inner = Grid.latlon(np.arange(25.0, 56, 1.1), np.arange(-115.0, -80, 1.3))
    same(rotated, inner, Scheme(B))

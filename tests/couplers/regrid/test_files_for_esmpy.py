"""Files that we write are read by ESMPy itself, where it is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid import mapfile
from tradewind.couplers.regrid.weights import Triplets

NODES = ([10.0, 12, 14, 10, 12, 14], [40.0, 40, 40, 42, 42, 42])
FACES = [[0, 1, 4, 3], [1, 2, 5, -1], [1, 5, 4, -1]]


@pytest.fixture
def esmpy(tmp_path, monkeypatch):
    found = pytest.importorskip("esmpy", reason="ESMPy is not installed")
    monkeypatch.chdir(tmp_path)  # ESMF leaves its logs where it runs
    found.Manager()
    return found


def grid_of(esmpy, grid: Grid):
    out = esmpy.Grid(np.array(grid.shape[::-1]), staggerloc=[esmpy.StaggerLoc.CENTER], num_peri_dims=1)
    for axis, centre in enumerate((grid.lon, grid.lat)):
        out.get_coords(axis)[:] = centre.reshape(grid.shape).T
    return out


@pytest.mark.parametrize("order", [1, -1], ids=["sorted", "falling"])
def test_weights_are_applied_as_they_are_meant(esmpy, coarse, finer, order):
    rng = np.random.default_rng(5)
    row, col = np.divmod(np.sort(rng.choice(144 * 72, 500, replace=False)), 72)
    value, x = rng.normal(size=500), rng.normal(size=72)
    content = mapfile.WeightMap(
        coarse, finer, Triplets(row[::order], col[::order], value[::order], np.ones(144), 72), {}
    )
    mapfile.write_map(Path("map.nc"), content)
    source, target = (esmpy.Field(grid_of(esmpy, g)) for g in (coarse, finer))
    source.data[:] = x.reshape(coarse.shape).T
    out = esmpy.RegridFromFile(source, target, filename="map.nc")(source, target)
    expected = np.bincount(row, value * x[col], 144)
    assert np.allclose(out.data.T.reshape(-1), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("mesh", ["cube", "mixed"])
def test_meshes_have_the_same_areas(esmpy, mesh):
    grid = Grid.cubed_sphere(6) if mesh == "cube" else Grid.mesh(*NODES, FACES)
    grid.to_file("mesh.nc", "ugrid")
    read = esmpy.Mesh(filename="mesh.nc", filetype=esmpy.FileFormat.UGRID, meshname="mesh2d")
    field = esmpy.Field(read, meshloc=esmpy.MeshLoc.ELEMENT)
    field.get_area()
    assert np.allclose(field.data, grid.area, rtol=1e-11, atol=0)

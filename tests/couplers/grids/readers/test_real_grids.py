"""Grid files of real models: those of the Debian package libncarg-data, and of the reference data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tradewind.couplers.grids import Grid, GridKind, topology
from tradewind.errors import GridError

PACKAGE = Path("/usr/share/ncarg/data")


def file(name: str) -> Path:
    path = PACKAGE / name
    if not path.is_file():
        pytest.skip(f"{name} is absent: install the Debian package libncarg-data")
    return path


@pytest.mark.parametrize(
    ("name", "kind", "shape", "corners"),
    [
        ("nug/triangular_grid_ICON.nc", GridKind.MESH, (20480,), 3),
        ("cdf/hswm_d000000p000.g2.nc", GridKind.MESH, (2562,), 6),
        ("nug/camse_unstructured_grid.nc", GridKind.POINTS, (48602,), 0),
        ("nug/tas_rotated_grid_EUR11.nc", GridKind.CURVILINEAR, (412, 424), 4),
        ("nug/HSURF_regional_model_0.44deg.nc", GridKind.CURVILINEAR, (221, 214), 4),
        ("nug/tas_rectilinear_grid_2D.nc", GridKind.LATLON, (96, 192), 4),
        ("cdf/uv300.nc", GridKind.LATLON, (64, 128), 4),
        ("cdf/pop.nc", GridKind.CURVILINEAR, (384, 320), 0),
        ("cdf/landsea.nc", GridKind.LATLON, (180, 360), 4),
    ],
)
def test_kinds_and_shapes(name, kind, shape, corners):
    grid = Grid.from_file(file(name))
    assert (grid.kind, grid.shape, grid.places.n_corners) == (kind, shape, corners)


@pytest.mark.parametrize(
    "name",
    [
        "nug/triangular_grid_ICON.nc",
        "cdf/hswm_d000000p000.g2.nc",
        "nug/tas_rectilinear_grid_2D.nc",
        "cdf/uv300.nc",
    ],
    ids=["icosahedron", "hexagons in radians", "bounds", "Gaussian without bounds"],
)
def test_global_grids_cover_the_sphere(name):
    assert Grid.from_file(file(name)).area.sum() == pytest.approx(4 * np.pi, rel=1e-7)


def test_the_nodes_of_an_icosahedral_grid_obey_euler():
    # V - E + F = 2 with F triangles and E = 3/2 F sides
    grid = Grid.from_file(file("nug/triangular_grid_ICON.nc"))
    nodes = int(topology.node_numbers(grid.corners).max()) + 1
    assert nodes - grid.size // 2 == 2


def test_hexagons_have_twelve_pentagons_among_them():
    corners = Grid.from_file(file("cdf/hswm_d000000p000.g2.nc")).corners
    distinct = (np.abs(corners - np.roll(corners, 1, axis=1)).max(axis=-1) > 1e-6).sum(axis=1)
    assert np.unique(distinct, return_counts=True)[1].tolist() == [12, 2550]


def test_rotated_axes_lie_where_the_file_says():
    # the file brings true longitudes and latitudes beside its rotated axes: an answer that we did not make
    grid = Grid.from_file(file("nug/HSURF_regional_model_0.11deg.nc"))
    with xr.open_dataset(file("nug/HSURF_regional_model_0.11deg.nc"), decode_times=False) as ds:
        bare = Grid.from_dataset(ds.drop_vars(["lon", "lat"]))
    assert np.abs(grid.centres - bare.centres).max() < 1e-6
    assert np.array_equal(grid.corners, bare.corners)


def test_repeated_columns_of_an_ocean_grid_are_named_and_may_be_left_out_or_masked():
    path = file("nug/tos_ocean_bipolar_grid.nc")
    with pytest.raises(GridError, match=r"bipolar_grid\.nc, curvilinear grid: column 254 repeats column 0"):
        Grid.from_file(path)
    with xr.open_dataset(path, decode_times=False) as ds:
        grid = Grid.from_dataset(ds.isel(x=slice(2, None)))
        wet = ds["tos"][0].notnull().values
    assert grid.shape == (220, 254)
    assert grid.periodic
    wet[:, -2:] = False
    ocean = Grid.from_file(path, mask=wet)
    # the oceans are 71 hundredths of the Earth
    assert ocean.area[ocean.mask].sum() / (4 * np.pi) == pytest.approx(0.71, abs=0.01)


@pytest.mark.parametrize("name", ["cdf/sst30e_netcdf.nc", "cdf/ex01B1_uv300.hs.nc"])
def test_cyclic_points_are_named(name):
    with pytest.raises(GridError, match=r"duplicated longitudes.*cyclic point"):
        Grid.from_file(file(name))


def test_codes_of_land_and_sea_make_masks():
    with xr.open_dataset(file("cdf/landsea.nc")) as ds:
        codes = ds["LSMASK"].values
    # 0 ocean, 1 land, 2 lake, 3 small island, 4 ice shelf
    grid = Grid.from_file(file("cdf/landsea.nc")).with_mask(codes, active=(1, 3))
    land = grid.area[grid.mask].sum() / (4 * np.pi)
    assert land == pytest.approx(0.29, abs=0.02)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "variable", "kind", "size"),
    [
        ("geoschem_ch4_restart.nc", None, GridKind.LATLON, 91 * 144),
        ("us_storm_1996.nc", None, GridKind.LATLON, 33 * 36),
        ("fluxnet_monthly.nc", None, GridKind.POINTS, 164),
        ("name_footprints.nc", "fp", GridKind.LATLON, 144),
        ("name_footprints.nc", "release_lon", GridKind.POINTS, 315),
    ],
)
def test_reference_data(shared, name, variable, kind, size):
    grid = Grid.from_file(shared / "data" / name, name=variable)
    assert (grid.kind, grid.size) == (kind, size)

"""Weight files: what is written is what ESMF writes, and what is damaged is told."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest

from tradewind.couplers.grids import Grid, GridKind
from tradewind.couplers.regrid import mapfile
from tradewind.couplers.regrid.weights import Method, Norm, Scheme, Triplets, generate
from tradewind.errors import DataError, GridError

FRAC = {"map_method": "Conservative remapping", "normalization": "fracarea"}
DST = {"map_method": "Conservative remapping", "normalization": "destarea"}


@pytest.fixture
def content(coarse, finer) -> mapfile.WeightMap:
    return mapfile.WeightMap(
        coarse, finer, generate(coarse, finer, Scheme(Method.CONSERVATIVE, Norm.FRACAREA)), FRAC
    )


@pytest.fixture
def path(tmp_path, content) -> Path:
    mapfile.write_map(tmp_path / "map.nc", content)
    return tmp_path / "map.nc"


def edit(path: Path, name: str, index, value) -> None:
    with netCDF4.Dataset(path, "a") as ds:
        ds[name][index] = value


def test_everything_comes_back(path, content):
    back = mapfile.read_map(path)
    assert (back.source, back.target) == (content.source, content.target)
    for name in ("row", "col", "value", "frac_target"):
        assert np.array_equal(getattr(back.weights, name), getattr(content.weights, name))
    assert back.attributes["normalization"] == "fracarea"


def test_names_and_dimensions_are_those_of_esmf(path):
    with netCDF4.Dataset(path) as ds:
        sizes = {name: len(d) for name, d in ds.dimensions.items()}
        assert (sizes["n_a"], sizes["n_b"], sizes["nv_a"], sizes["src_grid_rank"]) == (72, 144, 4, 2)
        assert ds["src_grid_dims"][:].tolist() == [12, 6]
        assert ds["row"][:].min() == 1
        assert ds["xc_a"].units == "degrees"


def test_global_sources_are_carried_over_whole(path):
    with netCDF4.Dataset(path) as ds:
        assert np.allclose(ds["frac_a"][:], 1, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("norm", "attributes"), [(Norm.FRACAREA, FRAC), (Norm.DSTAREA, DST)])
def test_the_carried_fraction_of_sources_is_the_same_for_both_norms(box, coarse, norm, attributes):
    # the box lies within: all of it is carried
    made = generate(box, coarse, Scheme(Method.CONSERVATIVE, norm))
    frac = mapfile.frac_source(mapfile.WeightMap(box, coarse, made, attributes))
    assert np.allclose(frac, 1, rtol=0, atol=1e-12)


def test_methods_that_do_not_conserve_carry_no_fraction(coarse, finer):
    made = generate(coarse, finer, Scheme(Method.BILINEAR, Norm.FRACAREA))
    assert not mapfile.frac_source(mapfile.WeightMap(coarse, finer, made, {})).any()


@pytest.mark.parametrize("side", ["source", "target"])
def test_either_grid_is_read_alone(path, content, side):
    assert Grid.from_map_file(path, side) == getattr(content, side)


def test_rectilinear_grids_are_recognised(path):
    assert Grid.from_map_file(path).kind is GridKind.LATLON


def test_turned_grids_stay_curvilinear(tmp_path, rotated, box):
    made = generate(rotated, box, Scheme(Method.CONSERVATIVE, Norm.DSTAREA))
    mapfile.write_map(tmp_path / "map.nc", mapfile.WeightMap(rotated, box, made, DST))
    assert Grid.from_map_file(tmp_path / "map.nc") == rotated


def test_points_and_meshes_come_back(tmp_path, coarse):
    mesh = Grid.mesh([0, 1, 1, 0, 2], [0, 0, 1, 1, 0.5], [[0, 1, 2, 3], [1, 4, 2, -1]])
    points = Grid.points([1.0, 2.0], [3.0, 4.0], mask=[1, 0])
    none = np.array([], dtype=np.int64)
    nothing = Triplets(none, none, np.zeros(0), np.zeros(2), 2)
    mapfile.write_map(tmp_path / "map.nc", mapfile.WeightMap(mesh, points, nothing, {}))
    back = mapfile.read_map(tmp_path / "map.nc")
    assert (back.source, back.target) == (mesh, points)


def test_repeated_pairs_are_added_up(path, content):
    weights = content.weights
    edit(path, "col", 1, weights.col[0] + 1)
    edit(path, "row", 1, weights.row[0] + 1)
    back = mapfile.read_map(path).weights
    assert len(back.row) == len(weights.row) - 1
    assert back.value[0] == weights.value[0] + weights.value[1]


@pytest.mark.parametrize(("name", "value"), [("row", 145), ("row", 0), ("col", 73), ("col", -3)])
def test_entries_beyond_the_grids_are_refused(path, name, value):
    edit(path, name, 0, value)
    with pytest.raises(DataError, match="entries name cells"):
        mapfile.read_map(path)


def test_a_file_that_is_no_weight_file_is_refused(tmp_path, box):
    box.to_dataset().to_netcdf(tmp_path / "box.nc")
    with pytest.raises(DataError, match=r"variable 'src_grid_dims' is missing.*is this a weight file"):
        mapfile.read_map(tmp_path / "box.nc")


def test_a_truncated_file_is_refused(path):
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"map\.nc: cannot be read as netCDF"):
        mapfile.read_map(path)


def test_a_side_is_source_or_target(path):
    with pytest.raises(DataError, match="side 'left'"):
        Grid.from_map_file(path, "left")


def test_angles_in_radians_are_converted(path, content):
    with netCDF4.Dataset(path, "a") as ds:
        for name in ("xc_a", "yc_a", "xv_a", "yv_a"):
            ds[name][:] = np.deg2rad(ds[name][:])
            ds[name].units = "radians"
    assert np.allclose(Grid.from_map_file(path).lon, content.source.lon, atol=1e-12)


def test_another_grid_than_the_file_has_is_refused(coarse, finer, box):
    mapfile.refuse_other_grid(coarse, coarse, "here")
    with pytest.raises(
        GridError, match=r"here: latlon grid 6x12 .* was given, the file has latlon grid 9x16"
    ):
        mapfile.refuse_other_grid(coarse, finer, "here")


def test_a_grid_moved_by_a_cell_is_another(coarse):
    moved = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(45.0, 390, 30))
    with pytest.raises(GridError, match="was given"):
        mapfile.refuse_other_grid(moved, coarse, "here")


def test_the_convention_of_longitudes_makes_no_other_grid(coarse):
    moved = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30) - 360)
    mapfile.refuse_other_grid(moved, coarse, "here")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "side", "kind", "shape"),
    [
        ("a_ll5_to_4x5_bilinear", "target", GridKind.LATLON, (46, 72)),
        ("d_rotated_to_2.5_bilinear", "source", GridKind.CURVILINEAR, (30, 40)),
        ("e_C12_to_5_conserve_dstarea", "source", GridKind.MESH, (864,)),
        ("f_ll5_to_points_bilinear", "target", GridKind.POINTS, (50,)),
    ],
)
def test_grids_of_esmf_files_are_read(shared, name, side, kind, shape):
    grid = Grid.from_map_file(shared / "reference" / "esmf_weights" / f"{name}.nc", side)
    assert (grid.kind, grid.shape) == (kind, shape)

"""Weight files: what is written is what ESMF writes, and what is damaged is told."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest

from tradewind.couplers.grids import Grid, GridKind
from tradewind.couplers.regrid import mapfile
from tradewind.couplers.regrid.maps import netcdf
from tradewind.couplers.regrid.weights import Triplets
from tradewind.errors import DataError, GridError, SpecError

FRAC = {"map_method": "Conservative remapping", "normalization": "fracarea"}
DST = {"map_method": "Conservative remapping", "normalization": "destarea"}


@pytest.fixture
def weights(coarse, finer) -> Triplets:
    """Return two entries a target, made up: the sources of its number and of the next."""
    row = np.repeat(np.arange(finer.size), 2)
    col = np.stack([np.arange(finer.size) % 71, np.arange(finer.size) % 71 + 1], axis=1).reshape(-1)
    value = np.tile([0.25, 0.75], finer.size) + 1e-3 * np.arange(len(row))
    return Triplets(row, col, value, np.linspace(0, 1, finer.size), coarse.size)


@pytest.fixture
def content(coarse, finer, weights) -> mapfile.WeightMap:
    return mapfile.WeightMap(coarse, finer, weights, FRAC)


@pytest.fixture(params=["esmf", "scrip"])
def layout(request) -> str:
    return request.param


@pytest.fixture
def path(tmp_path, content) -> Path:
    mapfile.write_map(tmp_path / "map.nc", content)
    return tmp_path / "map.nc"


def empty(target: Grid, source: Grid) -> Triplets:
    none = np.array([], dtype=np.int64)
    return Triplets(none, none, np.zeros(0), np.zeros(target.size), source.size)


def edit(path: Path, name: str, index, value) -> None:
    with netCDF4.Dataset(path, "a") as ds:
        ds[name][index] = value


def test_everything_comes_back_in_either_layout(tmp_path, content, layout):
    mapfile.write_map(tmp_path / "map.nc", content, layout)
    back = mapfile.read_map(tmp_path / "map.nc")
    assert (back.source, back.target) == (content.source, content.target)
    for name in ("row", "col", "value", "frac_target"):
        assert np.array_equal(getattr(back.weights, name), getattr(content.weights, name))
    assert back.attributes["normalization"] == "fracarea"


def test_weights_are_read_without_their_grids(path, content):
    weights, attributes = mapfile.read_weights(path)
    assert np.array_equal(weights.value, content.weights.value)
    assert (weights.n_source, weights.n_target) == (72, 144)
    assert attributes["map_method"] == "Conservative remapping"


def test_weights_are_kept_without_their_grids(tmp_path, weights):
    mapfile.write_weights(tmp_path / "kept.nc", weights, {"why": "a cache"})
    back, attributes = mapfile.read_weights(tmp_path / "kept.nc")
    for name in ("row", "col", "value", "frac_target", "n_source"):
        assert np.array_equal(getattr(back, name), getattr(weights, name))
    assert attributes["why"] == "a cache"
    with pytest.raises(DataError, match="variable 'xc_a' is missing"):
        mapfile.read_map(tmp_path / "kept.nc")


def test_grids_may_be_given_where_the_file_has_none(tmp_path, weights, coarse, finer):
    mapfile.write_weights(tmp_path / "kept.nc", weights, {})
    back = mapfile.read_map(tmp_path / "kept.nc", coarse, finer)
    assert (back.source, back.target) == (coarse, finer)
    with pytest.raises(GridError, match=r"source: latlon grid 9x16 .* was given, the file has 72 cells"):
        mapfile.read_map(tmp_path / "kept.nc", finer, coarse)


def test_grids_of_the_file_go_before_those_given(path, content, finer):
    assert mapfile.read_map(path, finer, finer).source == content.source


def test_an_unknown_layout_is_refused(tmp_path, content):
    with pytest.raises(SpecError, match=r"no layout 'scrap'.*did you mean 'scrip'"):
        mapfile.write_map(tmp_path / "map.nc", content, "scrap")


def test_names_and_dimensions_are_those_of_esmf(path):
    with netCDF4.Dataset(path) as ds:
        sizes = {name: len(d) for name, d in ds.dimensions.items()}
        assert (sizes["n_a"], sizes["n_b"], sizes["nv_a"], sizes["src_grid_rank"]) == (72, 144, 4, 2)
        assert ds["src_grid_dims"][:].tolist() == [12, 6]
        assert ds["row"][:].min() == 1
        assert ds["xc_a"].units == "degrees"


def test_names_and_dimensions_are_those_of_scrip(tmp_path, content):
    mapfile.write_map(tmp_path / "map.nc", content, "scrip")
    with netCDF4.Dataset(tmp_path / "map.nc") as ds:
        sizes = {name: len(d) for name, d in ds.dimensions.items()}
        assert (sizes["src_grid_size"], sizes["num_links"], sizes["num_wgts"]) == (72, 288, 1)
        assert ds["remap_matrix"].shape == (288, 1)
        assert ds["dst_address"][:].min() == 1
        assert ds.conventions == "SCRIP"


@pytest.mark.parametrize(
    ("attributes", "value", "covered", "carried"),
    [
        (DST, 1.0, 1.0, 1.0),
        (DST, 0.5, 0.5, 0.5),  # A_i S_ij / A_j with A_i = A_j
        (FRAC, 1.0, 0.5, 0.5),  # A_i f_i S_ij / A_j
        ({}, 1.0, 1.0, 0.0),  # other methods carry no fraction
    ],
)
def test_the_carried_fraction_of_sources(coarse, attributes, value, covered, carried):
    every = np.arange(coarse.size)
    made = Triplets(every, every, np.full(72, value), np.full(72, covered), 72)
    frac = mapfile.frac_source(mapfile.WeightMap(coarse, coarse, made, attributes))
    assert np.allclose(frac, carried, rtol=0, atol=1e-15)


@pytest.mark.parametrize("side", ["source", "target"])
def test_either_grid_is_read_alone(path, content, side):
    assert Grid.from_map_file(path, side) == getattr(content, side)


def test_rectilinear_grids_are_recognised(path):
    assert Grid.from_map_file(path).kind is GridKind.LATLON


def test_turned_grids_stay_curvilinear(tmp_path, rotated, box):
    mapfile.write_map(tmp_path / "map.nc", mapfile.WeightMap(rotated, box, empty(box, rotated), DST))
    assert Grid.from_map_file(tmp_path / "map.nc") == rotated


def test_points_and_meshes_come_back(tmp_path, coarse):
    mesh = Grid.mesh([0, 1, 1, 0, 2], [0, 0, 1, 1, 0.5], [[0, 1, 2, 3], [1, 4, 2, -1]])
    points = Grid.points([1.0, 2.0], [3.0, 4.0], mask=[1, 0])
    mapfile.write_map(tmp_path / "map.nc", mapfile.WeightMap(mesh, points, empty(points, mesh), {}))
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
    with pytest.raises(
        DataError, match=r"has neither row, col, S \(esmf\) nor dst_address.*is this a weight file"
    ):
        mapfile.read_map(tmp_path / "box.nc")


@pytest.mark.parametrize("value", [np.nan, np.inf, 9.969e36], ids=["nan", "inf", "never written"])
def test_weights_that_are_no_numbers_are_refused(path, value):
    edit(path, "S", 3, value)
    with pytest.raises(DataError, match="1 of 288 weights are no numbers, the first of entry 4"):
        mapfile.read_map(path)


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_a_file_cut_off_anywhere_is_refused(path, keep):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(DataError, match=r"map\.nc: cannot be read as netCDF"):
        mapfile.read_map(path)


def test_a_missing_variable_is_named(tmp_path, content):
    scrip_file(tmp_path / "map.nc", leave_out="dst_address")
    with pytest.raises(DataError, match="variable 'dst_address' is missing"):
        mapfile.read_map(tmp_path / "map.nc")


def test_lengths_that_differ_are_refused(tmp_path):
    scrip_file(tmp_path / "map.nc", links=(3, 2, 3))
    with pytest.raises(DataError, match="3 rows, 2 columns and 3 weights"):
        mapfile.read_map(tmp_path / "map.nc")


def test_dimensions_that_do_not_fit_the_cells_are_refused(path):
    edit(path, "src_grid_dims", 0, 13)
    with pytest.raises(DataError, match=r"src_grid_dims names \(13, 6\) cells, xc_a has 72"):
        mapfile.read_map(path)


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


def scrip_file(
    path: Path, *, wgts: int = 1, leave_out: str = "", normalization: str = "fracarea", links=(4, 4, 4)
) -> None:
    """Write the map of two cells onto two as SCRIP and OASIS3-MCT do: radians, addresses from 1."""
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as ds:
        ds.setncatts({"normalization": normalization, "map_method": "Conservative remapping"})
        for side, south in (("src", 0.0), ("dst", 0.0)):
            ds.createDimension(f"{side}_grid_size", 2)
            ds.createDimension(f"{side}_grid_corners", 4)
            ds.createDimension(f"{side}_grid_rank", 2)
            variable(ds, f"{side}_grid_dims", "i4", (f"{side}_grid_rank",), [2, 1])
            variable(ds, f"{side}_grid_imask", "i4", (f"{side}_grid_size",), [1, 1])
            west = np.array([0.0, 10.0])
            for name, at in (("lon", west + 5), ("lat", [south + 5, south + 5])):
                variable(ds, f"{side}_grid_center_{name}", "f8", (f"{side}_grid_size",), np.deg2rad(at))
            corners = (f"{side}_grid_size", f"{side}_grid_corners")
            lon = west[:, None] + np.array([0, 10, 10, 0])
            lat = np.tile([south, south, south + 10, south + 10], (2, 1))
            variable(ds, f"{side}_grid_corner_lon", "f8", corners, np.deg2rad(lon))
            variable(ds, f"{side}_grid_corner_lat", "f8", corners, np.deg2rad(lat))
            variable(ds, f"{side}_grid_area", "f8", (f"{side}_grid_size",), [0.02, 0.04])
        ds.createDimension("num_wgts", wgts)
        given = {"dst_address": [1, 1, 2, 1], "src_address": [1, 2, 2, 2]}
        for number, (name, index) in enumerate(given.items()):
            ds.createDimension(f"links_{number}", links[number])
            if name != leave_out:
                variable(ds, name, "i4", (f"links_{number}",), index[: links[number]])
        ds.createDimension("num_links", links[2])
        matrix = np.zeros((links[2], wgts))
        matrix[:, 0] = [0.5, 0.25, 1.0, 0.25][: links[2]]
        matrix[:, 1:] = 7.0
        variable(ds, "remap_matrix", "f8", ("num_links", "num_wgts"), matrix)


def variable(ds, name: str, kind: str, dims, values) -> None:
    made = ds.createVariable(name, kind, dims)
    made[:] = values
    if "_lon" in name or "_lat" in name:
        made.units = "radians"


@pytest.mark.parametrize("wgts", [1, 3], ids=["first order", "with weights of gradients"])
def test_scrip_and_oasis_files_are_read(tmp_path, wgts):
    scrip_file(tmp_path / "rmp.nc", wgts=wgts)
    back = mapfile.read_map(tmp_path / "rmp.nc")
    # the pair (1, 2) came twice
    assert back.weights.row.tolist() == [0, 0, 1]
    assert back.weights.col.tolist() == [0, 1, 1]
    assert back.weights.value.tolist() == [0.5, 0.5, 1.0]
    assert np.allclose(back.source.lon, [5, 15], atol=1e-12)
    assert np.allclose(back.source.lat_corners[0], [0, 0, 10, 10], atol=1e-12)


def test_areas_of_the_file_go_before_polygons(tmp_path):
    scrip_file(tmp_path / "rmp.nc")
    grid = Grid.from_map_file(tmp_path / "rmp.nc")
    assert grid.area.tolist() == [0.02, 0.04]
    assert grid.area_note == "src_grid_area of the weight file"


def test_weights_that_nobody_normalised_are_divided_by_the_targets_areas(tmp_path):
    scrip_file(tmp_path / "rmp.nc", normalization="none")
    back = mapfile.read_map(tmp_path / "rmp.nc")
    assert back.weights.value.tolist() == [25.0, 25.0, 25.0]
    assert back.attributes["normalization"] == "destarea"


def test_bicubic_maps_are_refused(tmp_path):
    scrip_file(tmp_path / "rmp.nc", wgts=4)
    with pytest.raises(DataError, match=r"4 weights an entry.*bicubic"):
        mapfile.read_map(tmp_path / "rmp.nc")


def test_a_file_without_coverage_counts_reached_cells_as_covered(tmp_path):
    scrip_file(tmp_path / "rmp.nc")
    assert mapfile.read_map(tmp_path / "rmp.nc").weights.frac_target.tolist() == [1.0, 1.0]


def test_grids_with_areas_of_their_own_come_back(tmp_path, coarse, finer, weights):
    source = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), area=np.full((6, 12), 0.17))
    mapfile.write_map(tmp_path / "map.nc", mapfile.WeightMap(source, finer, weights, {}))
    assert Grid.from_map_file(tmp_path / "map.nc") == source


def test_indices_that_need_64_bits_get_them():
    assert netcdf.indices(np.array([5])).dtype == np.int32
    assert netcdf.indices(np.array([2**31 - 2])).dtype == np.int32
    assert netcdf.indices(np.array([2**31 - 1])).dtype == np.int64


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

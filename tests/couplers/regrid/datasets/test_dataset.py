"""Datasets on another grid: hand-derived numbers, names instead of positions, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.datasets.dataset import plan, regrid_dataset
from tradewind.couplers.regrid.datasets.variables import Field, Handling, Integers, _read, apply
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.errors import DataError, GridError, SpecError

NAN = float("nan")


@pytest.fixture(scope="module")
def halves() -> Grid:
    """Two cells on the equator, 10 degrees wide, in one row, with a second row south of it."""
    return Grid.latlon([-5.0, 5.0], [5.0, 15.0], lat_bounds=[-10, 0, 10], lon_bounds=[0, 10, 20])


@pytest.fixture(scope="module")
def row() -> Grid:
    """Two cells that each hold one column of `halves`."""
    return Grid.latlon([0.0], [5.0, 15.0], lat_bounds=[-10, 10], lon_bounds=[0, 10, 20])


@pytest.fixture(scope="module")
def mean(halves, row) -> Regridder:
    """Each target is the mean of two sources of equal area."""
    return Regridder.build(halves, row, "conservative", backend="native")


def dataset(grid: Grid, **variables) -> xr.Dataset:
    ds = grid.to_dataset()
    for name, (dims, values, *more) in variables.items():
        ds[name] = (dims, np.asarray(values), *more)
    return ds


LATLON = ("lat", "lon")


# ---------------------------------------------------------------------- numbers
def test_means_by_hand(mean, halves):
    out = regrid_dataset(mean, dataset(halves, t=(LATLON, [[1.0, 2.0], [3.0, 6.0]])))
    assert out.t.values == pytest.approx(np.array([[2.0, 4.0]]), abs=1e-14)


def test_dimensions_in_any_order_give_the_same_numbers(mean, halves):
    values = np.random.default_rng(0).random((3, 2, 2, 4))  # time, lat, lon, level
    ds = dataset(halves, t=(("time", *LATLON, "level"), values))
    expected = regrid_dataset(mean, ds).t
    for order in [
        ("lon", "level", "time", "lat"),
        ("level", "lat", "time", "lon"),
        (*LATLON, "time", "level"),
    ]:
        other = regrid_dataset(mean, ds.transpose(*order, ...)).t
        assert np.array_equal(other.transpose(*expected.dims), expected)


@pytest.mark.parametrize(
    ("dims", "expected"),
    [
        (("time", "lat", "lon"), ("time", "lat", "lon")),
        (("lat", "lon", "time"), ("lat", "lon", "time")),
        (("lon", "time", "lat"), ("lat", "lon", "time")),
        (("time", "lon", "level", "lat"), ("time", "lat", "lon", "level")),
    ],
)
def test_the_targets_dimensions_stand_where_the_first_of_the_sources_stood(mean, halves, dims, expected):
    sizes = {"lat": 2, "lon": 2, "time": 3, "level": 4}
    ds = dataset(halves, t=(dims, np.ones([sizes[d] for d in dims])))
    assert regrid_dataset(mean, ds).t.dims == expected


def test_blocks_of_one_step_give_the_same_bits(mean, halves, monkeypatch):
    ds = dataset(halves, t=(("time", *LATLON), np.random.default_rng(1).random((7, 2, 2))))
    at_once = regrid_dataset(mean, ds).t
    monkeypatch.setattr("tradewind.couplers.regrid.datasets.variables.BLOCK_BYTES", 1)
    field = Field(mean, ds.t, LATLON, Handling())
    assert len(list(field.blocks())) == 7
    assert np.array_equal(field.whole(), at_once)


def test_a_dimension_of_length_zero_stays_so(mean, halves):
    out = regrid_dataset(mean, dataset(halves, t=(("time", *LATLON), np.ones((0, 2, 2)))))
    assert out.t.shape == (0, 1, 2)


# ---------------------------------------------------------------------- missing values
def test_a_missing_value_leaves_the_mean_of_the_others(mean, halves):
    out = regrid_dataset(mean, dataset(halves, t=(LATLON, [[1.0, NAN], [3.0, 6.0]])))
    assert out.t.values == pytest.approx(np.array([[2.0, 6.0]]), abs=1e-14)


def test_nothing_there_is_missing_and_not_zero(mean, halves):
    out = regrid_dataset(mean, dataset(halves, t=(LATLON, [[1.0, NAN], [3.0, NAN]])))
    assert out.t.values[0, 0] == pytest.approx(2.0)
    assert np.isnan(out.t.values[0, 1])


def test_a_mask_moves_with_time(mean, halves):
    values = np.array([[[NAN, 2.0], [3.0, 4.0]], [[1.0, 2.0], [NAN, 4.0]]])
    out = regrid_dataset(mean, dataset(halves, t=(("time", *LATLON), values)))
    assert out.t.values[:, 0, 0] == pytest.approx([3.0, 1.0])


@pytest.mark.parametrize(("threshold", "missing"), [(0.4, False), (0.6, True)])
def test_a_target_half_there_is_kept_or_not(mean, halves, threshold, missing):
    ds = dataset(halves, t=(LATLON, [[1.0, NAN], [3.0, 6.0]]))
    out = regrid_dataset(mean, ds, handling=Handling(threshold))
    assert bool(np.isnan(out.t.values[0, 1])) is missing


def test_a_fill_stands_where_nothing_is_and_is_declared(mean, halves, tmp_path):
    ds = dataset(halves, t=(LATLON, [[1.0, NAN], [3.0, NAN]]))
    out = regrid_dataset(mean, ds, handling=Handling(fill=-999.0))
    assert out.t.values[0, 1] == -999.0
    out.to_netcdf(tmp_path / "out.nc")
    with xr.open_dataset(tmp_path / "out.nc") as read:
        assert np.isnan(read.t.values[0, 1])


def test_partly_covered_targets_are_diluted_alike_with_and_without_a_gap_elsewhere(halves):
    # the second target lies half beyond the source
    wide = Grid.latlon([0.0], [5.0, 20.0], lat_bounds=[-10, 10], lon_bounds=[0, 10, 30])
    diluting = Regridder.build(halves, wide, "conservative", norm="dstarea", backend="native")
    whole = regrid_dataset(diluting, dataset(halves, t=(LATLON, [[1.0, 4.0], [3.0, 4.0]]))).t
    gap = regrid_dataset(diluting, dataset(halves, t=(LATLON, [[NAN, 4.0], [3.0, 4.0]]))).t
    diluted = 4.0 * float(diluting.frac_target[1])
    assert 1.9 < diluted < 2.0
    assert whole.values[0] == pytest.approx([2.0, diluted], abs=1e-12)
    assert gap.values[0] == pytest.approx([3.0, diluted], abs=1e-12)


def test_without_gaps_the_answer_is_the_operators(mean, halves):
    import torch

    x = torch.rand(3, 4, dtype=torch.float64)
    assert torch.equal(apply(mean, x, Handling()), mean.forward(x))


@pytest.mark.parametrize("threshold", [-0.1, 1.1, NAN])
def test_a_threshold_is_a_part(threshold):
    with pytest.raises(SpecError, match="threshold"):
        Handling(threshold)


# ---------------------------------------------------------------------- kinds of numbers
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_the_kind_of_numbers_stays(mean, halves, kind):
    out = regrid_dataset(mean, dataset(halves, t=(LATLON, np.ones((2, 2), dtype=kind))))
    assert out.t.dtype == kind


@pytest.mark.parametrize("kind", ["int32", "uint8", "bool"])
def test_integers_are_not_averaged_unasked(mean, halves, kind):
    ds = dataset(halves, land=(LATLON, np.ones((2, 2), dtype=kind)))
    with pytest.raises(SpecError, match="averaged by conservative"):
        regrid_dataset(mean, ds)


def test_integers_that_are_numbers_are_averaged_when_asked(mean, halves):
    ds = dataset(halves, people=(LATLON, np.array([[1, 2], [2, 4]])))
    out = regrid_dataset(mean, ds, handling=Handling(integers=Integers.AS_NUMBERS))
    assert out.people.values == pytest.approx(np.array([[1.5, 3.0]]))


def test_nearest_keeps_categories(halves, row):
    nearest = Regridder.build(row, halves, "nearest_s2d", backend="native")
    out = regrid_dataset(nearest, dataset(row, land=(LATLON, np.array([[3, 7]], dtype="i2"))))
    assert out.land.dtype == "int16"
    assert out.land.values.tolist() == [[3, 7], [3, 7]]


def test_flags_stored_as_floats_are_categories_too(mean, halves):
    ds = dataset(halves, land=(LATLON, np.ones((2, 2)), {"flag_values": [0.0, 1.0]}))
    with pytest.raises(SpecError, match="nearest_s2d"):
        regrid_dataset(mean, ds)


def test_integers_with_gaps_are_categories_though_xarray_makes_floats_of_them(mean, halves, row, tmp_path):
    ds = dataset(halves, land=(LATLON, np.array([[1.0, NAN], [2.0, 3.0]])))
    ds.to_netcdf(tmp_path / "in.nc", encoding={"land": {"dtype": "i2", "_FillValue": -1}})
    nearest = Regridder.build(halves, row, "nearest_s2d", backend="native")
    with xr.open_dataset(tmp_path / "in.nc") as read:
        with pytest.raises(SpecError, match="averaged"):
            regrid_dataset(mean, read)
        regrid_dataset(nearest, read).to_netcdf(tmp_path / "out.nc")
    with xr.open_dataset(tmp_path / "out.nc", mask_and_scale=False) as out:
        assert out.land.dtype == "int16"
        assert out.land.attrs["_FillValue"] == -1


def test_packed_numbers_are_numbers_and_come_unpacked(mean, halves, tmp_path):
    ds = dataset(halves, t=(LATLON, [[1.0, 2.0], [3.0, 6.0]]))
    ds.to_netcdf(tmp_path / "in.nc", encoding={"t": {"dtype": "i2", "scale_factor": 0.5, "_FillValue": -1}})
    with xr.open_dataset(tmp_path / "in.nc") as read:
        regrid_dataset(mean, read).to_netcdf(tmp_path / "out.nc")
    with xr.open_dataset(tmp_path / "out.nc", mask_and_scale=False) as out:
        assert out.t.dtype.kind == "f"
        assert out.t.values == pytest.approx(np.array([[2.0, 4.0]]))


# ---------------------------------------------------------------------- what else is in a dataset
def test_what_has_nothing_to_do_with_the_grid_is_carried_over(mean, halves):
    ds = dataset(halves, t=(("time", *LATLON), np.ones((2, 2, 2))))
    ds = ds.assign(p0=1e5, time_bnds=(("time", "bnds"), [[0, 1], [1, 2]])).assign_coords(time=[10, 11])
    out = regrid_dataset(mean, ds)
    assert float(out.p0) == 1e5
    assert out.time.values.tolist() == [10, 11]
    assert out.time_bnds.values.tolist() == [[0, 1], [1, 2]]


def test_coordinates_and_bounds_are_those_of_the_target(mean, halves, row):
    out = regrid_dataset(mean, dataset(halves, t=(LATLON, np.ones((2, 2)))))
    assert Grid.from_dataset(out) == row


def test_a_profile_of_latitudes_is_left_out_with_a_word(mean, halves):
    ds = dataset(halves, t=(LATLON, np.ones((2, 2))), zonal=("lat", [1.0, 2.0]))
    with pytest.warns(UserWarning, match="'zonal' is left out: it lies along lat only"):
        out = regrid_dataset(mean, ds)
    assert "zonal" not in out


def test_words_on_the_grid_are_left_out_with_a_word(mean, halves):
    ds = dataset(halves, t=(LATLON, np.ones((2, 2))), name=(LATLON, [["a", "b"], ["c", "d"]]))
    with pytest.warns(UserWarning, match="'name' is left out"):
        assert "name" not in regrid_dataset(mean, ds)


def test_areas_and_projections_of_the_old_grid_do_not_follow(mean, halves):
    about = {"standard_name": "cell_area", "units": "m2"}
    ds = dataset(halves, t=(LATLON, np.ones((2, 2)), {"grid_mapping": "crs", "units": "K"}))
    ds["areacella"] = (LATLON, halves.area.reshape(2, 2) * 6.371e6**2, about)
    ds["crs"] = ((), 0, {"grid_mapping_name": "latitude_longitude"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = regrid_dataset(mean, ds)
    assert not {"areacella", "crs"} & set(out.variables)
    assert out.t.attrs == {"units": "K", "cell_methods": "area: mean"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "area: mean"),
        ("time: mean", "time: mean area: mean"),
        ("area: time: mean", "area: time: mean"),
        ("lat: lon: mean", "lat: lon: mean"),
    ],
)
def test_means_over_cells_say_so(mean, halves, before, after):
    attributes = {} if before is None else {"cell_methods": before}
    out = regrid_dataset(mean, dataset(halves, t=(LATLON, np.ones((2, 2)), attributes)))
    assert out.t.attrs["cell_methods"] == after


def test_interpolated_values_claim_no_mean(halves):
    inner = Grid.latlon([-1.0, 1.0], [8.0, 12.0])
    bilinear = Regridder.build(halves, inner, "bilinear", backend="native")
    out = regrid_dataset(bilinear, dataset(halves, t=(LATLON, np.ones((2, 2)))))
    assert "cell_methods" not in out.t.attrs
    assert out.attrs["regridding"] == "bilinear"


def test_a_target_of_points_has_one_dimension(halves):
    points = Grid.points([8.0, 12.0, 9.0], [0.0, 0.0, 1.0])
    bilinear = Regridder.build(halves, points, "bilinear", backend="native")
    out = regrid_dataset(bilinear, dataset(halves, t=(("time", *LATLON), np.ones((2, 2, 2)))))
    assert out.t.dims == ("time", *points.dims)
    assert out.t.values == pytest.approx(np.ones((2, 3)))


# ---------------------------------------------------------------------- what is refused
def test_only_what_was_asked_for(mean, halves):
    ds = dataset(halves, t=(LATLON, np.ones((2, 2))), q=(LATLON, np.ones((2, 2))))
    assert set(regrid_dataset(mean, ds, variables=["q"]).data_vars) >= {"q"}
    assert "t" not in regrid_dataset(mean, ds, variables=["q"])


def test_a_misspelled_variable_is_refused_with_the_nearest_name(mean, halves):
    ds = dataset(halves, temperature=(LATLON, np.ones((2, 2))))
    with pytest.raises(DataError, match="did you mean 'temperature'"):
        regrid_dataset(mean, ds, variables=["temprature"])


@pytest.mark.parametrize(("name", "error"), [("zonal", DataError), ("words", SpecError)])
def test_a_variable_that_cannot_be_regridded_is_refused_when_asked_for(mean, halves, name, error):
    ds = dataset(
        halves, t=(LATLON, np.ones((2, 2))), zonal=("lat", [1.0, 2.0]), words=(LATLON, [["a", "b"]] * 2)
    )
    with pytest.raises(error, match=name):
        regrid_dataset(mean, ds, variables=[name])


def test_a_dataset_without_fields_is_refused_with_the_dimensions(mean, halves):
    with pytest.raises(DataError, match=r"no variable lies on the .*needed: lat, lon"):
        regrid_dataset(mean, halves.to_dataset())


def test_turned_latitudes_are_refused_with_both_grids(mean, halves):
    ds = dataset(halves, t=(LATLON, np.ones((2, 2)))).isel(lat=[1, 0])
    with pytest.raises(GridError, match=r"latlon grid .* was given, the file has latlon grid"):
        regrid_dataset(mean, ds)


def test_shifted_longitudes_are_refused(mean, halves):
    ds = dataset(halves, t=(LATLON, np.ones((2, 2))))
    with pytest.raises(GridError):
        regrid_dataset(mean, ds.assign_coords(lon=ds.lon + 10.0))


def test_another_convention_of_longitudes_is_the_same_grid(mean, halves):
    ds = dataset(halves, t=(LATLON, [[1.0, 2.0], [3.0, 6.0]]))
    attributes = ds.lon.attrs
    ds = ds.assign_coords(lon=("lon", ds.lon.values - 360.0, attributes))
    ds["lon_bnds"] = ds.lon_bnds - 360.0
    assert regrid_dataset(mean, ds).t.values == pytest.approx(np.array([[2.0, 4.0]]))


def test_swapped_grids_are_refused(mean, row):
    with pytest.raises(GridError, match="swapped"):
        regrid_dataset(mean, dataset(row, t=(LATLON, np.ones((1, 2)))))


def test_a_name_of_the_target_in_another_role_is_refused(halves):
    points = Grid.points([8.0, 12.0], [0.0, 0.0])
    bilinear = Regridder.build(halves, points, "bilinear", backend="native")
    ds = dataset(halves, t=(("cell", *LATLON), np.ones((2, 2, 2)))).assign_coords(cell=[1, 2])
    with pytest.raises(SpecError, match="cell is a name of the target grid"):
        regrid_dataset(bilinear, ds)


def test_a_file_that_breaks_while_it_is_read_is_named(mean, halves):
    class Broken:
        name = "t"

        @property
        def values(self):
            raise RuntimeError("NetCDF: HDF error")

    with pytest.raises(DataError, match=r"variable 't': cannot be read: NetCDF: HDF error"):
        _read(Broken())


def test_the_plan_says_what_happens_to_each_variable(halves):
    ds = dataset(halves, t=(LATLON, np.ones((2, 2))), zonal=("lat", [1.0, 2.0])).assign(p0=1.0)
    found = plan(halves, ds)
    assert (found.dims, found.regridded, found.carried) == (LATLON, ("t",), ("p0",))
    assert set(found.left_out) == {"zonal"}


# ---------------------------------------------------------------------- vectors
@pytest.fixture(scope="module")
def polar() -> tuple[Grid, Regridder]:
    """Nearest sources across the north pole: two rows of four cells to points."""
    grid = Grid.latlon([70.0, 85.0], [0.0, 90.0, 180.0, 270.0], lat_bounds=[60, 80, 90])
    points = Grid.points([0.0, 90.0], [80.0, 80.0])
    return grid, Regridder.build(grid, points, "bilinear", backend="native")


def winds(grid: Grid, **attributes) -> xr.Dataset:
    """A wind along the x axis of the earth: u = -sin λ, v = -sin φ cos λ of its tangential part."""
    lon, lat = np.deg2rad(grid.lon), np.deg2rad(grid.lat)
    u, v = -np.sin(lon), -np.sin(lat) * np.cos(lon)
    about = {"units": "m s-1"}
    return dataset(grid, u=(LATLON, u.reshape(grid.shape), about), v=(LATLON, v.reshape(grid.shape), about))


def test_vectors_turn_with_the_place(polar):
    grid, regridder = polar
    out = regrid_dataset(regridder, winds(grid), vectors=[("u", "v")])
    # at 90 E the wind along x points west; at 0 E it points north, away from the pole's far side
    assert out.u.values == pytest.approx([0.0, -1.0], abs=0.05)
    assert out.v.values == pytest.approx([-np.sin(np.deg2rad(80.0)), 0.0], abs=0.05)


def test_vectors_are_missing_where_one_component_is(polar):
    grid, regridder = polar
    ds = winds(grid)
    ds["v"] = ds.v.where(ds.lon != 90.0)
    out = regrid_dataset(regridder, ds, vectors=[("u", "v")])
    assert np.isnan(out.u.values[1]) == np.isnan(out.v.values[1])
    assert np.isfinite(out.u.values[0])


def test_vectors_without_gaps_are_the_operators(polar):
    import torch

    from tradewind.couplers.regrid.vectors import VectorRegridder

    grid, regridder = polar
    ds = winds(grid)
    out = regrid_dataset(regridder, ds, vectors=[("u", "v")])
    u, v = (torch.from_numpy(ds[n].values.reshape(-1)) for n in "uv")
    expected = VectorRegridder(regridder).regrid(u, v)
    assert out.u.values == pytest.approx(expected[0].numpy(), abs=1e-15)
    assert out.v.values == pytest.approx(expected[1].numpy(), abs=1e-15)


def test_components_that_do_not_fit_are_refused(polar):
    grid, regridder = polar
    ds = winds(grid)
    ds["v"].attrs["units"] = "km h-1"
    with pytest.raises(SpecError, match="units m s-1 and km h-1"):
        regrid_dataset(regridder, ds, vectors=[("u", "v")])


def test_components_in_the_wrong_order_are_refused(polar):
    grid, regridder = polar
    ds = winds(grid)
    ds["u"].attrs["standard_name"], ds["v"].attrs["standard_name"] = "eastward_wind", "northward_wind"
    with pytest.raises(SpecError, match="eastward first"):
        regrid_dataset(regridder, ds, vectors=[("v", "u")])


@pytest.mark.parametrize(("pair", "error"), [(("u", "w"), DataError), (("u", "u"), SpecError)])
def test_components_that_are_not_two_variables_are_refused(polar, pair, error):
    grid, regridder = polar
    with pytest.raises(error):
        regrid_dataset(regridder, winds(grid), vectors=[pair])

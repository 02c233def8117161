"""Replayed fields: what a step is given of a file, and which files are refused."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.couplers.coupling.component import Component
from tradewind.couplers.coupling.fields import Kind
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.grids import Grid
from tradewind.errors import DataError, GridError, UnitsError
from tradewind.plugins.prescribed import dataset, files
from tradewind.plugins.prescribed.dataset import Dataset
from tradewind.plugins.prescribed.options import DatasetOptions
from tradewind.plugins.prescribed.series.records import Records
from tradewind.testing import ComponentConformance

SIX = ([0.0, 6.0, 12.0], [0, 6, 12])
"""One more every hour, written every six."""


# ---------------------------------------------------------------------- what it says of itself
def test_it_is_a_component(write, make_replay):
    assert isinstance(make_replay(write(*SIX)).component, Component)


def test_an_export_and_a_factor_for_each_variable(write, make_replay):
    spec = make_replay(write(*SIX)).spec
    (x,), (factor,) = spec.exports, spec.parameters
    assert (x.name, x.units, x.kind, x.cell_methods) == ("x", "kg m-2 s-1", Kind.FLUX_INTENSIVE, "time: mean")
    assert (factor.name, factor.units, factor.grid) == ("x_scale", "1", x.grid)
    assert not spec.imports
    assert not spec.state


def test_the_grid_is_that_of_the_file(write, make_replay):
    expected = Grid.latlon([30.0, 31.0], [-103.0, -102.0, -101.0])
    assert make_replay(write(*SIX)).spec.exports[0].grid == expected


def test_what_it_reads_is_told_for_provenance(write, make_replay):
    path = write(*SIX)
    assert list(make_replay(path).component.inputs()) == [path]


@pytest.mark.parametrize(
    ("said", "note"),
    [
        ({}, "x is a flux, intensive: mean over a step, of 3 records"),
        ({"time": "linear"}, "x is a flux, intensive: linear at the middle of a step, of 3 records"),
        (
            {"variables": {"x": {"kind": "state"}}},
            "x is a state, intensive: linear at the end of a step, of 3 records",
        ),
    ],
)
def test_what_was_found_out_is_told(write, make_replay, said, note):
    assert make_replay(write(*SIX), **said).component.notes == [note]


# ---------------------------------------------------------------------- in time
def test_a_flux_is_averaged_over_the_step(write, make_replay):
    step = make_replay(write([0.0, 6.0, 0.0], [0, 6, 12]))
    assert step(0, 6) == pytest.approx(3.0)
    assert step(4, 8) == pytest.approx(5.0)  # 4 to 6 has the mean 5, 6 to 8 as well


def test_a_state_is_taken_at_the_end_of_the_step(write, make_replay):
    step = make_replay(write(*SIX, units="K"))
    assert step(0, 1) == pytest.approx(1.0)
    assert step(2, 8) == pytest.approx(8.0)


@pytest.mark.parametrize(("at", "expected"), [("start", 2.0), ("middle", 3.5), ("end", 5.0)])
def test_where_in_the_step_can_be_said(write, make_replay, at, expected):
    assert make_replay(write(*SIX), time="linear", at=at)(2, 5) == pytest.approx(expected)


def test_a_flux_that_is_not_averaged_is_taken_in_the_middle(write, make_replay):
    assert make_replay(write(*SIX), time="linear")(2, 5) == pytest.approx(3.5)


@pytest.mark.parametrize(
    ("method", "expected"), [("nearest", 6.0), ("previous", 0.0), ("linear", 4.0), ("mean", 4.0)]
)
def test_methods(write, make_replay, method, expected):
    assert make_replay(write(*SIX), time=method)(3, 5) == pytest.approx(expected)


def test_time_bounds_make_a_flux_constant_between_them(write, make_replay):
    path = write([1.0, 5.0], [3, 9], bounds=[[0, 6], [6, 12]])
    step = make_replay(path)
    assert (step(0, 3), step(6, 12)) == (1.0, 5.0)
    assert step(3, 9) == pytest.approx(3.0)
    assert step(5, 7.5) == pytest.approx((1 * 1.0 + 1.5 * 5.0) / 2.5)


def test_times_that_stand_at_the_end_of_their_bounds_do_not_shift_the_mean(write, make_replay):
    middle = make_replay(write([1.0, 5.0], [3, 9], name="m.nc", bounds=[[0, 6], [6, 12]]))
    end = make_replay(write([1.0, 5.0], [6, 12], name="e.nc", bounds=[[0, 6], [6, 12]]))
    assert [middle(a, a + 4) for a in (0, 3, 8)] == [end(a, a + 4) for a in (0, 3, 8)]


def test_what_a_day_gives_is_kept_however_it_is_cut(write, make_replay):
    rng = np.random.default_rng(0)
    step = make_replay(write(rng.normal(size=9), range(0, 27, 3)))
    whole = step(0, 24)
    for length in (0.5, 1, 4, 8):
        parts = [step(a, a + length) for a in np.arange(0, 24, length)]
        assert np.mean(parts) == pytest.approx(whole, abs=1e-13)


def test_point_values_keep_their_bounds_out(write, make_replay):
    path = write([0.0, 12.0], [0, 12], bounds=[[-6, 6], [6, 18]], cell_methods="time: point")
    assert make_replay(path)(0, 6) == pytest.approx(3.0)


def test_a_mean_without_bounds_says_where_its_times_stand(write, make_replay):
    path = write([1.0, 5.0], [6, 12], cell_methods="time: mean")
    with pytest.raises(DataError, match=r"no time bounds say over which \(say where times stand in them"):
        make_replay(path)
    assert make_replay(path, stamps="end")(0, 12) == pytest.approx(3.0)
    assert make_replay(path, stamps="start")(6, 12) == 1.0
    assert make_replay(path, stamps="middle")(3, 9) == 1.0


def test_stamps_of_one_record_alone_say_nothing(write, make_replay):
    with pytest.raises(DataError, match="one record alone"):
        make_replay(write([1.0], [0]), stamps="start")


def test_a_field_without_time_is_the_same_at_all_times(write, make_replay):
    path = write.folder / "still.nc"
    write.dataset([2.0], [0]).isel(time=0, drop=True).to_netcdf(path)
    step = make_replay(path)
    assert step(0, 1) == step(5000, 6000) == 2.0
    assert step.component.notes == ["x is a flux, intensive, the same at all times"]
    step.component.verify(Clock(datetime(1900, 1, 1), datetime(1900, 1, 2), timedelta(hours=1)))


# ---------------------------------------------------------------------- values
def test_a_factor_scales_and_is_differentiable(write, make_replay):
    step = make_replay(write(*SIX))
    factor = torch.full((2, 6), 3.0, dtype=torch.float64, requires_grad=True)
    x = step.fields(0, 6, x_scale=factor)["x"]
    assert x.shape == (2, 6)
    assert x[0].tolist() == pytest.approx([9.0 * k for k in range(1, 7)])
    x.sum().backward()
    assert factor.grad[1].tolist() == pytest.approx([3.0 * k for k in range(1, 7)])


def test_several_variables_by_other_names(write, make_replay):
    step = make_replay(
        write(*SIX), variables={"a": "x", "b": {"name": "x", "scale": 2.0, "time": "previous"}}
    )
    assert [v.name for v in step.spec.exports] == ["a", "b"]
    assert (step(3, 5, "a"), step(3, 5, "b")) == (pytest.approx(4.0), 0.0)
    assert step(7, 8, "b") == 12.0


def test_units_are_converted_before_the_factor(write, make_replay):
    path = write([20.0, 20.0], [0, 6], units="degC")
    step = make_replay(path, variables={"x": {"units": "K"}})
    value = step.fields(0, 6)["x"][0]
    assert value.tolist() == pytest.approx([20.0 * k + 273.15 for k in range(1, 7)])
    assert step.spec.exports[0].units == "K"


def test_units_that_the_file_lacks_are_said(write, make_replay):
    path = write(*SIX, units="")
    with pytest.raises(DataError, match=r"x\.nc, x: has no units"):
        make_replay(path)
    assert make_replay(path, variables={"x": {"units": "kg m-2 s-1"}}).spec.exports[0].units == "kg m-2 s-1"


def test_units_of_another_quantity_are_refused(write, make_replay):
    with pytest.raises(UnitsError, match="cannot become"):
        make_replay(write(*SIX), variables={"x": {"units": "K"}})


def test_packed_values_are_unpacked_and_doubled_in_precision(write, make_replay):
    path = write.folder / "packed.nc"
    packing = {"x": {"dtype": "int16", "scale_factor": 0.5, "add_offset": 10.0, "_FillValue": -999}}
    write.dataset([1.0, 1.0], [0, 6]).to_netcdf(path, encoding=packing)
    value = make_replay(path).fields(0, 6)["x"]
    assert value.dtype == torch.float64
    assert value[0].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_single_precision_becomes_double(write, make_replay):
    path = write.folder / "single.nc"
    write.dataset([1.0, 1.0], [0, 6]).astype({"x": "float32"}).to_netcdf(path)
    assert make_replay(path).fields(0, 6)["x"].dtype == torch.float64


def test_levels_stand_between_members_and_cells_with_their_coordinates(write, make_replay):
    ds = write.dataset([1.0, 1.0], [0, 6], units="K")
    ds = ds.expand_dims(plev=[850.0, 500.0], axis=3)  # behind the cells, as some files have them
    ds["x"] = ds["x"] * xr.DataArray([1.0, 10.0], dims="plev")
    ds["plev"].attrs = {"units": "hPa", "bounds": "plev_bnds"}
    ds["plev_bnds"] = (("plev", "nv"), [[1000.0, 700.0], [700.0, 300.0]])
    ds.to_netcdf(write.folder / "levels.nc")
    step = make_replay(write.folder / "levels.nc")
    (x,) = step.spec.exports
    assert (x.extra, x.levels, x.interfaces) == ((("plev", 2),), (850.0, 500.0), (1000.0, 700.0, 300.0))
    value = step.fields(0, 6)["x"]
    assert value.shape == (1, 2, 6)
    assert value[0, 1].tolist() == [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]


def test_latitudes_from_north_to_south_keep_their_values(write, make_replay):
    path = write.folder / "north.nc"
    write.dataset([1.0, 1.0], [0, 6]).isel(lat=slice(None, None, -1)).to_netcdf(path)
    step = make_replay(path)
    assert step.spec.exports[0].grid == Grid.latlon([31.0, 30.0], [-103.0, -102.0, -101.0])
    assert step.fields(0, 6)["x"][0].tolist() == [4.0, 5.0, 6.0, 1.0, 2.0, 3.0]


def test_dimensions_may_come_in_any_order(write, make_replay):
    path = write.folder / "turned.nc"
    write.dataset([1.0, 1.0], [0, 6]).transpose("lon", "lat", "time").to_netcdf(path)
    assert make_replay(path).fields(0, 6)["x"][0].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


# ---------------------------------------------------------------------- missing values
def holed(write, where=(1, 0, 2), value=np.nan, **about):
    ds = write.dataset(*SIX, **about)
    ds["x"].values[where] = value
    return ds


def test_missing_values_are_refused_with_variable_time_and_count(write, make_replay):
    ds = holed(write)
    ds["x"].values[1, 1, 0] = np.nan
    ds.to_netcdf(write.folder / "x.nc")
    step = make_replay(write.folder / "x.nc", time="previous")
    assert step(0, 6) == 0.0  # at 3 hours the record of 0 hours holds, which is complete
    with pytest.raises(
        DataError, match=r"x\.nc: x holds 2 missing or infinite values at 2000-01-01 06:00"
    ) as told:
        step(6, 8)
    assert "`missing: zero`" in told.value.hint


def test_missing_values_may_stand_for_nothing_that_flows(write, make_replay):
    holed(write).to_netcdf(write.folder / "x.nc")
    step = make_replay(write.folder / "x.nc", time="previous", missing="zero")
    assert step.fields(6, 8)["x"][0].tolist() == [6.0, 12.0, 0.0, 24.0, 30.0, 36.0]


def test_a_missing_temperature_is_never_zero(write, make_replay):
    with pytest.raises(DataError, match="0 K is no missing value"):
        make_replay(write(*SIX, units="K"), missing="zero")


def test_infinite_values_are_refused_whatever_is_said(write, make_replay):
    holed(write, value=np.inf).to_netcdf(write.folder / "x.nc")
    with pytest.raises(DataError, match="1 missing or infinite"):
        make_replay(write.folder / "x.nc", time="previous", missing="zero")(6, 8)


@pytest.mark.parametrize("name", ["mask", "ocean"])
def test_inactive_cells_may_miss_their_values(write, make_replay, name):
    ds = holed(write, where=(slice(None), 0, 2))
    ds[name] = (("lat", "lon"), np.array([[1, 1, 0], [1, 1, 1]]))
    ds.to_netcdf(write.folder / "x.nc")
    step = make_replay(write.folder / "x.nc", mask=name)
    assert step.spec.exports[0].grid.mask.tolist() == [True, True, False, True, True, True]
    assert step.fields(0, 12)["x"][0].tolist() == [6.0, 12.0, 0.0, 24.0, 30.0, 36.0]
    # a control knows cells whose prior is zero as none of its own
    assert step.component.defaults(step.layouts)["x_scale"].tolist() == [[1.0, 1.0, 0.0, 1.0, 1.0, 1.0]]


# ---------------------------------------------------------------------- periods
def clock(start, stop, step=1):
    begin = datetime(2000, 1, 1)
    return Clock(begin + timedelta(hours=start), begin + timedelta(hours=stop), timedelta(hours=step))


@pytest.mark.parametrize(("start", "stop"), [(-1, 6), (6, 13)])
def test_a_run_that_leaves_the_data_is_refused_with_both_periods(write, make_replay, start, stop):
    component = make_replay(write(*SIX)).component
    component.verify(clock(0, 12))
    both = r"do not cover .*2000-01-01 0.*\(they hold from 2000-01-01 00:00:00 to 2000-01-01 12:00:00\)"
    with pytest.raises(DataError, match=both.replace("2000-01-01 0.*", ".*", 1)):
        component.verify(clock(start, stop))


def test_a_step_outside_is_refused_too(write, make_replay):
    with pytest.raises(DataError, match=r"x\.nc, x: the data do not cover 2000-01-01 11:00"):
        make_replay(write(*SIX))(11, 14)


def test_the_end_of_a_step_needs_no_data_before_it(write, make_replay):
    # hourly steps that are given values at their ends: the first is at 1 hour
    make_replay(write([1.0, 2.0], [1, 12], units="K")).component.verify(clock(0, 12))


def test_a_gap_in_the_run_is_refused_before_it_starts(write, make_replay):
    component = make_replay(write([1.0, 2.0], [3, 15], bounds=[[0, 6], [12, 18]])).component
    component.verify(clock(0, 6))
    with pytest.raises(DataError, match="the data leave a gap in 2000-01-01 00:00:00 to 2000-01-01 18:00:00"):
        component.verify(clock(0, 18))


def test_missing_values_of_the_first_step_are_found_before_the_run(write, make_replay):
    holed(write, where=(0, 1, 1)).to_netcdf(write.folder / "x.nc")
    with pytest.raises(DataError, match="at 2000-01-01 00:00"):
        make_replay(write.folder / "x.nc").component.verify(clock(0, 12, 6))


# ---------------------------------------------------------------------- files
def test_files_follow_each_other_in_order_of_time(write, make_replay):
    late, early = write([6.0, 12.0], [6, 12], name="a.nc"), write([-6.0, 0.0], [-6, 0], name="b.nc")
    step = make_replay([late, early])
    assert step(-6, 12) == pytest.approx(3.0)
    assert step(0, 6) == pytest.approx(3.0)  # between two files as within one


def test_a_pattern_stands_for_files(write, make_replay):
    write([0.0], [0], name="x_00.nc")
    write([6.0], [6], name="x_06.nc")
    write([99.0], [6], name="y_06.nc")
    assert make_replay(write.folder / "x_*.nc")(0, 6) == pytest.approx(3.0)


def test_files_of_one_time_each_need_no_dimension_of_time(write, make_replay):
    for hour in (0, 6):
        ds = write.dataset([float(hour)], [hour]).isel(time=0)
        ds.to_netcdf(write.folder / f"x_{hour:02}.nc")
    assert make_replay(write.folder / "x_*.nc")(0, 6) == pytest.approx(3.0)


def test_files_that_overlap_are_refused(write, make_replay):
    paths = [write([0.0, 1.0], [0, 6], name="a.nc"), write([1.0, 2.0], [6, 12], name="b.nc")]
    with pytest.raises(
        DataError, match="times do not ascend: 2000-01-01 06:00:00 follows 2000-01-01 06:00:00"
    ):
        make_replay(paths)


def test_files_on_another_grid_are_refused(write, make_replay):
    first = write([0.0], [0], name="a.nc")
    other = write.dataset([1.0], [6])
    other.assign_coords(lat=other["lat"] + 10.0).to_netcdf(write.folder / "b.nc")
    with pytest.raises(DataError, match=r"b\.nc: x lies on another grid than in .*a\.nc"):
        make_replay([first, write.folder / "b.nc"])


def test_files_in_other_units_are_refused(write, make_replay):
    paths = [write([0.0], [0], name="a.nc"), write([1.0], [6], name="b.nc", units="g m-2 s-1")]
    with pytest.raises(DataError, match=r"b\.nc: x is in 'g m-2 s-1' here, in 'kg m-2 s-1'"):
        make_replay(paths)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("absent.nc", r"absent\.nc: file not found"),
        ("absent_*.nc", r"absent_\*\.nc: no file fits this pattern"),
    ],
)
def test_a_missing_file_is_named(tmp_path, make_replay, name, match):
    with pytest.raises(DataError, match=match):
        make_replay(tmp_path / name)


def test_a_file_that_is_none_is_named(tmp_path, make_replay):
    (tmp_path / "x.nc").write_text("no netCDF")
    with pytest.raises(DataError, match=r"x\.nc: cannot be read"):
        make_replay(tmp_path / "x.nc")


def test_a_missing_variable_is_named_with_those_that_exist(write, make_replay):
    with pytest.raises(DataError, match=r"x\.nc: no variable 'y' \(it holds x\)"):
        make_replay(write(*SIX), variables=("y",))


def test_a_variable_on_no_grid_is_refused(write, make_replay):
    ds = write.dataset(*SIX)
    ds["series"] = ("time", np.zeros(3), {"units": "K"})
    ds.to_netcdf(write.folder / "x.nc")
    with pytest.raises(GridError, match=r"x\.nc, series: no longitude"):
        make_replay(write.folder / "x.nc", variables=("series",))


# ---------------------------------------------------------------------- laziness
def test_few_records_are_in_memory_and_each_is_read_once(write, make_replay, monkeypatch):
    step = make_replay(write(range(100), range(100)))
    read = []
    original = Records.read
    monkeypatch.setattr(Records, "read", lambda self, k: read.append(k) or original(self, k))
    for hour in range(90):
        step(hour, hour + 1)
        assert len(step.component.replayed["x"]._recent) <= dataset.IN_MEMORY
    assert read == list(range(91))


def test_few_files_are_open_at_a_time(write, make_replay):
    for hour in range(6):
        write([float(hour)], [hour], name=f"x_{hour}.nc")
    step = make_replay(write.folder / "x_*.nc")
    step(0, 5)
    assert len(step.component.archive._open) <= files.OPEN_AT_ONCE
    step.component.finalize()
    assert not step.component.archive._open
    assert step(1, 2) == pytest.approx(1.5)  # opened again when it is needed


# ---------------------------------------------------------------------- Zarr
def test_a_zarr_store_is_replayed_as_a_file_is(write, make_replay):
    pytest.importorskip("zarr")
    store = write.folder / "x.zarr"
    write.dataset(*SIX).to_zarr(store, consolidated=False)
    step = make_replay(store)
    assert step(0, 6) == pytest.approx(3.0)
    assert list(step.component.inputs()) == []


def test_without_zarr_a_store_is_refused_with_what_to_install(tmp_path, make_replay, monkeypatch):
    (tmp_path / "x.zarr").mkdir()
    (tmp_path / "x.zarr" / "zarr.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "zarr", None)
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"zarr is not installed \(pip install \"tradewind\[zarr\]\"\)"):
        make_replay(tmp_path / "x.zarr")


# ---------------------------------------------------------------------- conformance
class TestDataset(ComponentConformance):
    @pytest.fixture(autouse=True)
    def _files(self, write):
        ds = write.dataset([1.0, 3.0], [0, 6])
        ds["t"] = (
            ("time", "level", "lat", "lon"),
            np.random.default_rng(2).normal(size=(2, 4, 2, 3)),
            {"units": "K"},
        )
        self.path = write.folder / "x.nc"
        ds.to_netcdf(self.path)

    def component(self):
        return Dataset(DatasetOptions(file=self.path, variables=("x", "t")))

"""Files: found, opened, looked into, and compared, before any value is read."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tradewind.couplers.grids import Grid
from tradewind.errors import DataError, GridError
from tradewind.plugins.prescribed.files import (
    OPEN_AT_ONCE,
    Archive,
    find_files,
    find_variable,
    grid_of,
    is_zarr,
    open_data,
)
from tradewind.plugins.prescribed.series.survey import sketch, survey

HOURS = [0, 6]


# ---------------------------------------------------------------------- found
def test_files_of_a_pattern_come_by_name_and_each_once(tmp_path):
    for name in ("b1.nc", "a2.nc", "a1.nc"):
        (tmp_path / name).touch()
    found = find_files([tmp_path / "b1.nc", tmp_path / "a*.nc", tmp_path / "*1.nc"])
    assert [path.name for path in found] == ["b1.nc", "a1.nc", "a2.nc"]


def test_patterns_may_name_folders(tmp_path):
    for year in ("1995", "1996"):
        (tmp_path / year).mkdir()
        (tmp_path / year / "x.nc").touch()
    assert [path.parent.name for path in find_files([tmp_path / "199?" / "x.nc"])] == ["1995", "1996"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    (tmp_path / "x[1].nc").touch()
    (tmp_path / "x1.nc").touch()
    assert find_files([tmp_path / "x[1].nc"]) == (tmp_path / "x[1].nc",)


def test_relative_patterns_are_relative_to_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x1.nc").touch()
    from pathlib import Path

    assert find_files([Path("x*.nc")]) == (Path("x1.nc"),)


@pytest.mark.parametrize(
    ("name", "expected"), [(".zgroup", True), ("zarr.json", True), (".zmetadata", True), ("x", False)]
)
def test_a_folder_with_metadata_of_zarr_is_a_store(tmp_path, name, expected):
    (tmp_path / name).touch()
    assert is_zarr(tmp_path) is expected


def test_a_folder_that_is_no_store_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        open_data(tmp_path)


# ---------------------------------------------------------------------- opened
def test_values_wait_until_they_are_asked_for(write):
    ds = open_data(write([1.0, 2.0], HOURS))
    assert not ds["x"].variable._in_memory
    assert ds["time"].dtype == np.float64  # not decoded
    ds.close()


def test_files_that_were_used_last_stay_open(write):
    paths = [write([1.0], [k], name=f"{k}.nc") for k in range(OPEN_AT_ONCE + 1)]
    archive = Archive(paths)
    first = archive.open(paths[0])
    archive.open(paths[1])
    assert archive.open(paths[0]) is first
    archive.open(paths[2])  # closes the second
    assert archive.open(paths[0]) is first
    archive.close()
    assert archive.open(paths[0]) is not first
    archive.close()


# ---------------------------------------------------------------------- looked into
def test_many_variables_are_not_all_named():
    ds = xr.Dataset({f"v{k}": ((), 0.0) for k in range(20)})
    with pytest.raises(DataError, match=r"f\.nc: no variable 'v20' \(did you mean 'v\d+'\?\)"):
        find_variable(ds, "v20", "f.nc")


def test_a_coordinate_can_be_a_variable(write):
    ds = write.dataset([1.0, 2.0], HOURS)
    assert find_variable(ds, "lat", "f.nc").name == "lat"


def test_the_grid_is_that_of_the_variable_where_a_file_has_several(write):
    ds = write.dataset([1.0, 2.0], HOURS)
    other = (
        Grid.latlon([0.0, 10.0], [0.0, 10.0])
        .to_dataset()
        .rename(lat="y", lon="x2", lat_bnds="yb", lon_bnds="xb")
    )
    other["y"].attrs["bounds"], other["x2"].attrs["bounds"] = "yb", "xb"
    both = xr.merge([ds, other])
    both["z"] = (("y", "x2"), np.zeros((2, 2)))
    assert grid_of(both, "z", "f.nc") == Grid.latlon([0.0, 10.0], [0.0, 10.0])
    assert grid_of(both, "x", "f.nc").size == 6


def test_a_grid_that_cannot_be_used_is_told_with_file_and_variable(write):
    ds = write.dataset([1.0, 2.0], HOURS).drop_vars("lon")
    with pytest.raises(GridError, match=r"f\.nc, x: no longitude"):
        grid_of(ds, "x", "f.nc")


# ---------------------------------------------------------------------- surveyed
def surveyed(*paths):
    return survey(Archive(paths), ["x"])["x"]


def test_a_sketch_tells_all_but_the_values(write):
    found = sketch(write.dataset([1.0, 2.0], HOURS), "x", write.folder)
    assert (dict(found.sizes), found.time, found.along) == ({"time": 2, "lat": 2, "lon": 3}, "time", True)
    assert found.axes["lat"].tolist() == [30.0, 31.0]
    assert found.attributes["units"] == "kg m-2 s-1"


def test_the_time_of_a_whole_file_is_found_by_its_name_or_standard_name(write):
    for name in ("time", "valid"):
        ds = write.dataset([1.0], [6]).isel(time=0).rename(time=name)
        found = sketch(ds, "x", write.folder)
        assert (found.time, found.along) == (name, False)


def test_a_forecasts_start_is_not_its_time(write):
    ds = write.dataset([1.0], [6]).isel(time=0, drop=True)
    about = {"units": "hours since 2000-01-01", "standard_name": "forecast_reference_time"}
    assert sketch(ds.assign_coords(start=((), 0.0, about)), "x", write.folder).time is None


def test_every_file_is_opened_once(write, monkeypatch):
    paths = [write([1.0], [k], name=f"{k}.nc") for k in range(5)]
    opened = []
    original = Archive.open
    monkeypatch.setattr(Archive, "open", lambda self, path: opened.append(path) or original(self, path))
    survey(Archive(paths), ["x", "lat", "lon"][:1])
    assert opened == paths


def test_files_come_in_order_of_time(write):
    paths = [write([1.0], [hour], name=f"{k}.nc") for k, hour in enumerate((12, 0, 6))]
    assert [s.path.name for s in surveyed(*paths)] == ["1.nc", "2.nc", "0.nc"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda ds: ds.isel(lat=slice(0, 1)), "lies on another grid"),
        (lambda ds: ds.isel(lat=slice(None, None, -1)), "lies on another grid"),
        (lambda ds: ds.expand_dims(level=[1.0]), "lies on another grid"),
        (lambda ds: ds.rename(time="t"), "lies on another grid"),
        (lambda ds: ds.assign(x=ds["x"].assign_attrs(units="K")), "is in 'K' here, in 'kg m-2 s-1' in"),
        (lambda ds: ds.rename(x="y"), "no variable 'x'"),
    ],
    ids=["fewer cells", "turned", "levels", "other time", "units", "name"],
)
def test_a_file_that_does_not_go_on_with_the_first_is_refused(write, change, match):
    first = write([1.0], [0], name="a.nc")
    change(write.dataset([2.0], [6])).to_netcdf(write.folder / "b.nc")
    with pytest.raises(DataError, match=rf"b\.nc: .*{match}|b\.nc: {match}"):
        surveyed(first, write.folder / "b.nc")


def test_levels_must_be_the_same_in_all_files(write):
    for name, hour, levels in (("a", 0, [1.0, 2.0]), ("b", 6, [1.0, 3.0])):
        ds = write.dataset([1.0], [hour]).expand_dims(level=levels)
        ds.to_netcdf(write.folder / f"{name}.nc")
    with pytest.raises(DataError, match="lies on another grid"):
        surveyed(write.folder / "a.nc", write.folder / "b.nc")


def test_several_files_without_time_do_not_follow_each_other(write):
    for name in "ab":
        write.dataset([1.0], [0]).isel(time=0, drop=True).to_netcdf(write.folder / f"{name}.nc")
    with pytest.raises(DataError, match="does not depend on time, and there are several files"):
        surveyed(write.folder / "a.nc", write.folder / "b.nc")


def test_a_file_without_records_is_refused(write):
    write.dataset([1.0], [0]).isel(time=slice(0, 0)).to_netcdf(write.folder / "x.nc", unlimited_dims=["time"])
    with pytest.raises(DataError, match=r"x\.nc: holds no times"):
        surveyed(write.folder / "x.nc")

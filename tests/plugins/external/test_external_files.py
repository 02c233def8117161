"""Fields in a model's netCDF files: units, shapes and missing values are checked on both ways."""

from __future__ import annotations

import resource

import netCDF4
import numpy as np
import pytest
import xarray as xr

from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.grids import Grid
from tradewind.errors import DataError, ModelError, UnitsError
from tradewind.plugins.external.directory import mark
from tradewind.plugins.external.files import Place, read, read_template, write
from tradewind.plugins.external.options import NetCDF, VariableOptions

GRID = Grid.latlon(np.array([10.0, 20.0]), np.array([0.0, 5.0, 10.0]))
SEA = Grid.latlon(np.array([10.0, 20.0]), np.array([0.0, 5.0, 10.0]), mask=np.array([[1, 1, 0], [1, 1, 1]]))
VALUES = np.arange(6.0)


def place(grid=GRID, extra=(), **options):
    settings = {"file": "data.nc", "variable": "T", "units": "K"} | options
    variable = Variable("t", settings["units"], grid, extra=extra)
    return Place.of(variable, VariableOptions(**settings))


def data(path, values=None, dims=("lat", "lon"), units="K", name="T"):
    values = VALUES.reshape(2, 3) if values is None else values
    xr.Dataset({name: (dims, values, {"units": units} if units else {})}).to_netcdf(path / "data.nc")


def found(folder, where):
    return read(folder, [where])[where]


# ---------------------------------------------------------------------- writing
@pytest.mark.parametrize("form", NetCDF)
def test_a_field_is_written_with_dimensions_and_units(tmp_path, form):
    write(tmp_path, [(place(), VALUES)], form)
    with netCDF4.Dataset(tmp_path / "data.nc") as ds:
        assert ds["T"].dimensions == ("lat", "lon")
        assert ds["T"].units == "K"
        assert ds["T"][:].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
        assert (
            ds.data_model
            == {
                NetCDF.CLASSIC: "NETCDF3_CLASSIC",
                NetCDF.OFFSET: "NETCDF3_64BIT_OFFSET",
                NetCDF.NETCDF4: "NETCDF4",
            }[form]
        )


def test_variables_that_share_a_file_are_written_together(tmp_path):
    rate = place(grid=None, variable="RATE", units="s-1")
    levels = place(extra=(("level", 2),), variable="U")
    write(
        tmp_path,
        [(place(), VALUES), (rate, np.array(0.5)), (levels, np.stack([VALUES, -VALUES]))],
        NetCDF.OFFSET,
    )
    with xr.open_dataset(tmp_path / "data.nc") as ds:
        assert float(ds["RATE"]) == 0.5
        assert ds["U"].dims == ("level", "lat", "lon")
        assert ds["U"].values[1].tolist() == [[0.0, -1.0, -2.0], [-3.0, -4.0, -5.0]]


def test_values_are_converted_into_the_units_of_the_file_and_back(tmp_path):
    celsius = place(file_units="degC")
    write(tmp_path, [(celsius, VALUES + 273.15)], NetCDF.OFFSET)
    with netCDF4.Dataset(tmp_path / "data.nc") as ds:
        np.testing.assert_allclose(ds["T"][:].ravel(), VALUES, atol=1e-12)
    np.testing.assert_allclose(found(tmp_path, celsius), VALUES + 273.15, rtol=1e-15)


def test_units_that_cannot_be_converted_are_refused_at_once():
    with pytest.raises(UnitsError, match="'K' cannot become 'kg'"):
        place(file_units="kg")


def test_what_else_a_file_holds_stays(tmp_path):
    xr.Dataset({"SEED": ((), 42), "T": (("y", "x"), np.zeros((2, 3)), {"units": "K"})}).to_netcdf(
        tmp_path / "data.nc", format="NETCDF3_CLASSIC"
    )
    write(tmp_path, [(place(), VALUES)], NetCDF.NETCDF4)
    with xr.open_dataset(tmp_path / "data.nc") as ds:
        assert int(ds["SEED"]) == 42
        assert ds["T"].values.ravel().tolist() == VALUES.tolist()


def test_a_file_that_is_a_link_is_written_in_a_copy(tmp_path):
    (tmp_path / "shared").mkdir()
    data(tmp_path / "shared", np.zeros((2, 3)))
    (tmp_path / "data.nc").symlink_to(tmp_path / "shared" / "data.nc")
    write(tmp_path, [(place(), VALUES)], NetCDF.OFFSET)
    assert found(tmp_path / "shared", place()).tolist() == [0.0] * 6


def test_a_variable_of_another_shape_is_not_written_to(tmp_path):
    data(tmp_path, np.zeros((3, 2)))
    with pytest.raises(DataError, match=r"T in data\.nc: has lat=3 x lon=2, declared is lat=2 x lon=3"):
        write(tmp_path, [(place(), VALUES)], NetCDF.OFFSET)


def test_a_variable_in_other_units_is_not_written_to(tmp_path):
    data(tmp_path, units="degC")
    with pytest.raises(UnitsError, match=r"the file says 'degC', declared is 'K'.*`file_units`"):
        write(tmp_path, [(place(), VALUES)], NetCDF.OFFSET)


def test_grids_whose_dimensions_share_a_name_need_files_of_their_own(tmp_path):
    other = place(grid=Grid.latlon(np.array([1.0, 2.0]), np.array([3.0, 4.0])), variable="U")
    with pytest.raises(DataError, match="dimension 'lon' has 3 entries in the file, 2 are needed"):
        write(tmp_path, [(place(), VALUES), (other, np.zeros(4))], NetCDF.OFFSET)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_values_are_not_given_to_a_model(tmp_path, bad):
    values = VALUES.copy()
    values[[2, 4]] = bad
    with pytest.raises(DataError, match=r"2 missing or infinite values would be given .* cell 2 first"):
        write(tmp_path, [(place(), values)], NetCDF.OFFSET)


def test_cells_that_are_masked_out_may_hold_anything(tmp_path):
    values = VALUES.copy()
    values[2] = np.nan
    write(tmp_path, [(place(SEA), values)], NetCDF.OFFSET)
    assert found(tmp_path, place(SEA)).tolist() == [0.0, 1.0, 0.0, 3.0, 4.0, 5.0]


def test_a_disk_that_takes_no_more_is_an_error_of_ours(tmp_path):
    large = Grid.points(np.linspace(0, 1, 20_000), np.linspace(0, 1, 20_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(DataError, match=r"data\.nc: cannot be written: .*\(free space"):
            write(tmp_path, [(place(large), np.zeros(20_000))], NetCDF.OFFSET)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# ---------------------------------------------------------------------- records
def test_the_last_record_is_read(tmp_path):
    data(tmp_path, np.stack([VALUES.reshape(2, 3), VALUES.reshape(2, 3) + 10]), ("time", "lat", "lon"))
    assert found(tmp_path, place(record="last")).tolist() == (VALUES + 10).tolist()


def test_records_must_be_asked_for(tmp_path):
    data(tmp_path, np.zeros((1, 2, 3)), ("time", "lat", "lon"))
    with pytest.raises(DataError, match=r"has time=1 x lat=2 x lon=3, .*give `record: last`"):
        found(tmp_path, place())
    data(tmp_path)
    with pytest.raises(DataError, match="has lat=2 x lon=3, declared is lat=2 x lon=3 after time"):
        found(tmp_path, place(record="last"))


def test_a_record_is_written_where_one_is_wanted(tmp_path):
    write(tmp_path, [(place(record="last"), VALUES)], NetCDF.OFFSET)
    with netCDF4.Dataset(tmp_path / "data.nc") as ds:
        assert ds["T"].dimensions == ("time", "lat", "lon")
    data(tmp_path, np.zeros((2, 2, 3)), ("time", "lat", "lon"))
    write(tmp_path, [(place(record="last"), VALUES)], NetCDF.OFFSET)
    with netCDF4.Dataset(tmp_path / "data.nc") as ds:
        assert ds["T"][:, 1, 2].tolist() == [0.0, 5.0]


# ---------------------------------------------------------------------- reading
def test_single_precision_and_integers_are_read_as_double(tmp_path):
    for kind in ("float32", "int16"):
        data(tmp_path, VALUES.reshape(2, 3).astype(kind))
        assert found(tmp_path, place()).dtype == np.float64
        assert found(tmp_path, place()).tolist() == VALUES.tolist()


def test_a_missing_output_is_the_models_fault(tmp_path):
    with pytest.raises(ModelError, match=r"data\.nc: ended without writing its output \(does the model"):
        found(tmp_path, place())


def test_an_output_that_was_there_before_is_not_read(tmp_path):
    data(tmp_path)
    mark(tmp_path, ["data.nc"])
    with pytest.raises(ModelError, match=r"data\.nc: ended without writing its output anew"):
        found(tmp_path, place())


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"name": "OTHER"}, r"there is no such variable \(the file holds OTHER\)"),
        ({"values": np.zeros((3, 2))}, "has lat=3 x lon=2, declared is lat=2 x lon=3"),
        ({"values": np.zeros(6), "dims": ("cell",)}, "has cell=6, declared is lat=2 x lon=3"),
        ({"values": np.full((2, 3), np.nan)}, "holds 6 missing or infinite values of 6"),
        ({"values": np.full((2, 3), np.inf)}, "holds 6 missing or infinite values of 6"),
        ({"values": np.full((2, 3), "a")}, "no numbers"),
    ],
)
def test_an_output_that_cannot_be_used_is_refused(tmp_path, change, what):
    data(tmp_path, **change)
    with pytest.raises(DataError, match=rf"T in data\.nc: .*{what}"):
        found(tmp_path, place())


def test_fill_values_are_missing(tmp_path):
    with netCDF4.Dataset(tmp_path / "data.nc", "w") as ds:
        for name, length in (("lat", 2), ("lon", 3)):
            ds.createDimension(name, length)
        ds.createVariable("T", "f4", ("lat", "lon"))[0, :2] = 1.0
    with pytest.raises(DataError, match="holds 4 missing or infinite values of 6"):
        found(tmp_path, place())


def test_missing_values_in_cells_that_are_masked_out_become_zero(tmp_path):
    values = VALUES.reshape(2, 3).copy()
    values[0, 2] = np.nan
    data(tmp_path, values)
    assert found(tmp_path, place(SEA)).tolist() == [0.0, 1.0, 0.0, 3.0, 4.0, 5.0]


def test_units_that_the_file_does_not_say_are_those_declared(tmp_path):
    data(tmp_path, units=None)
    assert found(tmp_path, place(file_units="mK"))[5] == pytest.approx(0.005, rel=1e-15)


@pytest.mark.parametrize("units", ["degC", "kg", "gibberish"])
def test_other_units_in_the_file_are_refused(tmp_path, units):
    data(tmp_path, units=units)
    with pytest.raises(UnitsError, match=f"the file says '{units}', declared is 'K'"):
        found(tmp_path, place())


def test_units_may_be_spelt_otherwise(tmp_path):
    data(tmp_path, units="kelvin")
    assert found(tmp_path, place()).tolist() == VALUES.tolist()


def test_what_is_no_netcdf_file_is_refused(tmp_path):
    (tmp_path / "data.nc").write_text("error: no licence")
    with pytest.raises(DataError, match=r"data\.nc: is no netCDF file that can be read"):
        found(tmp_path, place())


# ---------------------------------------------------------------------- the template
def test_the_first_field_is_read_from_the_template(tmp_path):
    data(tmp_path)
    mark(tmp_path, ["data.nc"])  # it need not be written by a model
    assert read_template(tmp_path, place()).tolist() == VALUES.tolist()
    with pytest.raises(DataError, match=r"absent\.nc: the template lacks this file .*`initial`"):
        read_template(tmp_path, place(file="absent.nc"))


# ---------------------------------------------------------------------- derivatives
def test_a_derivative_stands_under_its_role_scaled_without_offset(tmp_path):
    rate = place(file_units="degC").derivative("import", "given.nc", 2.0)
    write(tmp_path, [(rate, VALUES)], NetCDF.OFFSET)
    with netCDF4.Dataset(tmp_path / "given.nc") as ds:
        assert ds["import_t"][:].ravel().tolist() == (2 * VALUES).tolist()
        assert "units" not in ds["import_t"].ncattrs()
    assert found(tmp_path, rate).tolist() == (4 * VALUES).tolist()

"""Files as retrievals of satellites have them: what is read, and what is used of it."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest
import torch

from tradewind.couplers.operators import dot_test
from tradewind.errors import ConfigError, DataError
from tradewind.plugins.observations.column import ColumnOperator
from tradewind.plugins.observations.options import ColumnOptions

FIELD = torch.tensor([2000.0, 1800.0]).double()[:, None] * torch.ones(4).double()
PIXEL = "time", "scanline", "ground_pixel"
LAYERS = (*PIXEL, "layer")
ALL_GOOD = {"qa": (1.0, 1.0, 1.0)}
DAY = np.datetime64("2000-01-01", "ns")


def values_of(operator, window):
    """Return the window's values, and what is simulated of `FIELD`."""
    seen = operator.windows([window])[window]
    (look,) = operator.looks(window).values()
    assert dot_test(look.linearize(FIELD if operator.observed.extra else FIELD[0])) <= 1e-14
    field = FIELD if operator.observed.extra else FIELD[0]
    return seen.y.tolist(), (look(field) + operator.offset(window)).tolist()


# ---------------------------------------------------------------------- like TROPOMI's
@pytest.fixture
def tropomi(tmp_path):
    """Return a function that writes one orbit of a scan line of three pixels and four layers.

    Pressure at the ground 1000 hPa, layers of 250 hPa, counted from the top; the kernel sees the lower
    half, and the prior is 1900 ppb throughout.
    """

    def tropomi(name="orbit.nc", qa=(1.0, 0.5, 0.4), xch4=(1850.0, 1860.0, 1870.0), **changes):
        path = tmp_path / name
        with netCDF4.Dataset(path, "w") as ds:
            product = ds.createGroup("PRODUCT")
            sizes = {"time": 1, "scanline": 1, "ground_pixel": 3, "layer": 4}
            for dim, size in sizes.items():
                product.createDimension(dim, size)
            inputs = product.createGroup("SUPPORT_DATA").createGroup("INPUT_DATA")
            details = product["SUPPORT_DATA"].createGroup("DETAILED_RESULTS")
            kernel, air = np.tile([0.0, 0.0, 1.0, 1.0], (3, 1)), np.full((3, 4), 100.0)
            every = {
                "latitude": (product, PIXEL, [30.4, 30.4, 31.4], "degrees_north"),
                "longitude": (product, PIXEL, [-101.4] * 3, "degrees_east"),
                "qa_value": (product, PIXEL, qa, "1"),
                "methane_mixing_ratio_bias_corrected": (product, PIXEL, xch4, "1e-9"),
                "methane_mixing_ratio_precision": (product, PIXEL, [10.0] * 3, "1e-9"),
                "surface_pressure": (inputs, PIXEL, [1e5] * 3, "Pa"),
                "pressure_interval": (inputs, PIXEL, [2.5e4] * 3, "Pa"),
                "dry_air_subcolumns": (inputs, LAYERS, air, "mol m-2"),
                "methane_profile_apriori": (inputs, LAYERS, air * 1900e-9, "mol m-2"),
                "column_averaging_kernel": (details, LAYERS, kernel, "1"),
                "surface_albedo_SWIR": (details, PIXEL, [0.1, 0.01, 0.3], "1"),
                "time": (product, ("time",), [0], "seconds since 2000-01-01"),
                "delta_time": (product, ("time", "scanline"), [3.6e6], "milliseconds"),
            }
            for key, (group, dims, values, units) in (every | changes).items():
                group = product if group is None else group  # noqa: PLW2901
                variable = group.createVariable(key, "f8", dims, fill_value=9.96921e36)
                variable[...] = np.asarray(values).reshape(variable.shape)
                variable.units = units
        return path

    return tropomi


@pytest.fixture
def column(air, sigma, windows):
    """Return a function that reads columns of a two-layer model."""

    def column(file, layered=True, **options):
        said = ColumnOptions.model_validate({"file": file, **options})
        operator = ColumnOperator(said, sigma if layered else air())
        operator.windows(windows)
        return operator

    return column


def test_a_swath_in_groups_is_read_with_its_kernel(tropomi, column, windows):
    operator = column(tropomi(**ALL_GOOD), format="tropomi")
    # the two lower layers lie in the model's lower one: half of 2000, and half of the prior
    assert values_of(operator, windows[0]) == ([1850.0, 1860.0, 1870.0], pytest.approx([1950.0] * 3))
    assert operator.notes == []


def test_soundings_are_used_above_half_of_the_quality(tropomi, column):
    operator = column(tropomi(), format="tropomi")
    assert operator.soundings.value.tolist() == [1850.0]
    assert operator.notes == ["2 of 3 observations dropped: its qa_value is not above 0.5"]


def test_another_limit_takes_the_place_of_the_formats(tropomi, column):
    operator = column(tropomi(), format="tropomi", quality={"qa_value": [0.5, None]})
    assert operator.notes == ["1 of 3 observations dropped: its qa_value is below 0.5"]


def test_further_variables_are_asked_besides(tropomi, column):
    operator = column(tropomi(**ALL_GOOD), format="tropomi", quality={"surface_albedo_SWIR": [0.02, 0.2]})
    (note,) = operator.notes
    assert note == "2 of 3 observations dropped: its surface_albedo_SWIR is not between 0.02 and 0.2"
    assert operator.dropped["its surface_albedo_SWIR is not between 0.02 and 0.2"] == 2


def test_a_file_without_quality_is_refused_until_told(tropomi, column, tmp_path):
    path = tropomi()
    with netCDF4.Dataset(path, "a") as ds:
        ds["PRODUCT"].renameVariable("qa_value", "other")
    with pytest.raises(DataError, match=r"no variable 'qa_value' .*`quality: {qa_value: null}`"):
        column(path, format="tropomi")
    assert len(column(path, format="tropomi", quality={"qa_value": None}).soundings) == 3


def test_missing_soundings_and_kernels_are_counted(tropomi, column):
    broken = np.tile([0.0, 0.0, 1.0, 1.0], (3, 1))
    broken[1, 2] = np.nan
    path = tropomi(
        **ALL_GOOD,
        xch4=(1850.0, 1860.0, 9.96921e36),
        column_averaging_kernel=(None, LAYERS, broken, "1"),
    )
    operator = column(path, format="tropomi")
    assert operator.notes == [
        "1 of 3 observations dropped: its value is missing",
        "1 of 3 observations dropped: its averaging kernel is missing",
    ]


def test_an_orbit_that_fails_does_not_end_the_others(tropomi, column):
    bad = tropomi("b.nc")
    bad.write_bytes(bad.read_bytes()[:1000])
    operator = column([tropomi("a.nc"), bad, tropomi("c.nc", xch4=(1851.0, 0.0, 0.0))], format="tropomi")
    assert operator.soundings.value.tolist() == [1850.0, 1851.0]
    assert operator.notes[0].endswith("b.nc")


def test_a_kernel_of_ones_sees_the_models_column(tropomi, column, windows):
    # layers of 0..0.25..0.5..0.75..1 of the ground's pressure, all of the air once: (2000 + 1800) / 2
    path = tropomi(**ALL_GOOD, column_averaging_kernel=(None, LAYERS, np.ones((3, 4)), "1"))
    assert values_of(column(path, format="tropomi"), windows[0])[1] == pytest.approx([1900.0] * 3, rel=1e-14)


def test_layers_that_straddle_the_models_are_shared(tropomi, column, windows):
    # at 800 hPa, four layers of 150 hPa end at 200: fractions 1, .8125, .625, .4375, .25 of the ground
    path = tropomi(
        **ALL_GOOD,
        surface_pressure=(None, PIXEL, [8e4] * 3, "Pa"),
        pressure_interval=(None, PIXEL, [150.0] * 3, "hPa"),
        column_averaging_kernel=(None, LAYERS, np.ones((3, 4)), "1"),
    )
    third = (2 * 2000.0 + 1 * 1800.0) / 3  # .625 to .4375: two thirds of it below .5
    expected = (2000.0 + 2000.0 + third + 1800.0) / 4
    assert values_of(column(path, format="tropomi"), windows[0])[1] == pytest.approx(
        [expected] * 3, rel=1e-12
    )


def test_a_background_that_is_a_number_is_seen_through_the_kernel(tropomi, column, windows):
    # 1900 everywhere and nothing more: what the kernel does not see is the prior, 1900 too
    operator = column(tropomi(**ALL_GOOD), format="tropomi", background=1900.0)
    (look,) = operator.looks(windows[0]).values()
    simulated = look(0.0 * FIELD) + operator.offset(windows[0])
    assert simulated.tolist() == pytest.approx([1900.0] * 3, rel=1e-14)


def test_of_a_column_the_kernel_is_not_used_and_that_is_told(tropomi, column, windows):
    operator = column(tropomi(**ALL_GOOD), layered=False, format="tropomi")
    assert operator.notes == ["averaging kernels are not applied: air.gas has no layers"]
    assert values_of(operator, windows[0])[1] == [2000.0] * 3


@pytest.mark.parametrize(
    ("name", "dims", "values", "units"),
    [
        ("delta_time", ("time", "scanline"), [3600.0], "seconds"),
        ("delta_time", ("time", "scanline", "ground_pixel"), [3.6e6] * 3, "milliseconds since 2000-01-01"),
    ],
)
def test_times_by_scan_line_or_pixel(tropomi, column, name, dims, values, units):
    operator = column(tropomi(**{name: (None, dims, values, units)}), format="tropomi")
    assert operator.soundings.time[0] == DAY + np.timedelta64(1, "h")


def test_a_day_is_no_time_of_a_sounding(tropomi, column):
    path = tropomi()
    with netCDF4.Dataset(path, "a") as ds:
        ds["PRODUCT"].renameVariable("delta_time", "other")
    with pytest.raises(DataError, match=r"one time for all soundings .*`delta_time`"):
        column(path, format="tropomi")


def test_times_as_texts(tropomi, column):
    path = tropomi()
    with netCDF4.Dataset(path, "a") as ds:
        product = ds["PRODUCT"]
        product.renameVariable("delta_time", "other")
        product.createVariable("time_utc", str, ("time", "scanline"))[0, 0] = "2000-01-01T01:00:00.000000Z"
    assert column(path, format="tropomi").soundings.time[0] == DAY + np.timedelta64(1, "h")


# ---------------------------------------------------------------------- like GOSAT's
@pytest.fixture
def gosat(tmp_path):
    """Return a function that writes two soundings of three levels, the second over high ground.

    Its lowest level is missing: -9999.99 throughout.
    """

    def gosat(flag=(0, 0), **changes):
        gone = -9999.99
        every = {
            "time": (("n",), [946688400.0] * 2, "seconds since 1970-01-01"),
            "latitude": (("n",), [30.4, 30.4], "degrees"),
            "longitude": (("n",), [-101.4] * 2, "degrees"),
            "xch4": (("n",), [1800.0, 1810.0], "ppb"),
            "xch4_uncertainty": (("n",), [9.0, 9.0], "ppb"),
            "xch4_quality_flag": (("n",), flag, ""),
            "pressure_levels": (("n", "m"), [[1000.0, 500.0, 0.5], [gone, 600.0, 0.3]], "hPa"),
            "pressure_weight": (("n", "m"), [[0.25, 0.5, 0.25], [gone, 0.5, 0.5]], ""),
            "xch4_averaging_kernel": (("n", "m"), [[1.0, 1.0, 0.0], [gone, 1.0, 1.0]], ""),
            "ch4_profile_apriori": (("n", "m"), [[1900.0, 1850.0, 1700.0], [gone, 1850.0, 1700.0]], "ppb"),
        }
        with netCDF4.Dataset(tmp_path / "gosat.nc", "w") as ds:
            ds.createDimension("n", 2), ds.createDimension("m", 3)
            for key, (dims, values, units) in (every | changes).items():
                variable = ds.createVariable(key, "f8", dims)
                variable[...] = values
                variable.units = units
        return tmp_path / "gosat.nc"

    return gosat


def test_soundings_by_level_are_read_with_their_kernel(gosat, column, windows):
    # linear between .75 and .25 of the ground's pressure: 2000 at 1, 1900 at .5, 1800 at .0005; the second
    # stands at 600 hPa: 2000 at 1, 1800 at .0005
    first = 0.25 * 2000 + 0.5 * 1900 + 0.25 * 1700
    second = 0.5 * 2000 + 0.5 * 1800
    operator = column(gosat(), format="gosat")
    assert values_of(operator, windows[0]) == ([1800.0, 1810.0], pytest.approx([first, second], rel=1e-12))
    assert operator.notes == []


def test_only_a_flag_of_zero_is_used(gosat, column):
    operator = column(gosat(flag=(0, 1)), format="gosat")
    assert operator.notes == ["1 of 2 observations dropped: its xch4_quality_flag is not between 0 and 0"]


def test_weights_that_do_not_sum_are_counted(gosat, column):
    off = {"pressure_weight": (("n", "m"), [[0.25, 0.5, 0.35], [-9999.99, 0.5, 0.5]], "")}
    assert column(gosat(**off), format="gosat").notes == [
        "1 of 2 observations dropped: its pressure weights do not sum to 1"
    ]


def test_a_level_of_which_only_the_kernel_is_missing_is_a_fault(gosat, column):
    hole = {"xch4_averaging_kernel": (("n", "m"), [[1.0, -9999.99, 0.0], [-9999.99, 1.0, 1.0]], "")}
    assert column(gosat(**hole), format="gosat").notes == [
        "1 of 2 observations dropped: its averaging kernel is missing"
    ]


def test_pressures_of_a_model_by_fractions_need_that_of_the_ground(gosat, column):
    said = {"weights": "pressure_weight", "pressure": "pressure_levels"}
    with pytest.raises(ConfigError, match=r"fractions of the pressure at the ground .*`surface_pressure`"):
        column(gosat(), format="gosat", retrieval=said)


def test_a_file_of_another_make_is_named(gosat, column):
    with pytest.raises(DataError, match=r"gosat\.nc: no variable"):
        column(gosat(), format="tropomi")

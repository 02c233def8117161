"""Several files of one stream: which are meant, and what becomes of one that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tradewind.errors import DataError
from tradewind.plugins.observations.column import ColumnOperator
from tradewind.plugins.observations.footprint import FootprintOperator
from tradewind.plugins.observations.options import ColumnOptions, FootprintOptions, OnFailure, PointOptions
from tradewind.plugins.observations.point import PointOperator
from tradewind.plugins.options import FOLDER

NAN = float("nan")


@pytest.fixture
def orbit(write, tmp_path):
    """Return a function that writes an orbit: the values of columns an hour after the start."""

    def orbit(name, *values, **more):
        several = len(values)
        made = write([1.0] * several, [-101.4] * several, [30.4] * several, list(values), **more)
        return made.rename(tmp_path / name)

    return orbit


@pytest.fixture
def seen(air, windows):
    """Return a function that reads files: the values of the first window, and the operator."""

    def seen(file, folder=None, **options):
        said = PointOptions.model_validate(
            {"file": file, "variable": "gas", **options}, context={FOLDER: folder} if folder else None
        )
        operator = PointOperator(said, air())
        return operator.windows(windows)[windows[0]].y.tolist(), operator

    return seen


def damaged(path):
    path.write_bytes(path.read_bytes()[:600])
    return path


# ---------------------------------------------------------------------- which files
def test_a_list_of_files_is_read_in_its_order(orbit, seen):
    values, operator = seen([orbit("b.nc", 2.0, 3.0), orbit("a.nc", 1.0)])
    assert values == [2.0, 3.0, 1.0]
    assert operator.notes == []
    assert operator.soundings.number.tolist() == [0, 1, 2]


def test_a_pattern_is_read_by_name_beside_the_run_config(orbit, seen, tmp_path):
    orbit("b.nc", 2.0), orbit("a.nc", 1.0), orbit("other.txt", 9.0)
    assert seen("*.nc", tmp_path)[0] == [1.0, 2.0]


def test_a_file_that_several_patterns_mean_is_read_once(orbit, seen, tmp_path):
    orbit("a.nc", 1.0), orbit("b.nc", 2.0)
    assert seen(["a.nc", "*.nc"], tmp_path)[0] == [1.0, 2.0]


def test_a_single_file_stays_a_path(tmp_path):
    options = PointOptions(file=tmp_path / "a.nc", variable="gas")
    assert options.file == tmp_path / "a.nc"
    assert options.files == (tmp_path / "a.nc",)


def test_a_pattern_that_fits_nothing_is_named(seen, tmp_path):
    with pytest.raises(DataError, match=r"orbit\*\.nc: cannot be read: no file fits this pattern"):
        seen("orbit*.nc", tmp_path)


# ---------------------------------------------------------------------- files that fail
def test_a_damaged_orbit_is_named_and_the_rest_goes_on(orbit, seen):
    files = [orbit("a.nc", 1.0), damaged(orbit("b.nc", 2.0)), orbit("c.nc", 3.0)]
    values, operator = seen(files)
    assert values == [1.0, 3.0]
    (note,) = operator.notes
    assert note.startswith("1 of 3 files left out: cannot be read: ")
    assert note.endswith(": b.nc")
    ((reason, count),) = ((r, n) for r, n in operator.dropped.items() if n)
    assert reason.startswith("file b.nc: cannot be read: ")
    assert count == 1


def test_orbits_that_fail_alike_are_told_together(orbit, seen):
    strange = {"gas": ("obs", [1.0], {"units": "K"})}
    files = [orbit("a.nc", 1.0), orbit("b.nc", 2.0, **strange), orbit("c.nc", 2.0, **strange)]
    values, operator = seen(files)
    assert values == [1.0]
    (note,) = operator.notes
    assert note.startswith("2 of 3 files left out: ")
    assert note.endswith(": b.nc, c.nc")


def test_an_orbit_without_a_variable_is_left_out(orbit, seen, tmp_path):
    with xr.open_dataset(orbit("full.nc", 2.0)) as ds:
        ds.drop_vars("gas_uncertainty").to_netcdf(tmp_path / "bare.nc")
    values, operator = seen([tmp_path / "bare.nc", orbit("a.nc", 1.0)])
    assert values == [1.0]
    assert operator.notes == ["1 of 2 files left out: no variable 'gas_uncertainty': bare.nc"]


def test_an_orbit_of_missing_values_does_not_end_the_others(orbit, seen):
    values, operator = seen([orbit("a.nc", 1.0), orbit("b.nc", NAN, NAN), orbit("c.nc", 3.0)])
    assert values == [1.0, 3.0]
    assert operator.notes == ["2 of 4 observations dropped: its value is missing"]
    assert operator.dropped["its value is missing"] == 2


def test_an_empty_orbit_is_no_fault(orbit, seen):
    values, operator = seen([orbit("a.nc", 1.0), orbit("b.nc")])
    assert values == [1.0]
    assert operator.notes == []


def test_an_orbit_with_other_layers_is_left_out(orbit, air):
    def layered(count):
        return {"h": (("obs", "layer"), np.full((1, count), 1 / count), {"units": "1"})}

    files = [orbit("a.nc", 1.0, **layered(2)), orbit("b.nc", 2.0, **layered(3))]
    said = {"file": files, "variable": "gas", "retrieval": {"weights": "h"}}
    operator = ColumnOperator(ColumnOptions.model_validate(said), air(2))
    assert operator.notes == ["1 of 2 files left out: weights of shape (3,), other files have (2,): b.nc"]


def test_other_units_of_what_is_read_besides_are_converted(orbit, air):
    # a prior of 1 ppm and one of 1000 ppb are the same
    def prior(value, units):
        shape = {"h": (("obs", "layer"), [[0.5, 0.5]], {"units": "1"})}
        return {**shape, "a": (("obs", "layer"), [[value, value]], {"units": units})}

    files = [orbit("a.nc", 1.0, **prior(1000.0, "ppb")), orbit("b.nc", 2.0, **prior(1.0, "ppm"))]
    said = {"file": files, "variable": "gas", "retrieval": {"weights": "h", "prior": "a"}}
    operator = ColumnOperator(ColumnOptions.model_validate(said), air(2))
    assert operator.soundings.more["prior"] == pytest.approx(np.full((2, 2), 1000.0), rel=1e-14)


def test_the_run_stops_when_told_to(orbit, seen):
    files = [orbit("a.nc", 1.0), damaged(orbit("b.nc", 2.0))]
    with pytest.raises(DataError, match=r"b\.nc: cannot be read"):
        seen(files, on_failure=OnFailure.STOP)


def test_a_single_file_that_fails_stops_the_run(orbit, seen):
    with pytest.raises(DataError, match=r"b\.nc: cannot be read"):
        seen(damaged(orbit("b.nc", 2.0)))


def test_when_all_fail_there_is_nothing_to_go_on_with(orbit, seen):
    files = [damaged(orbit("a.nc", 1.0)), damaged(orbit("b.nc", 2.0))]
    with pytest.raises(DataError, match=r"a\.nc and 1 more: none can be used; 2 of 2 files left out"):
        seen(files)


def test_what_is_left_out_is_counted_besides_what_has_no_window(write, air, windows):
    file = write([1.0, 2.0, 90.0], [-101.4] * 3, [30.4] * 3, [1.0, NAN, 3.0])
    operator = PointOperator(PointOptions(file=file, variable="gas"), air())
    operator.windows(windows)
    counted = {reason: count for reason, count in operator.dropped.items() if count}
    assert counted == {"its value is missing": 1, "they were made in no window": 1}


def test_kernels_of_other_parts_of_the_world_are_not_kept(write, tmp_path, air):
    def orbit(name, lon):
        more = {"h": (("obs", "layer"), np.full((2, 2), 0.5), {"units": "1"})}
        return write([1.0] * 2, lon, [30.4] * 2, [1.0, 2.0], **more).rename(tmp_path / name)

    files = [orbit("a.nc", [-101.4, 20.0]), orbit("b.nc", [100.0, 120.0])]
    said = {"file": files, "variable": "gas", "retrieval": {"weights": "h"}}
    operator = ColumnOperator(ColumnOptions.model_validate(said), air(2))
    assert operator.notes == ["3 of 4 observations dropped: it is outside of the grid"]
    assert operator.soundings.number.tolist() == [0]
    sieve = operator.sifted(operator.soundings)
    assert (len(sieve.kept), sieve.read) == (1, 1)


# ---------------------------------------------------------------------- footprints
def test_footprints_of_several_files_keep_their_observations(orbit, air, windows, simulate):
    # each observation sees twice, three times and five times the flux of the first cell
    def footprints(*factors):
        values = np.zeros((len(factors), 2, 2))
        values[:, 0, 0] = factors
        return {"footprint": (("obs", "lat", "lon"), values, {"units": "ppm m2 s umol-1"})}

    def file(name, *factors):
        seen = "obs", np.zeros(len(factors)), {"units": "ppm"}
        more = footprints(*factors) if name != "none.nc" else {}
        return orbit(name, *factors, gas=seen, gas_uncertainty=(*seen[:1], seen[1] + 1, seen[2]), **more)

    files = [file("a.nc", 2.0, 3.0), file("none.nc", 0.0), file("b.nc", 5.0)]
    said = {"file": files, "variable": "gas", "units": "ppm"}
    operator = FootprintOperator(FootprintOptions.model_validate(said), air(units="umol m-2 s-1"))
    operator.windows(windows)
    assert simulate(operator, windows[0], {1: [1.0, 0.0, 0.0, 0.0]}) == [2.0, 3.0, 5.0]
    assert operator.notes == ["1 of 3 files left out: no variable 'footprint': none.nc"]


def test_footprints_are_of_one_format():
    with pytest.raises(ValueError, match="of format cf"):
        FootprintOptions(file="a.nc", variable="gas", units="1", format="gosat")

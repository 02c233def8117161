"""The variable map: what becomes of the options."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.coupling.fields import Kind
from tradewind.couplers.coupling.units import Conversion
from tradewind.couplers.grids import Grid
from tradewind.errors import DataError, SpecError, UnitsError
from tradewind.plugins.external.options import ExternalOptions
from tradewind.plugins.external.places import Places


@pytest.fixture
def options(tmp_path, grid_file):
    def make(**changes):
        settings = {
            "command": ["model"],
            "template": tmp_path,
            "grid": {"file": grid_file},
            "imports": {
                "inflow": {
                    "file": "in.nc",
                    "units": "kg s-1",
                    "file_units": "g s-1",
                    "kind": Kind.FLUX_EXTENSIVE,
                }
            },
            "exports": {"level": {"file": "out.nc", "units": "m", "extra": {"level": 2}}},
            "state": {"amount": {"file": "a.nc", "output": "b.nc", "variable": "AMOUNT", "units": "kg"}},
            "parameters": {"rate": {"file": "in.nc", "units": "s-1"}},
        }
        return ExternalOptions(**settings | changes)

    return make


def test_the_spec_is_what_the_options_declare(options):
    chosen = options(restart=[{"file": "clock.bin"}], linear=True)
    spec = Places.of(chosen).spec(chosen)
    (inflow,), (level,), (amount,), (rate,) = spec.imports, spec.exports, spec.state, spec.parameters
    assert (inflow.name, inflow.units, inflow.kind) == ("inflow", "kg s-1", Kind.FLUX_EXTENSIVE)
    assert level.extra == (("level", 2),)
    assert amount.grid.size == 12
    assert rate.grid is None
    assert (spec.differentiable, spec.linear, spec.opaque) == (False, True, ("clock.bin",))


def test_a_model_with_an_adjoint_is_differentiable(options):
    chosen = options(adjoint={"command": ["adjoint"]})
    assert Places.of(chosen).spec(chosen).differentiable


def test_a_grid_is_read_once(options):
    chosen = options()
    spec = Places.of(chosen).spec(chosen)
    assert spec.imports[0].grid is spec.exports[0].grid is spec.state[0].grid


def test_a_variable_may_live_on_a_grid_of_its_own(options, tmp_path):
    other = Grid.latlon(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    other.to_dataset("cf").to_netcdf(tmp_path / "other.nc")
    settings = {"file": "in.nc", "units": "K", "grid": {"file": tmp_path / "other.nc"}}
    assert Places.of(options(imports={"t": settings})).given["import", "t"].shape == (2, 2)


def test_a_state_variable_may_be_written_to_another_file(options):
    places = Places.of(options())
    assert str(places.given["state", "amount"]) == "AMOUNT in a.nc"
    assert str(places.found["state", "amount"]) == "AMOUNT in b.nc"


def test_names_and_units_are_those_of_the_variable_where_nothing_else_is_said(options):
    places = Places.of(options())
    level, inflow = places.found["export", "level"], places.given["import", "inflow"]
    assert (level.name, level.units, level.into) == ("level", "m", Conversion(1.0, 0.0))
    assert (inflow.units, inflow.into.factor, inflow.back.factor) == (
        "g s-1",
        pytest.approx(1e3),
        pytest.approx(1e-3),
    )
    assert (level.dims, level.flat) == ((("level", 2), ("lat", 3), ("lon", 4)), (2, 12))


def test_two_variables_cannot_stand_in_one_place(options):
    twice = {name: {"file": "in.nc", "variable": "X", "units": "K"} for name in "ab"}
    with pytest.raises(SpecError, match=r"X in in\.nc: import a and import b are both there"):
        Places.of(options(imports=twice))


def test_a_missing_grid_file_is_named(options, tmp_path):
    with pytest.raises(DataError, match=r"absent\.nc: no such file"):
        Places.of(options(grid={"file": tmp_path / "absent.nc"}))


def test_units_that_do_not_fit_are_refused(options):
    with pytest.raises(UnitsError, match="'m' cannot become 'kg'"):
        Places.of(options(exports={"x": {"file": "o.nc", "units": "m", "file_units": "kg"}}))

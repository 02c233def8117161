"""An inventory: exports what its file says, or what was put in its place."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
import torch
import xarray as xr
from pydantic import ValidationError

from tradewind.couplers.coupling.component import Component, Interval
from tradewind.couplers.coupling.fields import Kind
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import DataError
from tradewind.plugins.emissions.gridded import GriddedEmissions
from tradewind.plugins.emissions.options import GriddedOptions

DAY = Interval(datetime(2000, 1, 1), datetime(2000, 1, 2))


@pytest.fixture
def inventory(tmp_path):
    """Return a function that writes an inventory of 2 by 3 cells and returns its component."""

    def build(values=None, name="methane_flux", **options):
        values = np.arange(6.0).reshape(2, 3) * 1e-9 if values is None else values
        ds = xr.Dataset(
            {name: (("lat", "lon"), values, {"units": "kg m-2 s-1"})},
            {
                "lat": ("lat", [30.0, 31.0], {"standard_name": "latitude", "units": "degrees_north"}),
                "lon": (
                    "lon",
                    [-103.0, -102.0, -101.0],
                    {"standard_name": "longitude", "units": "degrees_east"},
                ),
            },
        )
        ds.to_netcdf(tmp_path / "inventory.nc")
        return GriddedEmissions(GriddedOptions(file=tmp_path / "inventory.nc", **options))

    return build


def defaults(component):
    spec = component.describe()
    return component.defaults({v.name: Layout(v.grid) for v in spec.parameters})


def test_it_is_a_component(inventory):
    assert isinstance(inventory(), Component)


def test_the_spec_has_one_export_that_is_also_the_parameter(inventory):
    spec = inventory().describe()
    assert spec.exports == spec.parameters
    (flux,) = spec.exports
    assert (flux.name, flux.units, flux.kind) == ("methane_flux", "kg m-2 s-1", Kind.FLUX_INTENSIVE)
    assert flux.grid.size == 6
    assert spec.linear
    assert not spec.imports
    assert not spec.state


def test_the_parameter_is_what_the_file_holds(inventory):
    values = defaults(inventory())["methane_flux"]
    assert values.dtype == torch.float64
    assert values.tolist() == [pytest.approx([0.0, 1e-9, 2e-9, 3e-9, 4e-9, 5e-9])]


def test_a_step_exports_the_parameter_that_it_is_given(inventory):
    component = inventory()
    state = component.initialize(component.describe(), {}, 2)
    given = torch.rand(2, 6, dtype=torch.float64)
    exports, after = component.step(state, {}, {"methane_flux": given}, DAY)
    assert torch.equal(exports["methane_flux"], given)
    assert after == state


def test_gradients_pass_through(inventory):
    component = inventory()
    given = torch.rand(1, 6, dtype=torch.float64).requires_grad_()
    exports, _ = component.step(
        component.initialize(component.describe(), {}, 1), {}, {"methane_flux": given}, DAY
    )
    exports["methane_flux"].sum().backward()
    assert given.grad.tolist() == [[1.0] * 6]


def test_another_variable_can_be_named(inventory):
    component = inventory(name="ethane_flux", variable="ethane_flux")
    assert component.describe().exports[0].name == "ethane_flux"


def test_a_missing_variable_is_named_with_those_that_exist(inventory):
    with pytest.raises(DataError, match=r"no variable 'methane_flux' \(it holds ethane_flux\)"):
        inventory(name="ethane_flux").describe()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.nc: inventory file not found"):
        GriddedEmissions(GriddedOptions(file=tmp_path / "absent.nc")).describe()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_fluxes_that_are_not_numbers_are_counted_and_refused(inventory, bad):
    values = np.full((2, 3), 1e-9)
    values[1, 1:] = bad
    with pytest.raises(DataError, match=r"methane_flux holds 2 missing or infinite values \(write 0"):
        defaults(inventory(values))


# ---------------------------------------------------------------------- sectors
UNITS = {"units": "kg m-2 s-1"}


@pytest.fixture
def sectors(tmp_path):
    """Return a function that writes two sectors of 2 by 3 cells and returns their component."""

    def build(oil=1e-9, coal=2e-9, units=UNITS, lat=(30.0, 31.0), **options):
        where = {"standard_name": "latitude", "units": "degrees_north"}
        east = {"standard_name": "longitude", "units": "degrees_east"}
        ds = xr.Dataset(
            {
                "flux_oil": (("lat", "lon"), np.broadcast_to(oil, (2, 3)), UNITS),
                "flux_coal": (("y", "lon"), np.broadcast_to(coal, (2, 3)), units),
            },
            {
                "lat": ("lat", [30.0, 31.0], where),
                "y": ("y", list(lat), where),
                "lon": ("lon", [-103.0, -102.0, -101.0], east),
            },
        )
        ds.to_netcdf(tmp_path / "sectors.nc")
        settings = {"sectors": {"oil": "flux_oil", "coal": "flux_coal"}} | options
        return GriddedEmissions(GriddedOptions(file=tmp_path / "sectors.nc", **settings))

    return build


def layouts_of(component):
    return dict.fromkeys(("oil", "coal", "methane_flux"), Layout(component.grid))


def test_every_sector_is_a_parameter_and_their_sum_is_exported(sectors):
    spec = sectors().describe()
    assert [v.name for v in spec.parameters] == ["oil", "coal"]
    assert [v.name for v in spec.exports] == ["methane_flux"]
    assert {v.units for v in (*spec.parameters, *spec.exports)} == {"kg m-2 s-1"}


def test_sectors_are_those_of_the_file(sectors):
    component = sectors()
    defaults = component.defaults(layouts_of(component))
    assert defaults["oil"].tolist() == [[1e-9] * 6]
    assert defaults["coal"].tolist() == [[2e-9] * 6]


def test_what_is_put_for_one_sector_changes_the_sum_by_that(sectors):
    component = sectors()
    fluxes = component.defaults(layouts_of(component)) | {
        "oil": torch.full((1, 6), 5e-9, dtype=torch.float64)
    }
    exports, _ = component.step(component.initialize(component.describe(), {}, 1), {}, fluxes, DAY)
    assert exports["methane_flux"].tolist() == [[pytest.approx(7e-9, rel=1e-15)] * 6]


def test_sectors_of_other_units_cannot_be_added_up(sectors):
    with pytest.raises(DataError, match="flux_oil and flux_coal have units 'kg m-2 s-1' and 'g m-2 s-1'"):
        sectors(units={"units": "g m-2 s-1"}).describe()


def test_sectors_on_other_grids_cannot_be_added_up(sectors):
    with pytest.raises(DataError, match="flux_oil and flux_coal are on different grids"):
        sectors(lat=(40.0, 41.0)).describe()


def test_a_sector_with_gaps_is_named(sectors):
    component = sectors(coal=np.nan)
    with pytest.raises(DataError, match="flux_coal holds 6 missing"):
        component.defaults(layouts_of(component))


def test_a_sector_that_is_not_in_the_file_is_named(sectors):
    with pytest.raises(DataError, match="no variable 'flux_gas'"):
        sectors(sectors={"gas": "flux_gas"}).describe()


@pytest.mark.parametrize(
    ("sectors", "what"),
    [
        ({"oil": "flux", "gas": "flux"}, "'flux' is the variable of two sectors"),
        ({"methane_flux": "flux"}, "has the name of the sum"),
    ],
)
def test_sectors_that_would_be_counted_twice_are_refused(sectors, what):
    with pytest.raises(ValidationError, match=what):
        GriddedOptions(file="inventory.nc", sectors=sectors)

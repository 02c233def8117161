"""Fields of one number each, and the grids that a config can name."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tradewind.couplers.coupling.component import Component, Interval
from tradewind.couplers.coupling.fields import Kind
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import DataError, GridError
from tradewind.plugins.prescribed.constant import Constant
from tradewind.plugins.prescribed.grids import make_grid
from tradewind.plugins.prescribed.options import ConstantOptions, GridOptions
from tradewind.testing import ComponentConformance

DAY = Interval(datetime(2000, 1, 1), datetime(2000, 1, 1) + timedelta(days=1))
GRID = {"lat": {"start": 30, "stop": 31, "step": 1}, "lon": {"start": -103, "stop": -101, "step": 1}}
FIELDS = {
    "flux": {"value": 2.0, "units": "kg m-2 s-1", "kind": "flux"},
    "profile": {"value": [280.0, 250.0], "units": "K"},
}


def constant(**changes):
    return Constant(ConstantOptions.model_validate({"grid": GRID, "fields": FIELDS, **changes}))


def defaults(component):
    spec = component.describe()
    return component.defaults({v.name: Layout(v.grid) for v in spec.parameters})


def test_it_is_a_component():
    assert isinstance(constant(), Component)


def test_every_field_is_an_export_and_a_parameter():
    spec = constant().describe()
    assert spec.exports == spec.parameters
    flux, profile = spec.exports
    assert (flux.units, flux.kind, flux.extra) == ("kg m-2 s-1", Kind.FLUX_INTENSIVE, ())
    assert (profile.units, profile.kind, profile.extra) == ("K", Kind.STATE_INTENSIVE, (("level", 2),))


def test_amounts_of_whole_cells_are_said():
    fields = {"m": {"value": 1.0, "units": "kg s-1", "kind": "flux", "extent": "extensive"}}
    assert constant(fields=fields).describe().exports[0].kind is Kind.FLUX_EXTENSIVE


def test_one_number_stands_in_every_cell_and_one_of_a_list_on_every_level():
    found = defaults(constant())
    assert found["flux"].tolist() == [[2.0] * 6]
    assert found["profile"].tolist() == [[[280.0] * 6, [250.0] * 6]]


def test_a_step_exports_what_was_put_in_place_of_a_number():
    component = constant()
    given = {"flux": torch.rand(3, 6).double(), "profile": torch.rand(3, 2, 6).double()}
    exports, _ = component.step(component.initialize(component.describe(), {}, 3), {}, given, DAY)
    assert all(torch.equal(exports[name], given[name]) for name in given)


def test_members_of_a_default_do_not_share_memory():
    value = defaults(constant())["flux"]
    value[0, 0] = 5.0
    assert value[0, 1] == 2.0


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({}, "at least 1 item"),
        ({"x": {"value": 1.0}}, "units"),
        ({"x": {"value": 1.0, "units": " "}}, "units"),
        ({"x": {"value": float("nan"), "units": "K"}}, "write a number, .* not nan"),
        ({"x": {"value": [1.0, "a"], "units": "K"}}, "not 'a'"),
        ({"x": {"value": True, "units": "K"}}, "not True"),
        ({"x": {"value": [], "units": "K"}}, r"not \[\]"),
        ({"a b": {"value": 1.0, "units": "K"}}, "a b"),
    ],
)
def test_what_cannot_be_a_field_is_refused(fields, match):
    with pytest.raises(ValidationError, match=match):
        constant(fields=fields)


# ---------------------------------------------------------------------- grids
def grid(**said):
    return make_grid(GridOptions.model_validate(said))


def test_axes_hold_both_ends():
    assert grid(**GRID) == Grid.latlon([30.0, 31.0], [-103.0, -102.0, -101.0])


def test_axes_may_fall():
    assert grid(lat={"start": 31, "stop": 30, "step": 1}, lon=GRID["lon"]) == Grid.latlon(
        [31.0, 30.0], [-103.0, -102.0, -101.0]
    )


def test_axes_may_be_lists():
    assert grid(lat=[0.0, 1.0, 4.0], lon=[0.0, 10.0]) == Grid.latlon([0.0, 1.0, 4.0], [0.0, 10.0])


def test_a_box_is_that_of_the_transport_model_to_the_bit():
    from tradewind.plugins.transport.domain import Domain

    box = {"west": -122.5, "east": -70.0, "south": 20.0, "north": 60.0}
    for spacing in (0.5, 0.1, 0.7 / 7):
        expected = Domain(*box.values(), spacing, (1.0, 0.0)).grid
        assert grid(region=box, spacing=spacing).fingerprint == expected.fingerprint


def test_a_box_may_be_the_whole_earth():
    whole = grid(region={"west": 0, "east": 360, "south": -90, "north": 90}, spacing=30.0)
    assert whole.size == 72
    assert whole.area.sum() == pytest.approx(4 * np.pi)


def test_a_grid_may_be_that_of_a_file(tmp_path):
    given = Grid.latlon([0.0, 1.0], [0.0, 10.0])
    given.to_file(tmp_path / "grid.nc")
    assert grid(file=tmp_path / "grid.nc") == given
    assert list(constant(grid={"file": tmp_path / "grid.nc"}).inputs()) == [tmp_path / "grid.nc"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.nc"):
        grid(file=tmp_path / "absent.nc")


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"region": {"west": 0, "east": 10, "south": 0, "north": 5}, "spacing": 3}, "5 degrees of latitude"),
        (
            {"region": {"west": 0, "east": 10, "south": 0, "north": 10}, "spacing": 30},
            "10 degrees of latitude",
        ),
        ({"lat": {"start": 0, "stop": 5, "step": 2}, "lon": [0.0, 1.0]}, "from 0 to 5 are no whole number"),
    ],
)
def test_cells_that_do_not_fit_are_refused(said, match):
    with pytest.raises(GridError, match=match):
        grid(**said)


@pytest.mark.parametrize(
    "axis", [{"start": 0, "stop": 1}, {"start": 0, "stop": 1, "step": 1, "centres": [0, 1]}, {}]
)
def test_an_axis_is_said_in_one_way(axis):
    with pytest.raises(ValidationError, match="an axis needs start, stop and step, or a list"):
        grid(lat=axis, lon=[0.0, 1.0])


@pytest.mark.parametrize("said", [{}, {"lat": [0.0]}, {"file": "a.nc", "spacing": 1.0}, {"variable": "x"}])
def test_a_grid_is_named_in_one_way(said):
    with pytest.raises(ValidationError, match="a grid needs file"):
        grid(**said)


def test_edges_must_be_in_order():
    with pytest.raises(ValidationError, match="east must exceed west"):
        grid(region={"west": 10, "east": 0, "south": 0, "north": 5}, spacing=1)


class TestConstant(ComponentConformance):
    def component(self):
        return constant()

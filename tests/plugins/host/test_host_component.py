"""The host as a component: what is put is exported, and a step of its own answers when it is registered."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tradewind.couplers.coupling.component import Component, Interval
from tradewind.couplers.coupling.fields import State
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.plugins.host.component import Enlisted, Host
from tradewind.plugins.host.options import HostOptions
from tradewind.testing import ComponentConformance

GRID = {"lat": [0, 10], "lon": [0, 10, 20]}
SAID = {
    "imports": {"rain": {"units": "mm d-1", "kind": "flux"}},
    "exports": {"warmth": {"units": "K", "levels": 2}},
    "state": {"ice": {"units": "m", "initial": 0.5}},
    "parameters": {"albedo": {"value": 0.3}, "depth": {"value": 9.0, "units": "m", "per": "cell"}},
}
HOUR = Interval(datetime(2020, 1, 1), datetime(2020, 1, 1) + timedelta(hours=1))


def host(**said) -> Host:
    return Host(HostOptions.model_validate({"grid": GRID, **SAID, **said}))


def layouts(component) -> dict[str, Layout]:
    spec = component.describe()
    layout = Layout(component.grid)
    every = (*spec.imports, *spec.exports, *spec.state, *spec.parameters)
    return {v.name: layout for v in every if v.grid is not None}


class TestConformance(ComponentConformance):
    """Of what a host gives; what it takes goes no further than to the host."""

    def component(self) -> Component:
        return host(imports={})


def test_every_export_is_a_parameter_of_its_name():
    spec = host().describe()
    assert [v.name for v in spec.exports] == ["warmth"]
    assert [v.name for v in spec.parameters] == ["warmth", "albedo", "depth"]


def test_what_is_put_is_exported_and_the_state_stays():
    state, put = State({"ice": torch.ones(1, 6)}), {"warmth": torch.arange(12.0).reshape(1, 2, 6)}
    exports, after = host().step(state, {}, put, HOUR)
    assert exports["warmth"] is put["warmth"]
    assert after is state


def test_parameters_begin_with_what_the_config_says():
    component = host()
    found = component.defaults(layouts(component))
    assert found["albedo"].tolist() == [0.3]
    assert found["depth"].tolist() == [[9.0] * 6]


def test_the_state_begins_with_what_the_config_says():
    component = host(precision="single")
    ice = component.initialize(component.describe(), layouts(component), 2).fields["ice"]
    assert ice.tolist() == [[0.5] * 6] * 2
    assert ice.dtype == torch.float32


def test_all_fields_are_of_one_precision():
    assert set(host().dtypes.values()) == {torch.float64}
    assert set(host(precision="single").dtypes.values()) == {torch.float32}


def test_without_a_grid_it_takes_that_of_the_host():
    component = host(grid=None)
    assert component.gridless
    assert all(v.grid is None for v in component.describe().exports)
    grid = Grid.points(np.array([1.0, 2.0]), np.zeros(2))
    component.adopt(grid)
    assert not component.gridless
    spec = component.describe()
    assert all(v.grid is grid for v in (*spec.imports, *spec.exports, *spec.state))
    assert [v.grid for v in spec.parameters if v.name == "albedo"] == [None]


@pytest.mark.parametrize(
    "said",
    [
        {"imports": {}, "exports": {}, "state": {}},
        {"parameters": {"ice": {"value": 1.0}}},
        {"precision": "quadruple"},
        {"exports": {"warmth": {"unit": "K"}}},
    ],
)
def test_settings_that_mean_nothing_are_refused(said):
    with pytest.raises(ValidationError):
        HostOptions.model_validate({"grid": GRID, **SAID, **said})


# ---------------------------------------------------------------------- with a step of its own
def stepping(state, imports, parameters, interval):
    ice = state.fields["ice"] + imports["rain"]
    return {"warmth": torch.stack([ice, -ice], dim=1)}, State({"ice": ice})


def test_a_registered_step_answers():
    enlisted = Enlisted(host(), stepping)
    exports, after = enlisted.step(State({"ice": torch.ones(1, 6)}), {"rain": torch.ones(1, 6)}, {}, HOUR)
    assert after.fields["ice"].tolist() == [[2.0] * 6]
    assert exports["warmth"][0, 1].tolist() == [-2.0] * 6


def test_answers_of_a_step_are_no_parameters():
    assert [v.name for v in Enlisted(host(), stepping).describe().parameters] == ["albedo", "depth"]


def test_a_step_is_differentiable_with_tangent_and_adjoint_only():
    none = Enlisted(host(), stepping)
    half = Enlisted(host(), stepping, jvp=lambda call, tangents: {})
    both = Enlisted(host(), stepping, lambda call, tangents: {}, lambda call, cotangents: {})
    assert [c.describe().differentiable for c in (none, half, both)] == [False, False, True]
    assert [hasattr(c, "jvp") for c in (none, half, both)] == [False, True, True]


def test_a_registered_step_keeps_the_grid_that_the_host_has_told():
    passive = host(grid=None)
    grid = Grid.points(np.array([1.0, 2.0]), np.zeros(2))
    passive.adopt(grid)
    assert Enlisted(passive, stepping).grid is grid


def test_linear_is_what_gives_nothing_when_it_is_given_nothing():
    assert not host().describe().linear
    assert host(imports={}, state={}).describe().linear


def test_linear_is_what_the_config_says_of_the_step():
    assert not Enlisted(host(), stepping).describe().linear
    assert Enlisted(host(linear=True), stepping).describe().linear

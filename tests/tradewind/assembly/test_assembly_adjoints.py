"""Which components a method that needs gradients asks an adjoint of: those from control to observations."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tradewind.assembly.estimation.method import _without_adjoint
from tradewind.couplers.coupling.fields import Spec


def exchange(way):
    source, target = (SimpleNamespace(component=name) for name in way.split(">"))
    return SimpleNamespace(source=source, target=target, moving=None)


def assembly(rigid, surrogate=(), observed=("air.column",), controlled=("land.flux",)):
    """Return land and wetland feeding the air, which feeds a lake; those in `rigid` have no adjoint."""
    members = {
        name: SimpleNamespace(
            spec=Spec(differentiable=name not in rigid), surrogate=object() if name in surrogate else None
        )
        for name in ("land", "wetland", "air", "lake")
    }
    return SimpleNamespace(
        members=members,
        exchanges=[exchange(way) for way in ("land>air", "wetland>air", "air>lake")],
        control=controlled and SimpleNamespace(targets=controlled),
        observe=observed and SimpleNamespace(observes=observed),
    )


@pytest.mark.parametrize("name", ["land", "air"])
def test_a_component_on_the_way_needs_an_adjoint(name):
    assert list(_without_adjoint(assembly({name}))) == [name]


@pytest.mark.parametrize("name", ["wetland", "lake"])
def test_one_beside_the_way_does_not(name):
    assert list(_without_adjoint(assembly({name}))) == []


def test_one_that_is_observed_itself_does():
    assert list(_without_adjoint(assembly({"lake", "wetland"}, observed=("lake.level",)))) == ["lake"]


def test_a_surrogate_brings_its_own():
    assert list(_without_adjoint(assembly({"air"}, surrogate={"air"}))) == []


def test_where_nothing_leads_from_the_control_to_the_observations_nothing_is_asked():
    apart = assembly({"land", "lake"}, observed=("land.flux",), controlled=("lake.level",))
    assert list(_without_adjoint(apart)) == []


def test_every_way_from_a_field_to_an_observation_counts():
    every = {"land", "wetland", "air", "lake"}
    several = assembly(every, observed=("air.column", "lake.level"), controlled=("wetland.flux", "air.wind"))
    assert list(_without_adjoint(several)) == ["wetland", "air", "lake"]


def test_a_state_that_is_observed_where_it_is_controlled_needs_an_adjoint():
    assert list(_without_adjoint(assembly({"air"}, controlled=("air.column",)))) == ["air"]


@pytest.mark.parametrize("missing", [{"observed": None}, {"controlled": None}])
def test_what_is_missing_is_reported_elsewhere(missing):
    assert list(_without_adjoint(assembly({"air"}, **missing))) == []

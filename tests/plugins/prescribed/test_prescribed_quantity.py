"""What a variable of a file measures, as far as CF attributes tell."""

from __future__ import annotations

import pytest

from tradewind.couplers.coupling.fields import Kind
from tradewind.errors import DataError, UnitsError
from tradewind.plugins.prescribed.options import Extent, Nature
from tradewind.plugins.prescribed.quantity import kind_of, units_of

STATE, FLUX = Kind.STATE_INTENSIVE, Kind.FLUX_INTENSIVE


def kind(units, name="", said=(None, None)):
    return kind_of(units, {"standard_name": name} if name else {}, said, "f.nc, x")


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("kg m-2 s-1", FLUX),
        ("mol m-2 s-1", FLUX),
        ("g m-2 day-1", FLUX),
        ("umol m-2 s-1", FLUX),
        ("W m-2", FLUX),
        ("kg s-1", Kind.FLUX_EXTENSIVE),
        ("Tg year-1", Kind.FLUX_EXTENSIVE),
        ("W", Kind.FLUX_EXTENSIVE),
        ("m3 s-1", Kind.FLUX_EXTENSIVE),
        ("kg", Kind.STATE_EXTENSIVE),
        ("J", Kind.STATE_EXTENSIVE),
        ("m3", Kind.STATE_EXTENSIVE),
        ("K", STATE),
        ("degC", STATE),
        ("kg m-2", STATE),
        ("kg m-3", STATE),
        ("J m-2", STATE),
        ("kg kg-1", STATE),
        ("ppb", STATE),
        ("1", STATE),
        ("1e-9", STATE),
        ("Pa", STATE),
        ("m", STATE),
        ("m2 s-2", STATE),
    ],
)
def test_units_tell_most(units, expected):
    assert kind(units) is expected


@pytest.mark.parametrize(
    ("units", "name", "expected"),
    [
        ("m s-1", "eastward_wind", STATE),
        ("m s-1", "lwe_precipitation_rate", FLUX),
        ("s-1", "atmosphere_relative_vorticity", STATE),
        ("K s-1", "tendency_of_air_temperature", FLUX),
        ("mm day-1", "rainfall_rate", FLUX),
        ("Pa s-1", "lagrangian_tendency_of_air_pressure", STATE),
    ],
)
def test_standard_names_tell_a_velocity_from_a_rate(units, name, expected):
    assert kind(units, name) is expected


@pytest.mark.parametrize("units", ["m s-1", "s-1", "K s-1"])
def test_what_neither_tells_is_not_guessed(units):
    with pytest.raises(DataError, match=rf"f\.nc, x: is something in '{units}' a state .*say `kind: state`"):
        kind(units)


def test_what_the_user_says_goes_before_all():
    assert kind("m s-1", said=(Nature.FLUX, None)) is FLUX
    assert kind("kg m-2 s-1", said=(Nature.STATE, None)) is STATE
    assert kind("1", said=(None, Extent.EXTENSIVE)) is Kind.STATE_EXTENSIVE
    assert kind("kg s-1", said=(None, Extent.INTENSIVE)) is FLUX


def test_units_of_the_file_are_kept_unless_others_are_wanted():
    assert units_of({"units": "g"}, None, "x") == ("g", "g")
    assert units_of({"units": "g"}, "kg", "x") == ("g", "kg")
    assert units_of({}, "kg", "x") == ("kg", "kg")


def test_without_units_nothing_is_guessed():
    with pytest.raises(DataError, match="has no units"):
        units_of({"units": " "}, None, "x")


def test_units_that_cannot_become_the_wanted_ones_are_refused():
    with pytest.raises(UnitsError, match="cannot become"):
        units_of({"units": "g"}, "m", "x")

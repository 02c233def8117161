"""Units: factors by hand, and every guess refused."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.coupling.units import (
    conversion,
    convert,
    convertible,
    factor,
    has_offset,
    molar_mass,
    needs_molar_mass,
)
from tradewind.errors import UnitsError

YEAR = 365.25 * 86400


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("hPa", "Pa", 100.0),
        ("kg m-2 s-1", "g m^-2 s^-1", 1000.0),
        ("kg/m2/s", "kg m**-2 s**-1", 1.0),
        ("1 / s", "s-1", 1.0),
        ("W m-2", "J s-1 m-2", 1.0),
        ("m2 s-2", "J kg-1", 1.0),
        ("umol m-2 s-1", "mol m-2 s-1", 1e-6),
        ("Tg yr-1", "kg s-1", 1e9 / YEAR),
        ("g kg-1", "kg kg-1", 1e-3),
        ("%", "1", 0.01),
        ("1e-3 kg", "g", 1.0),
        ("10 m", "m", 10.0),
        ("mol mol-1", "ppb", 1e9),
        ("ppbv", "ppm", 1e-3),
        ("1e-9 mol mol-1", "ppb", 1.0),
        ("1e-9", "1", 1e-9),
        ("kg kg-1", "1", 1.0),
        ("degC s-1", "K s-1", 1.0),
        ("molec cm-2", "mol m-2", 1e4 / 6.02214076e23),
    ],
)
def test_factors_by_hand(source: str, target: str, expected: float) -> None:
    assert factor(source, target) == pytest.approx(expected, rel=1e-14)


def test_equal_units_convert_exactly() -> None:
    assert conversion("mol m-2 s-1", "mol m-2 s-1") == (1.0, 0.0)


@pytest.mark.parametrize(
    ("source", "target", "at_zero", "at_hundred"),
    [("degC", "K", 273.15, 373.15), ("degC", "degF", 32.0, 212.0), ("K", "degC", -273.15, -173.15)],
)
def test_temperatures_have_a_factor_and_an_offset(
    source: str, target: str, at_zero: float, at_hundred: float
) -> None:
    found = conversion(source, target)
    assert found.offset == pytest.approx(at_zero, abs=1e-10)
    assert found.factor * 100 + found.offset == pytest.approx(at_hundred, abs=1e-10)


def test_an_offset_is_no_factor() -> None:
    with pytest.raises(UnitsError, match="it has an offset"):
        factor("degC", "K")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("kg m-2 s-1", "mol m-2 s-1"),
        ("kg kg-1", "mol mol-1"),
        ("kg kg-1", "ppb"),
        ("mg/kg", "ppmv"),
        ("m3 m-3", "kg kg-1"),
    ],
)
def test_mass_amount_and_volume_are_never_mixed(source: str, target: str) -> None:
    assert not convertible(source, target)
    assert not convertible(target, source)


def test_refusing_mass_for_amount_says_why() -> None:
    with pytest.raises(UnitsError, match="molar mass"):
        conversion("kg m-2 s-1", "mol m-2 s-1")


def test_water_depth_is_not_water_mass() -> None:
    with pytest.raises(UnitsError, match=r"\[length\] is not \[mass\]"):
        conversion("mm", "kg m-2")


@pytest.mark.parametrize("text", ["gC m-2", "(", "-", "m +", "[", "none", "days since 2000-01-01", "m 2 3"])
def test_unknown_units_are_named(text: str) -> None:
    with pytest.raises(UnitsError) as caught:
        conversion(text, "kg")
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(("source", "target"), [("", "1"), ("1", ""), (" ", "kg")])
def test_missing_units_are_not_guessed(source: str, target: str) -> None:
    with pytest.raises(UnitsError, match="write 1 where a quantity has no dimension"):
        conversion(source, target)


def test_errors_name_the_variable() -> None:
    with pytest.raises(UnitsError, match=r"^winds\.nc: u: units"):
        convert(1.0, "K", "m s-1", "winds.nc: u")


def test_arrays_and_tensors_keep_their_kind() -> None:
    array = convert(np.array([0.0, 10.0]), "degC", "K")
    tensor = convert(torch.tensor([1.0, 2.0], dtype=torch.float64), "hPa", "Pa")
    np.testing.assert_array_equal(array, [273.15, 283.15])
    assert tensor.dtype is torch.float64
    assert tensor.tolist() == [100.0, 200.0]


def test_nothing_is_copied_when_units_agree() -> None:
    values = np.ones(3)
    assert convert(values, "K", "kelvin") is values


@given(
    st.sampled_from(["Pa", "hPa", "kPa", "bar", "N m-2", "J m-3"]),
    st.sampled_from(["Pa", "hPa", "kPa", "bar", "N m-2", "J m-3"]),
)
def test_there_and_back_is_one(a: str, b: str) -> None:
    assert math.isclose(factor(a, b) * factor(b, a), 1.0, rel_tol=1e-14)


@given(st.sampled_from(["degC", "K", "degF"]), st.sampled_from(["degC", "K", "degF"]), st.floats(-100, 100))
def test_temperatures_come_back(a: str, b: str, value: float) -> None:
    assert convert(convert(value, a, b), b, a) == pytest.approx(value, abs=1e-10)


def test_pint_is_loaded_only_when_asked() -> None:
    code = (
        "import sys, tradewind.couplers.coupling.units as u; u.conversion('K', 'K');"
        "raise SystemExit(len({'pint', 'torch', 'xarray'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---------------------------------------------------------------------- molar masses
METHANE = 16.04


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("kg m-2 s-1", "mol m-2 s-1", 1000 / METHANE),
        ("kg m-2 s-1", "umol m-2 s-1", 1e9 / METHANE),
        ("mol m-2 s-1", "kg m-2 s-1", METHANE / 1000),
        ("g", "mol", 1 / METHANE),
        ("Tg yr-1", "mol s-1", 1e12 / METHANE / YEAR),
        # w = 1: as heavy as all the air, of which there is M_air / M times as much
        ("kg kg-1", "mol mol-1", 28.9644 / METHANE),
        ("kg kg-1", "ppb", 1e9 * 28.9644 / METHANE),
        ("ppb", "kg kg-1", 1e-9 * METHANE / 28.9644),
        ("g kg-1", "ppm", 1e3 * 28.9644 / METHANE),
    ],
)
def test_mass_becomes_amount_with_a_molar_mass(source: str, target: str, expected: float) -> None:
    assert conversion(source, target, METHANE).factor == pytest.approx(expected, rel=1e-14)
    assert needs_molar_mass(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("kg", "m"),
        ("mol kg-1", "kg kg-1"),  # whose kilograms?
        ("mol kg-1", "1"),
        ("m2 kg-1", "m2 mol-1"),
        ("m3 m-3", "ppb"),
        ("kg2", "mol2"),
    ],
)
def test_a_molar_mass_does_not_open_every_door(source: str, target: str) -> None:
    with pytest.raises(UnitsError):
        conversion(source, target, METHANE)
    with pytest.raises(UnitsError):
        needs_molar_mass(source, target)


def test_where_it_is_not_needed_a_molar_mass_changes_nothing() -> None:
    assert conversion("degC", "K", METHANE) == conversion("degC", "K")
    assert conversion("kg kg-1", "g kg-1", METHANE).factor == pytest.approx(1000.0, rel=1e-14)
    assert not needs_molar_mass("kg", "g")


@given(st.floats(1.0, 400.0), st.sampled_from([("kg", "mol"), ("kg kg-1", "ppb"), ("g m-3", "mol m-3")]))
def test_there_and_back_is_one_for_every_species(mass: float, units: tuple[str, str]) -> None:
    there, back = conversion(*units, mass), conversion(*units[::-1], mass)
    assert math.isclose(there.factor * back.factor, 1.0, rel_tol=1e-14)


@pytest.mark.parametrize("written", [16.04, "16.04 g mol-1", "0.01604 kg mol-1", "16.04 g/mol"])
def test_molar_masses_are_written_with_units_or_in_grams(written: float | str) -> None:
    assert molar_mass(written) == pytest.approx(16.04, rel=1e-14)


@pytest.mark.parametrize(
    "written", [0.01604, 0.0, -16.0, math.nan, math.inf, "methane", "16.04", "16.04 g", ""]
)
def test_other_molar_masses_are_refused(written: float | str) -> None:
    with pytest.raises(UnitsError):
        molar_mass(written)


def test_kilograms_taken_for_grams_are_noticed() -> None:
    with pytest.raises(UnitsError, match=r"0\.01604 g mol-1 \(write it in g mol-1"):
        molar_mass(0.01604)


@pytest.mark.parametrize(("units", "expected"), [("degC", True), ("degF", True), ("K", False), ("1", False)])
def test_zero_celsius_is_not_nothing(units: str, expected: bool) -> None:
    assert has_offset(units) is expected

"""Numbers and units as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.output import words


@pytest.mark.parametrize(
    ("cf", "pretty"),
    [
        ("kg m-2 s-1", "kg m⁻² s⁻¹"),
        ("Tg yr-1", "Tg yr⁻¹"),
        ("m2", "m²"),
        ("m^2", "m²"),
        ("m**-2", "m⁻²"),
        ("kg*m-2", "kg·m⁻²"),
        ("degree_north", "degree_north"),
        ("1e-9", "1e-9"),
        ("1", ""),
        ("", ""),
    ],
)
def test_units(cf, pretty):
    assert words.units(cf) == pretty


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (2.345, "2.35"),
        (-0.0987, "−0.0987"),
        (812.5, "812"),
        (3631.2, "3\u2009631"),
        (1.234e-9, "1.23 × 10⁻⁹"),
        (-4e7, "−4.00 × 10⁷"),
        (float("nan"), "—"),
        (float("inf"), "—"),
        (None, "—"),
    ],
)
def test_number(value, text):
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("value", "sigma", "text"),
    [
        (14.02, 1.96, "14.0 ± 2.0"),
        (17.2134, 0.1041, "17.21 ± 0.10"),
        (1234.5, 56.7, "1234 ± 57"),
        (-2.1, 0.25, "−2.10 ± 0.25"),
        (2.1, 0.0, "2.10"),
        (2.1, float("nan"), "2.10"),
        (3e-9, 2e-10, "3.00 × 10⁻⁹ ± 2.0 × 10⁻¹⁰"),
    ],
)
def test_an_error_says_how_many_decimals_count(value, sigma, text):
    assert words.with_error(value, sigma) == text


@pytest.mark.parametrize(("change", "text"), [(0.384, "+38 %"), (-0.5, "−50 %"), (float("nan"), "—")])
def test_percent(change, text):
    assert words.percent(change) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (4.6e-4, "0.46 ms"),
        (0.042, "0.042 s"),
        (1.94, "1.9 s"),
        (81.5, "81.5 s"),
        (185.2, "3 min 05 s"),
        (7384, "2 h 03 min"),
    ],
)
def test_seconds(seconds, text):
    assert words.seconds(seconds) == text


def test_signs_are_shown():
    assert (words.signed(1.5), words.signed(-1.5), words.signed(0.0)) == ("+1.50", "−1.50", "0")


@given(st.floats(1e-3, 1e5))
def test_numbers_are_true_to_three_digits(value):
    read = float(words.number(value).replace("\u2009", ""))
    assert read == pytest.approx(value, rel=6e-3)


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(allow_nan=True, allow_infinity=True))
def test_no_number_is_too_odd_to_be_told(value, sigma):
    assert words.with_error(value, sigma)
    assert words.signed(value)

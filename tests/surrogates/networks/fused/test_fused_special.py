"""Elementary functions in float32 against those of scipy in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from tradewind.surrogates.networks.fused.special import erf, erf_from_table, exp, log


def worst(function, exact, places, relative=True):
    """Return the largest error, relative or absolute, at places that float32 holds."""
    x = np.asarray(places, dtype=np.float32)
    found = np.array([function(value) for value in x], dtype=np.float64)
    wanted = exact(x.astype(np.float64))
    return float(np.abs((found - wanted) / (wanted if relative else 1.0)).max())


def test_the_error_function_is_within_a_few_units_in_the_last_place():
    assert worst(erf, special.erf, np.linspace(-6, 6, 2000), relative=False) < 4e-7


def test_the_error_function_is_odd_and_saturates():
    assert erf(np.float32(-0.7)) == -erf(np.float32(0.7))
    assert erf(np.float32(50.0)) == pytest.approx(1.0, abs=1e-6)


def test_the_exponential_and_the_logarithm_are_exact_but_for_rounding():
    assert worst(exp, np.exp, np.linspace(-80, 80, 2000)) < 2e-7
    assert worst(log, np.log, np.geomspace(1e-12, 0.9, 2000)) < 2e-7
    assert worst(log, np.log, np.geomspace(1.1, 1e12, 2000)) < 2e-7


def test_special_values():
    assert exp(np.float32(0.0)) == 1.0
    assert log(np.float32(1.0)) == 0.0
    assert 0.0 < exp(np.float32(-1000.0)) < 1e-37


def test_the_table_keeps_the_digits_of_differences():
    # a share of a cell is a difference of two values, in tails of numbers near one
    places = np.linspace(-7, 7, 3001)
    found = np.array([erf_from_table(z) for z in places])
    assert np.abs(found - [math.erf(z) for z in places]).max() < 2e-9
    assert (np.diff(found) >= 0).all()

"""The four standard functions at places where they can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.regrid.quality.standard_fields import (
    STANDARD_FIELDS,
    gulfstream,
    harmonic,
    sampled,
    sinusoid,
    vortex,
)

POLE = np.rad2deg((5.5, 0.2))


@pytest.mark.parametrize(
    ("lon", "lat", "value"),
    [
        (0.0, 0.0, 1.0),  # d = 0: 2 - cos 0
        (180.0, 0.0, 2.0 + np.sqrt(3.0) / 2.0),  # d = 180°: 2 - cos 150°
        (0.0, 90.0, 2.0 - np.cos(np.deg2rad(75.0))),  # d = 90° at any longitude of the pole
        (123.0, -90.0, 2.0 - np.cos(np.deg2rad(75.0))),
        (60.0, 0.0, 2.0 - np.cos(np.deg2rad(50.0))),
    ],
)
def test_sinusoid(lon, lat, value):
    assert sinusoid(lon, lat) == pytest.approx(value, abs=1e-15)


@pytest.mark.parametrize(
    ("lon", "lat", "value"),
    [
        (0.0, 45.0, 3.0),  # sin 90° and cos 0
        (11.25, -45.0, 1.0),  # cos 180°; the power is even
        (5.625, 45.0, 2.0),  # cos 90°
        (77.0, 0.0, 2.0),  # sin 0
        (0.0, 15.0, 2.0 + 0.5**16),  # sin 30°
    ],
)
def test_harmonic(lon, lat, value):
    assert harmonic(lon, lat) == pytest.approx(value, abs=1e-13)


def test_vortex_turns_about_its_pole():
    # there ρ = 0 and nothing is left of the front
    assert vortex(*POLE) == pytest.approx(2.0, abs=1e-12)
    assert vortex(POLE[0] + 180.0, -POLE[1]) == pytest.approx(2.0, abs=1e-12)


def test_vortex_at_its_own_equator():
    # 90 degrees south of the pole: λ' = 0, ρ = 3
    omega = 1.5 * np.sqrt(3.0) * np.tanh(3.0) / np.cosh(3.0) ** 2 / 3.0
    expected = 2.0 * (1.0 + np.tanh(0.6 * np.sin(-6.0 * omega)))
    assert vortex(POLE[0], POLE[1] - 90.0) == pytest.approx(expected, abs=1e-14)


def test_vortex_a_quarter_turn_on():
    # 90 degrees east of the pole: Y = 1, X = 0, λ' = 90°, ρ = 3
    omega = 1.5 * np.sqrt(3.0) * np.tanh(3.0) / np.cosh(3.0) ** 2 / 3.0
    expected = 2.0 * (1.0 + np.tanh(0.6 * np.cos(6.0 * omega)))
    assert vortex(POLE[0] + 90.0, 0.0) == pytest.approx(expected, abs=1e-14)


def test_the_jet_is_nowhere_but_in_the_atlantic():
    lon, lat = np.meshgrid(np.arange(30.0, 240.0, 5.0), np.arange(-85.0, 90.0, 5.0))
    assert np.array_equal(gulfstream(lon, lat), sinusoid(lon, lat))


def test_the_jet_is_narrow_and_as_strong_as_said():
    lon, lat = np.meshgrid(np.arange(-80.0, 0.0, 0.1), np.arange(20.0, 70.0, 0.1))
    jet = gulfstream(lon, lat) - sinusoid(lon, lat)
    assert 1.2 < jet.max() <= 1.3
    assert jet.min() == 0.0
    assert 0.1 < (jet > 0).mean() < 0.2


@pytest.mark.parametrize("name", STANDARD_FIELDS)
def test_any_convention_of_longitudes_gives_the_same(name):
    lon, lat = np.meshgrid(np.arange(-180.0, 180.0, 7.5), np.arange(-90.0, 91.0, 7.5))
    function = STANDARD_FIELDS[name]
    assert np.allclose(function(lon + 360.0, lat), function(lon, lat), rtol=0, atol=1e-11)


def test_all_are_positive_and_of_the_order_of_one():
    lon, lat = np.meshgrid(np.arange(0.0, 360.0, 2.0), np.arange(-89.0, 90.0, 2.0))
    values = sampled(lon, lat)
    assert values.shape == (4, *lon.shape)
    assert values.min() > 0.5
    assert values.max() < 4.5


def test_the_order_is_that_of_the_paper():
    assert list(STANDARD_FIELDS) == ["sinusoid", "harmonic", "vortex", "gulfstream"]
    assert np.array_equal(sampled(10.0, 20.0)[2], vortex(10.0, 20.0))


@pytest.mark.shared
def test_vortex_as_esmpy_was_given_it(shared):
    # the file's own weights applied to our function give what ESMPy made of theirs
    import netCDF4
    from scipy import sparse

    folder = shared / "reference" / "esmf_weights"
    case = "f_ll5_to_points_bilinear"
    with (
        netCDF4.Dataset(folder / f"{case}.nc") as ds,
        netCDF4.Dataset(folder / "esmpy_applied.nc") as answers,
    ):
        lon, lat = ds["xc_a"][:].data, ds["yc_a"][:].data
        index = (ds["row"][:].data - 1, ds["col"][:].data - 1)
        weights = sparse.coo_array((ds["S"][:].data, index), shape=(50, len(lon)))
        theirs = answers[case]["dst_vortex"][:].data
    assert np.abs(weights @ vortex(lon, lat) - theirs).max() < 5e-14

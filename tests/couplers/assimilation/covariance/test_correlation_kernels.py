"""Correlations that fall with distance: closed forms, limits, the reference of OOPS, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from tradewind.couplers.assimilation.covariance import Correlation, Kernel, correlated, dense
from tradewind.couplers.assimilation.covariance.kernels import matern
from tradewind.couplers.assimilation.places import Distance, positions
from tradewind.errors import ConfigError, DataError

KM_OF_A_DEGREE = 6371.0 * np.pi / 180.0


def ring(n: int = 40) -> np.ndarray:
    """Return n points around the equator."""
    return positions(np.arange(n) * 360.0 / n, np.zeros(n), Distance.DEGREES)


def eigenvalues(matrix: torch.Tensor) -> np.ndarray:
    return np.linalg.eigvalsh(matrix.numpy())


def test_the_exponential_and_the_gaussian_by_hand():
    d = np.array([0.0, 2.0, 4.0])
    assert Correlation(2.0).of(d) == pytest.approx([1.0, np.exp(-1), np.exp(-2)], rel=1e-15)
    assert Correlation(2.0, Kernel.GAUSSIAN).of(d) == pytest.approx(
        [1.0, np.exp(-0.5), np.exp(-2)], rel=1e-15
    )


def test_matern_of_a_half_is_the_exponential():
    d = np.linspace(0, 5, 11)
    assert matern(d, 0.5) == pytest.approx(np.exp(-d), rel=1e-15)


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5])
def test_closed_forms_are_those_of_the_bessel_function(nu):
    d = np.array([0.0, 1e-9, 0.3, 1.0, 4.0])
    assert matern(d, nu) == pytest.approx(matern(d, nu + 1e-12), rel=1e-9)


def test_matern_is_smooth_at_the_origin_and_tends_to_the_gaussian():
    d = np.linspace(0, 3, 13)
    assert matern(d, 50.0) == pytest.approx(np.exp(-(d**2) / 2), abs=0.01)
    assert (
        np.abs(matern(d, 50.0) - np.exp(-(d**2) / 2)).max() < np.abs(matern(d, 5.0) - matern(d, 50.0)).max()
    )
    assert matern(np.array([0.0, 1e-300, 1e-12]), 1.0) == pytest.approx([1.0, 1.0, 1.0], abs=1e-12)


def test_matern_has_the_spectrum_that_defines_it():
    # along a line, S(k) ~ (2 nu / L² + k²)^-(nu + 1/2): the ratio of two wavenumbers by quadrature
    nu, length = 1.5, 2.0

    def spectrum(k: float) -> float:
        return quad(lambda d: float(matern(np.array(d / length), nu)), 0, np.inf, weight="cos", wvar=k)[0]

    expected = ((2 * nu / length**2 + 1.0) / (2 * nu / length**2 + 0.25)) ** (nu + 0.5)
    assert spectrum(0.5) / spectrum(1.0) == pytest.approx(expected, rel=1e-6)


def test_the_background_errors_of_oops_on_their_circle():
    # B = 0.6² exp(-d²/2), d in grid points of a circle of 40, 9 degrees apart; circulant
    c = correlated(0.6, Correlation(9.0, Kernel.GAUSSIAN, Distance.DEGREES), ring())
    apart = np.minimum(np.arange(40), 40 - np.arange(40))
    row = 0.36 * np.exp(-(apart**2) / 2.0)
    expected = np.stack([np.roll(row, k) for k in range(40)])
    assert np.abs(dense(c).numpy() - expected).max() <= 1e-14
    assert eigenvalues(c.matrix) == pytest.approx(np.sort(np.fft.fft(row).real), rel=1e-11)


def test_kilometres_are_those_of_a_sphere_of_6371():
    points = positions(np.array([0.0, 1.0]), np.zeros(2), Distance.KM)
    c = correlated(1.0, Correlation(KM_OF_A_DEGREE), points)
    assert float(c.matrix[0, 1]) == pytest.approx(np.exp(-1.0), rel=1e-12)


def test_a_plane_does_not_close_upon_itself():
    points = positions(np.array([0.0, 359.0]), np.zeros(2), Distance.PLANE)
    c = correlated(1.0, Correlation(359.0, distance=Distance.PLANE), points)
    assert float(c.matrix[0, 1]) == pytest.approx(np.exp(-1.0), rel=1e-14)


def test_a_gaussian_on_a_circle_can_be_no_covariance_and_matern_of_a_half_is_one():
    wide = Correlation(120.0, Kernel.GAUSSIAN, Distance.DEGREES)
    with pytest.raises(DataError, match=r"no covariance of these 12 places: too smooth .*matern"):
        correlated(1.0, wide, ring(12))
    with pytest.raises(DataError, match="a gaussian kernel of length 120 degrees"):
        correlated(1.0, wide, ring(12))
    assert eigenvalues(correlated(1.0, Correlation(120.0, distance=Distance.DEGREES), ring(12)).matrix)[0] > 0


def test_places_that_are_the_same_are_named():
    twice = positions(np.array([10.0, 10.0, 20.0]), np.zeros(3), Distance.KM)
    with pytest.raises(DataError, match=r"some of the places are the same .*per: site"):
        correlated(1.0, Correlation(100.0), twice)


def test_diffusion_is_no_function_of_the_distance():
    with pytest.raises(ConfigError, match="use matern"):
        Correlation(1.0, Kernel.DIFFUSION).of(np.zeros(1))


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_lengths_and_smoothness_are_positive_and_finite(bad):
    with pytest.raises(ConfigError, match="length is"):
        Correlation(bad)
    with pytest.raises(ConfigError, match="smoothness is"):
        Correlation(1.0, Kernel.MATERN, smoothness=bad)


def test_what_is_smoother_than_smooth_is_gaussian():
    with pytest.raises(ConfigError, match="use the gaussian"):
        Correlation(1.0, Kernel.MATERN, smoothness=51.0)


def test_a_matrix_that_fills_the_memory_is_refused():
    with pytest.raises(DataError, match=r"50000 places make a matrix of 19 GiB .*diffusion"):
        correlated(1.0, Correlation(1.0), np.zeros((50_000, 3)))


def test_rows_that_are_made_together_change_no_bit(monkeypatch):
    whole = correlated(0.6, Correlation(50.0, distance=Distance.DEGREES), ring()).matrix
    monkeypatch.setattr("tradewind.couplers.assimilation.covariance.kernels.ROWS", 7)
    assert torch.equal(correlated(0.6, Correlation(50.0, distance=Distance.DEGREES), ring()).matrix, whole)

"""Scales fitted on the training set."""

from __future__ import annotations

import math

import pytest
import torch

from tradewind.errors import DataError
from tradewind.surrogates.normalisation import SMALLEST_SCALE, Normalisation


def test_mean_and_scale_are_those_of_each_channel():
    """Channel 0 holds 1 and 3 (mean 2, deviation 1), channel 1 holds 0 and 8 (mean 4, deviation 4)."""
    x = torch.tensor([[1.0, 0.0], [3.0, 8.0]])[:, :, None, None].expand(2, 2, 3, 3)
    fitted = Normalisation.fit(x, torch.ones(2, 3, 3))
    assert fitted.mean == (2.0, 4.0)
    assert fitted.scale == pytest.approx((1.0, 4.0))


def test_the_output_scale_is_the_root_mean_square_of_the_target():
    fitted = Normalisation.fit(torch.zeros(1, 1, 2, 2), torch.tensor([[[3.0, 4.0], [0.0, 0.0]]]))
    assert fitted.output_scale == pytest.approx(2.5)


def test_pressure_keeps_its_digits():
    """In float32 the sum of these values loses the fifth digit; the fit is made in float64."""
    x = 1.0e5 + torch.arange(4000.0).view(-1, 1, 1, 1).expand(-1, 1, 5, 5)
    assert Normalisation.fit(x, torch.ones(1)).mean[0] == pytest.approx(1.0e5 + 1999.5, abs=1e-6)


def test_a_constant_channel_gets_a_scale_that_can_be_divided_by():
    assert Normalisation.fit(torch.ones(3, 1, 2, 2), torch.ones(3)).scale == (SMALLEST_SCALE,)


def test_an_empty_training_set_is_refused():
    with pytest.raises(DataError, match="empty training set"):
        Normalisation.fit(torch.zeros(0, 13, 41, 41), torch.zeros(0, 41, 41))


def test_a_nan_in_the_training_set_is_refused():
    with pytest.raises(DataError, match="not finite"):
        Normalisation.fit(torch.full((2, 1, 2, 2), torch.nan), torch.ones(2))


@pytest.mark.parametrize(
    ("mean", "scale", "output", "message"),
    [
        ((0.0,), (1.0, 1.0), 1.0, "1 means but 2 scales"),
        ((math.inf,), (1.0,), 1.0, "not finite"),
        ((0.0,), (0.0,), 1.0, "not positive"),
        ((0.0,), (1.0,), -1.0, "not positive"),
    ],
)
def test_scales_that_cannot_be_used_are_refused(mean, scale, output, message):
    with pytest.raises(DataError, match=message):
        Normalisation(mean, scale, output)


def test_the_identity_changes_nothing():
    assert Normalisation.identity(2) == Normalisation((0.0, 0.0), (1.0, 1.0), 1.0)

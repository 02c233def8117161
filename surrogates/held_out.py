"""Scores on samples that training never saw, and the error model that follows from them."""

from __future__ import annotations

import torch

from tradewind.errors import DataError
from tradewind.surrogates.checkpoint import ErrorModel
from tradewind.surrogates.datasets import Samples
from tradewind.surrogates.evaluation import evaluate_in_blocks
from tradewind.surrogates.losses import MeanAbsolute, RelativeL2
from tradewind.surrogates.networks.base import WindowNetwork


def held_out_scores(network: WindowNetwork, samples: Samples) -> dict[str, float]:
    """Return the scores of a network on a set.

    Returns
    -------
    dict
        ``rmse`` over all cells; ``relative_l2``, the mean of |p - t| / |t|; ``misplaced``, the mean mass
        in wrong cells (sum |p - t|); ``mass_bias``, the mean of predicted minus true mass in the window, and
        ``mass_error``, the mean of its size; ``correlation`` over all cells.

    Raises
    ------
    DataError
        When the set is empty.
    """
    p, t = _predicted_and_true(network, samples)
    pairs, gain = torch.stack([p.flatten(), t.flatten()]), (p - t).sum(dim=(1, 2))
    return {
        "rmse": float((p - t).square().mean().sqrt()),
        "relative_l2": float(RelativeL2()(p, t)),
        "misplaced": float(MeanAbsolute()(p, t)),
        "mass_bias": float(gain.mean()),
        "mass_error": float(gain.abs().mean()),
        "correlation": float(torch.corrcoef(pairs)[0, 1]),
    }


def fit_error_model(network: WindowNetwork, samples: Samples) -> ErrorModel:
    """Fit ``floor**2 + (relative * p)**2`` to the squared errors of a set (least squares, non-negative).

    Raises
    ------
    DataError
        When the set is empty.
    """
    return fit_floor_and_relative(*_predicted_and_true(network, samples))


def fit_floor_and_relative(p: torch.Tensor, t: torch.Tensor) -> ErrorModel:
    """Fit ``floor**2 + (relative * p)**2`` to predicted and true fractions of one shape."""
    square, error = p.square().flatten(), (p - t).square().flatten()
    centred = square - square.mean()
    slope = float((centred @ error) / (centred @ centred).clamp_min(1e-30))
    slope = max(slope, 0.0)
    floor = max(float(error.mean()) - slope * float(square.mean()), 0.0)
    if floor == 0.0:
        slope = float((square @ error) / (square @ square).clamp_min(1e-30))
    return ErrorModel(floor=floor**0.5, relative=slope**0.5)


def _predicted_and_true(network: WindowNetwork, samples: Samples) -> tuple[torch.Tensor, torch.Tensor]:
    if not len(samples):
        raise DataError("the held-out set is empty", where="scores")
    predicted = evaluate_in_blocks(network, samples.windows.x, samples.windows.latitude)
    return predicted.double(), samples.target.double()

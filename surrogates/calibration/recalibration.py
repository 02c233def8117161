"""The emulated fraction put right on average: E[reference | emulated] = emulated.

g is monotone and piecewise linear between knots that are spaced evenly in log f (isotonic regression of
bin means, Barlow et al., 1972, Statistical Inference under Order Restrictions). A map that would then hold
more than was emitted is scaled down to that.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import isotonic_regression

from tradewind.errors import DataError
from tradewind.surrogates.checkpoint import Recalibration

BINS = 24
SMALLEST = 1e-5
LEAST = 400
"""Cells that a bin needs: they come by the dozen in one plume, so fewer say little."""


def fit_recalibration(emulated: torch.Tensor, reference: torch.Tensor) -> Recalibration:
    """Fit g to fractions of held-out samples, both of any one shape.

    Raises
    ------
    DataError
        When there are none, or too few for one bin.
    """
    p, t = emulated.flatten().double().numpy(), reference.flatten().double().numpy()
    number = np.digitize(p, np.geomspace(SMALLEST, 1.0, BINS))
    count = np.bincount(number, minlength=BINS + 1)
    enough = count >= LEAST
    if not enough.any():
        raise DataError(f"{p.size} held-out cells are too few to recalibrate with", where="calibration")
    knots = (np.bincount(number, p, BINS + 1)[enough] / count[enough]).tolist()
    means = np.bincount(number, t, BINS + 1)[enough] / count[enough]
    values = isotonic_regression(means, weights=count[enough].astype(np.float64)).x.tolist()
    if knots[0] <= 0.0:
        knots, values = knots[1:], values[1:]
    return Recalibration(knots=(0.0, *knots), values=(0.0, *values))


def recalibrate(fractions: torch.Tensor, by: Recalibration) -> torch.Tensor:
    """Return g(f), scaled down where a map would hold more than was emitted; shape ``(sample, 41, 41)``.

    Beyond the last knot g keeps its ratio to f.
    """
    from tradewind.surrogates.calibration.piecewise import follow

    knots, values = np.array(by.knots), np.array(by.values)
    slopes = np.append(np.diff(values) / np.diff(knots), values[-1] / knots[-1])
    answer = fractions.detach().contiguous().clone()
    follow(answer.reshape(-1, *fractions.shape[-2:]).numpy(), knots, values, slopes)
    return answer


def reliability(emulated: torch.Tensor, reference: torch.Tensor) -> tuple[float, float]:
    """Return how well the mean of the reference follows the emulated fraction.

    Returns
    -------
    tuple
        The slope of log bin means of the reference on those of the emulated (1: reliable) over bins of
        f from 1e-4, and the share of mass that is not where the emulated value says on average:
        sum over bins of |mean reference - mean emulated| times their cells, over the mass.
    """
    p, t = emulated.flatten().double().numpy(), reference.flatten().double().numpy()
    number = np.digitize(p, np.geomspace(SMALLEST, 1.0, BINS))
    count = np.maximum(np.bincount(number, minlength=BINS + 1), 1)
    sums = [np.bincount(number, part, BINS + 1) for part in (p, t)]
    gap = float(np.abs(sums[1] - sums[0]).sum() / sums[1].sum())
    means = [part / count for part in sums]
    seen = (count >= LEAST) & (means[0] >= 1e-4) & (means[1] > 0)
    if seen.sum() < 2:
        raise DataError("too few held-out cells to tell how reliable they are", where="calibration")
    return float(np.polyfit(np.log(means[0][seen]), np.log(means[1][seen]), 1)[0]), gap

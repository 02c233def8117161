"""One call that fits all that a checkpoint says of its errors, at the end of a training or later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from tradewind.errors import DataError
from tradewind.surrogates.calibration.places import Places
from tradewind.surrogates.calibration.recalibration import fit_recalibration, recalibrate
from tradewind.surrogates.calibration.structure import fit_structure
from tradewind.surrogates.checkpoint import (
    Calibration,
    CheckpointHeader,
    ErrorModel,
    load_checkpoint,
    save_checkpoint,
)
from tradewind.surrogates.datasets import Samples
from tradewind.surrogates.evaluation import evaluate_in_blocks
from tradewind.surrogates.held_out import fit_floor_and_relative
from tradewind.surrogates.networks.base import WindowNetwork


@dataclass(frozen=True)
class Calibrated:
    """What held-out samples say of a network's errors: fields of a checkpoint's header."""

    error: ErrorModel
    calibration: Calibration


def calibrated(network: WindowNetwork, samples: Samples, places: Places | None = None) -> Calibrated:
    """Fit recalibration, variances and correlations of a network's errors.

    Parameters
    ----------
    samples
        Held out: neither trained on nor scored on.
    places
        Where the samples come from, in their order; see `fit_structure`.

    Raises
    ------
    DataError
        When the set is empty.
    """
    if not len(samples):
        raise DataError("the held-out set is empty", where="calibration")
    emulated = evaluate_in_blocks(network, samples.windows.x, samples.windows.latitude).double()
    return fit(emulated, samples.target.double(), places)


def fit(emulated: torch.Tensor, reference: torch.Tensor, places: Places | None = None) -> Calibrated:
    """Fit everything to fractions ``(sample, 41, 41)``, the emulated ones as the network gives them."""
    g = fit_recalibration(emulated, reference)
    better = recalibrate(emulated, g)
    structure = fit_structure(better, reference, places)
    return Calibrated(
        fit_floor_and_relative(better, reference), Calibration(recalibration=g, structure=structure)
    )


def refit(
    path: Path, samples: Samples, places: Places | None = None, output: Path | None = None
) -> CheckpointHeader:
    """Fit the errors of an existing checkpoint anew and write it, to `output` or in its place.

    Raises
    ------
    CheckpointError
        When it cannot be read or written.
    DataError
        When the set is empty.
    """
    network, header = load_checkpoint(path)
    found = calibrated(network, samples, places)
    again = header.model_copy(update={"error": found.error, "calibration": found.calibration})
    save_checkpoint(output or path, network, again)
    return again

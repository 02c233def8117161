"""The contract of a surrogate, and the one that stands in for transport from a window's centre."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from tradewind.couplers.coupling.fields import Spec, Variable
from tradewind.errors import CheckpointError
from tradewind.surrogates.calibration.recalibration import recalibrate
from tradewind.surrogates.calibration.structure import ErrorMaps, error_maps
from tradewind.surrogates.checkpoint import (
    Calibration,
    CheckpointHeader,
    ErrorModel,
    Quantity,
    Scales,
    load_checkpoint,
)
from tradewind.surrogates.datasets import Windows
from tradewind.surrogates.domain import Domain
from tradewind.surrogates.evaluation import evaluate_in_blocks
from tradewind.surrogates.networks import WindowNetwork, channel_names, parameter_count

Asked = TypeVar("Asked")


class Surrogate(nn.Module, ABC, Generic[Asked]):
    """A network that stands in for an expensive call, knows where it may, and how far it may be wrong.

    Attributes
    ----------
    spec
        Names and units of what it takes and gives.
    """

    spec: Spec

    @abstractmethod
    def forward(self, x: Asked) -> torch.Tensor:
        """Return the answer, members first."""

    @abstractmethod
    def valid(self, x: Asked) -> torch.Tensor:
        """Return, per member, whether `x` lies inside the domain it was trained for: bool ``(member,)``."""

    @abstractmethod
    def error(self, x: Asked) -> torch.Tensor:
        """Return the variance of the answer's error, of the answer's shape."""


class WindowSurrogate(Surrogate[Windows]):
    """A window network with its domain and its error.

    Parameters
    ----------
    network
        In evaluation mode; always called in blocks of one size.
    domain
        Where it may be used.
    errors
        Its error model, fitted on held-out samples.
    calibration
        How its answers are put right on average and how its errors hang together, where that was fitted.
    """

    def __init__(
        self,
        network: WindowNetwork,
        domain: Domain,
        errors: ErrorModel,
        calibration: Calibration | None = None,
    ) -> None:
        super().__init__()
        self.calibration = calibration
        self.network, self.domain, self.errors = network.eval(), domain, errors
        self.spec = Spec(
            imports=tuple(Variable(q.name, q.units) for q in window_inputs()),
            exports=tuple(Variable(q.name, q.units) for q in window_outputs()),
            differentiable=False,
        )

    @classmethod
    def from_checkpoint(cls, path: Path) -> WindowSurrogate:
        """Load network, domain and error model.

        Raises
        ------
        CheckpointError
            When the file cannot be used, or lacks a domain or an error model.
        """
        network, header = load_checkpoint(path)
        domain, errors = _required(header, path)
        return cls(network, domain, errors, header.calibration)

    def forward(self, x: Windows) -> torch.Tensor:
        """Return the fraction of the centre's emission in each column, shape ``(sample, 41, 41)``."""
        return self.recalibrated(evaluate_in_blocks(self.network, x.x, x.latitude))

    def recalibrated(self, fractions: torch.Tensor) -> torch.Tensor:
        """Return what the network has answered, put right on average where that was fitted."""
        if self.calibration is None:
            return fractions
        return recalibrate(fractions, self.calibration.recalibration)

    def valid(self, x: Windows) -> torch.Tensor:
        """Return which windows lie inside the domain, bool, shape ``(sample,)``."""
        return self.domain.contains(x)

    def error(self, x: Windows) -> torch.Tensor:
        """Return the variance of each fraction's error, shape ``(sample, 41, 41)``."""
        fractions = self(x)
        maps = self.error_maps(fractions)
        return error_variance(fractions, self.errors) if maps is None else maps.variance

    def error_maps(self, fractions: torch.Tensor) -> ErrorMaps | None:
        """Return what makes the covariance of the errors of `fractions`; None where it was not fitted."""
        return None if self.calibration is None else error_maps(fractions, self.calibration.structure)


def error_variance(fractions: torch.Tensor, errors: ErrorModel) -> torch.Tensor:
    """Return ``floor**2 + (relative * fraction)**2``."""
    return errors.floor**2 + (errors.relative * fractions).square()


def describe(network: WindowNetwork) -> dict[str, Any]:
    """Return the fields of a `CheckpointHeader` that follow from the network itself."""
    scales = network.normalisation
    return {
        "network": network.name,
        "options": dict(network.options()),
        "parameters": parameter_count(network),
        "inputs": window_inputs(),
        "outputs": window_outputs(),
        "normalisation": Scales(mean=scales.mean, scale=scales.scale, output_scale=scales.output_scale),
        "code_version": version("tradewind"),
    }


def window_inputs() -> tuple[Quantity, ...]:
    """Return name and units of each input: the 13 channels, then the latitude."""
    names = channel_names()
    winds = tuple(Quantity(name=name, units="m s-1") for name in names[:-1])
    return (*winds, Quantity(name=names[-1], units="Pa"), Quantity(name="latitude", units="degrees_north"))


def window_outputs() -> tuple[Quantity, ...]:
    """Return name and units of the output."""
    text = "fraction of the mass emitted at the window's centre that is found in each column at its end"
    return (Quantity(name="fraction", units="1", description=text),)


def _required(header: CheckpointHeader, path: Path) -> tuple[Domain, ErrorModel]:
    if header.domain is None or header.error is None:
        raise CheckpointError(
            "holds no domain of validity or no error model", where=str(path), hint="train it to the end"
        )
    return Domain.from_bounds(header.domain), header.error

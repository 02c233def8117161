"""The smallest forward model and control: matrices and vectors, to try solvers on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation.covariance import Covariance
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Fields
from tradewind.couplers.operators import IdentityOperator, LinearOperator, MatrixOperator, Replicated
from tradewind.couplers.ranks.parallel import Communicator, Serial

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class LinearModel:
    """F(x) = K x + c in every window.

    Attributes
    ----------
    jacobians, offsets
        K of shape ``(m, n)`` and c of shape ``(m,)`` by window; m may differ, and be zero.
    errors
        Variances of the model's own error, shape ``(m,)``, or their covariance ``(m, m)``, where known.
    comm
        Ranks that share the windows.
    windows
        All windows, in time order.
    """

    jacobians: Mapping[Interval, Tensor]
    offsets: Mapping[Interval, Tensor]
    errors: Mapping[Interval, Tensor] = field(default_factory=dict)
    comm: Communicator = field(default_factory=Serial)
    windows: Sequence[Interval] = field(init=False)

    def __post_init__(self) -> None:
        self.windows = tuple(sorted(self.jacobians, key=lambda w: w.start))

    def __call__(self, x: Tensor, window: Interval) -> Tensor:
        """Return ``K x + c`` of every x of a batch ``(*batch, n)``."""
        return x @ self.jacobians[window].T + self.offsets[window]

    def linearize(self, x: Tensor, window: Interval) -> LinearOperator:
        """Return K, whatever x."""
        return MatrixOperator(self.jacobians[window])

    def error(self, x: Tensor, window: Interval) -> Tensor | None:
        """Return the variances or the covariance of the model's own error, or None."""
        return self.errors.get(window)


@dataclass
class VectorControl:
    """A control that stands for nothing but itself."""

    prior: Tensor
    covariance: Covariance
    targets: tuple[str, ...] = ("inventory.flux",)

    def at(self, window: Interval) -> VectorControl:
        """Return itself: x is the same in every window."""
        return self

    @property
    def places(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Nowhere."""
        nowhere = np.full(len(self.prior), np.nan)
        return nowhere, nowhere

    def to_fields(self, x: Tensor) -> Fields:
        """Return x as the field."""
        return {self.targets[0]: x}

    def linearize(self, x: Tensor) -> LinearOperator:
        """Return the identity."""
        return IdentityOperator(Replicated(len(self.prior)))

    def sqrt_covariance(self) -> LinearOperator:
        """Return L with ``L Lᵀ = Sa``."""
        identity = torch.eye(len(self.prior), dtype=torch.float64)
        return MatrixOperator(self.covariance.sqrt(identity).T.contiguous())


def days(count: int) -> tuple[Interval, ...]:
    """Return that many windows of a day."""
    start = datetime(2000, 1, 1)
    return tuple(
        Interval(start + k * timedelta(days=1), start + (k + 1) * timedelta(days=1)) for k in range(count)
    )

"""The errors of what stands in for a component, as the observations see them."""

from __future__ import annotations

import torch
from torch import Tensor

from tradewind.coupled.derivatives.operators import BLOCK
from tradewind.coupled.model.stand_in import StandIn
from tradewind.couplers.assimilation import Control
from tradewind.couplers.assimilation.linearization import Correlated, Moments
from tradewind.couplers.operators import LinearOperator


def covariance(stand_in: StandIn, control: Control, x: Tensor, seen: LinearOperator) -> Tensor | None:
    """Return the covariance of the surrogate's errors in y, shape ``(m, m)``; None where it knows none.

    Parameters
    ----------
    control
        Says how far the truth is spread about `x`, shape ``(n,)``.
    seen
        H of the observed export.
    """
    operator = stand_in.operator
    if not isinstance(operator, Correlated):
        return None
    spread = images(stand_in.upstream @ control.linearize(x) @ control.sqrt_covariance())
    return operator.covariance(Moments(stand_in.mean, spread), seen)


def images(operator: LinearOperator) -> Tensor:
    """Return the operator's columns as rows, shape ``(n, cell)``."""
    identity = torch.eye(operator.domain.size, dtype=torch.float64)
    return torch.cat([operator.forward(part).detach() for part in torch.split(identity, BLOCK)])

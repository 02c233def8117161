"""A surrogate for the Lorenz-96 model's step: a small network whose weights are drawn, not trained.

It says nothing about the model; what matters is that derivatives run through a network in place of a step.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Step, StepCall
from tradewind.couplers.coupling.fields import State
from tradewind.markers import hookimpl

if TYPE_CHECKING:
    from tradewind.plugins.registry import RegisterSurrogate

HIDDEN = 8
"""Neurons that each point has."""
NEAR = (-2, -1, 0, 1)
"""Points that a point's tendency depends on."""


class Stencil:
    """``x <- x + tanh(x[near] W) v``, the same at every point of the circle.

    Parameters
    ----------
    options, component
        Of no account.
    """

    def __init__(self, options: object = None, component: object = None) -> None: ...

    @cached_property
    def weights(self) -> tuple[Tensor, Tensor]:
        """W, shape ``(4, HIDDEN)``, and v, shape ``(HIDDEN,)``."""
        draws = torch.Generator().manual_seed(96)
        w = torch.randn(len(NEAR), HIDDEN, generator=draws, dtype=torch.float64)
        return 0.05 * w, torch.randn(HIDDEN, generator=draws, dtype=torch.float64)

    def tradewind_step(self, call: StepCall) -> Step:
        """Answer in place of the model."""
        x, (w, v) = call.state.fields["x"], self.weights
        near = torch.stack([torch.roll(x, -k, -1) for k in NEAR], dim=-1)
        new = x + torch.tanh(near @ w) @ v
        return Step({"x": new}, State({"x": new}, call.state.extras))


class Plugin:
    """Brings the surrogate ``stencil``."""

    @hookimpl
    def tradewind_register_surrogate(self, register: RegisterSurrogate) -> None:
        """Register it."""
        register(
            "stencil",
            factory=f"{__name__}:Stencil",
            stands_in_for="step",
            component="lorenz-96",
            summary="a network with drawn weights, for derivatives through hosts",
        )


plugin = Plugin()
"""What a run config names, as ``tradewind.bench.fortran.learned:plugin``."""

"""The one bridge from linear operators into torch's automatic differentiation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from tradewind.couplers.operators import LinearOperator


class _Apply(torch.autograd.Function):
    """``y = A x``; cotangents go through the adjoint, tangents through the operator itself.

    Both are applied through this same function, so derivatives of any order work.
    """

    @staticmethod
    def forward(x: torch.Tensor, op: LinearOperator) -> torch.Tensor:
        return op.forward(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, LinearOperator], output: torch.Tensor) -> None:
        ctx.op = inputs[1]

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[torch.Tensor, None]:
        return apply(ctx.op.T, cotangents[0]), None

    @staticmethod
    def jvp(ctx: Any, *tangents: torch.Tensor) -> torch.Tensor:
        return apply(ctx.op, tangents[0])

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, None], x: torch.Tensor, op: LinearOperator
    ) -> tuple[torch.Tensor, int]:
        # operators are batched over leading dimensions already
        axis = in_dims[0] if in_dims[0] is not None else 0
        return apply(op, x.movedim(axis, 0)), 0


def apply(op: LinearOperator, x: torch.Tensor) -> torch.Tensor:
    """Return ``A x``, recorded by torch when `x` requires a gradient.

    Parameters
    ----------
    op
        The operator A.
    x
        Shape ``(*batch, op.domain.size)``.

    Notes
    -----
    Where A communicates, every rank must run the backward pass, on the thread that called it; CoupledRun
    sees to that.
    """
    y: torch.Tensor = _Apply.apply(x, op)  # type: ignore[no-untyped-call]
    return y

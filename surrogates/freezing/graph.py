"""A column network written for the compiler: the same function, in operations that it fuses well.

The bias is added where the activation is computed, in one pass over memory, and tanh is a quotient of two
polynomials, four times faster than the library's and within 3.2e-7 of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor, nn

from tradewind.errors import CheckpointError
from tradewind.surrogates.columns.header import ColumnField
from tradewind.surrogates.columns.network import ACTIVATIONS, MLP, Activation, ColumnNetwork

SATURATION = 9.0
"""Beyond it, tanh is 1 in single precision."""
ABOVE = (0.9999999798823795, 0.13381032827844147, 0.003495594846254872, 2.0609135753065817e-05,
         1.3354646769552136e-08)  # fmt: skip
BELOW = (1.0, 0.4671434858477974, 0.025877012196336768, 0.0003285643190016898, 7.776570235883222e-07)
"""Coefficients in x², fitted to tanh(x)/x on 0..9 by Lawson's weighted least squares, relative error 2e-8."""


def quick_tanh(x: Tensor) -> Tensor:
    """Return tanh in single precision, within 3.2e-7; NaN stays NaN."""
    x = x.clamp(-SATURATION, SATURATION)
    t = x * x
    return x * polynomial(ABOVE, t) / polynomial(BELOW, t)


def quick_sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-x)) in single precision, within 1.7e-7."""
    return 0.5 * quick_tanh(0.5 * x) + 0.5


def polynomial(coefficients: Sequence[float], t: Tensor) -> Tensor:
    """Return the sum of ``c_k t**k`` by Horner's rule."""
    value = t * coefficients[-1] + coefficients[-2]
    for c in reversed(coefficients[:-2]):
        value = value * t + c
    return value


QUICK: Mapping[str, Activation] = MappingProxyType(
    {**ACTIVATIONS, "tanh": quick_tanh, "sigmoid": quick_sigmoid}
)


class FrozenColumns(nn.Module):
    """What is compiled: fields in, fields out, each ``(column,)`` or ``(entry, column)``.

    Parameters
    ----------
    network
        An MLP in evaluation mode.

    Raises
    ------
    CheckpointError
        When networks of its kind cannot be frozen.
    """

    def __init__(self, network: ColumnNetwork) -> None:
        super().__init__()
        if not isinstance(network, MLP):
            raise CheckpointError(f"networks of the kind {network.name!r} cannot be frozen", where="freeze")
        self.network = network
        single = next(network.parameters()).dtype is torch.float32
        known = QUICK if single else ACTIVATIONS
        last = known[network.output_activation]
        self.activations = [known[network.activation]] * len(network.widths) + [last]

    def forward(self, *fields: Tensor) -> tuple[Tensor, ...]:
        """Return the exports for columns side by side."""
        network = self.network
        x = joined(network.inputs, fields)
        if network.scales_inputs:
            x = (x - network.input_mean) / network.input_scale
        for (weight, bias), activation in zip(network.affine(), self.activations, strict=True):
            x = activation(torch.mm(weight, x) + bias)
        if network.scales_outputs:
            x = network.output_mean + network.output_scale * x
        return parted(network.outputs, x)


def joined(declared: Sequence[ColumnField], fields: Sequence[Tensor]) -> Tensor:
    """Return the features of fields one after the other, shape ``(feature, column)``."""
    rows = [x if f.size is not None else x[None] for f, x in zip(declared, fields, strict=True)]
    return rows[0] if len(rows) == 1 else torch.cat(rows)


def parted(declared: Sequence[ColumnField], features: Tensor) -> tuple[Tensor, ...]:
    """Return the fields that features one after the other stand for."""
    parts = torch.split(features, [f.features for f in declared])
    whole = [p if f.size is not None else p[0] for f, p in zip(declared, parts, strict=True)]
    return tuple(p.contiguous() for p in whole)

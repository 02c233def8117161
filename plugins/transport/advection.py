"""Advection by air mass fluxes, one direction after the other.

Tracer mass moves with the air that carries it, so mass is conserved to rounding, a constant mixing
ratio stays constant, and no cell gives away more than it has while the Courant number is at most one.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

# widths to pad one cell at the low end, by axis: longitude, latitude, layer
_LOW = {-1: (1, 0), -2: (0, 0, 1, 0), -3: (0, 0, 0, 0, 1, 0)}
_HIGH = {-1: (0, 1), -2: (0, 0, 0, 1), -3: (0, 0, 0, 0, 0, 1)}


class Scheme(Protocol):
    """Gives the tracer that crosses the faces along one axis."""

    linear: bool

    def crossing(self, tracer: Tensor, air: Tensor, flux: Tensor, axis: int) -> Tensor:
        """Return the tracer mass through the faces along `axis`, positive to higher indices.

        Parameters
        ----------
        tracer
            kg of tracer, shape ``(..., layer, lat, lon)``.
        air
            kg of air, the same shape or without leading dimensions.
        flux
            kg of air that crosses in this step, one longer along `axis`.
        axis
            -1 longitude, -2 latitude, -3 layer.
        """


class Upwind:
    """First-order donor cell: the only linear scheme that is positive (Godunov 1959)."""

    linear = True

    def crossing(self, tracer: Tensor, air: Tensor, flux: Tensor, axis: int) -> Tensor:
        """Return what the donor cell's mixing ratio gives; see `Scheme`."""
        n = flux.shape[axis] - 1
        up = flux.narrow(axis, 1, n).clamp(min=0.0) / air
        down = flux.narrow(axis, 0, n).clamp(max=0.0) / air
        return pad(up * tracer, _LOW[axis]) + pad(down * tracer, _HIGH[axis])


class VanLeer:
    """Second order with van Leer's harmonic slopes (van Leer 1977, doi:10.1016/0021-9991(77)90095-X).

    Positive and without new extrema, therefore not linear: its tangent and adjoint belong to the
    trajectory on which they are taken.
    """

    linear = False

    def crossing(self, tracer: Tensor, air: Tensor, flux: Tensor, axis: int) -> Tensor:
        """Return what the donor cell's linear profile gives; see `Scheme`."""
        n = flux.shape[axis] - 1
        ratio = tracer / air
        half_slope = 0.5 * limited_slope(ratio, axis)
        up, down = flux.narrow(axis, 1, n).clamp(min=0.0), flux.narrow(axis, 0, n).clamp(max=0.0)
        high = up * (ratio + (1.0 - up / air) * half_slope)
        low = down * (ratio - (1.0 + down / air) * half_slope)
        return pad(high, _LOW[axis]) + pad(low, _HIGH[axis])


def limited_slope(ratio: Tensor, axis: int) -> Tensor:
    """Return van Leer's harmonic mean of the one-sided differences, zero at extrema and at the sides."""
    difference = ratio.diff(dim=axis)
    left, right = pad(difference, _LOW[axis]), pad(difference, _HIGH[axis])
    product = left * right
    smooth = product > 0.0
    # the divisor is made safe first, or the unused branch would put NaN into gradients
    total = torch.where(smooth, left + right, torch.ones_like(product))
    return torch.where(smooth, 2.0 * product / total, torch.zeros_like(product))


def sweep(
    scheme: Scheme, tracer: Tensor, air: Tensor, flux: Tensor, axis: int
) -> tuple[Tensor, Tensor]:
    """Advance tracer and air along one axis; return both, kg (arguments as in `Scheme.crossing`)."""
    moved = scheme.crossing(tracer, air, flux, axis)
    return tracer - moved.diff(dim=axis), air - flux.diff(dim=axis)

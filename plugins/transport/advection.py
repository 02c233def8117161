"""Advection by air mass fluxes, one direction after the other.

Tracer mass moves with the air that carries it, so mass is conserved to rounding, a constant mixing
ratio stays constant, and no cell gives away more than it has while the Courant number is at most one.

What a sweep needs to know of the air does not depend on the tracer: it is prepared once and then applied
to any number of tracers. Cells are addressed in C order, so that the neighbour along an axis is a fixed
number of cells away, and one shifted product serves all rows at once; where a shift would reach round the
end of a row, its coefficient is zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Sweep(Protocol):
    """Moves tracer along one axis in one substep, by air that is known."""

    def __call__(self, tracer: Tensor) -> Tensor:
        """Return the tracer after the sweep, kg.

        Parameters
        ----------
        tracer
            kg in each cell, cells in C order: shape ``(..., layer * lat * lon)``.
        """


class Scheme(Protocol):
    """Decides how much tracer the air carries through a face.

    Attributes
    ----------
    linear
        Whether what crosses is linear in the tracer.
    arrays
        How many arrays of the size of the air a sweep holds.
    """

    linear: bool
    arrays: int

    def sweep(self, air: Tensor, flux: Tensor, axis: int) -> Sweep:
        """Return the sweep along `axis`.

        Parameters
        ----------
        air
            kg in each cell before the sweep, shape ``(..., layer, lat, lon)``.
        flux
            kg through the faces along `axis` in this substep, positive to higher indices; one longer
            along `axis`. What enters through the sides is clean, what leaves is lost.
        axis
            -1 longitude, -2 latitude, -3 layer.
        """


class Upwind:
    """First-order donor cell: the only linear scheme that is positive (Godunov 1959)."""

    linear = True
    arrays = 3

    def sweep(self, air: Tensor, flux: Tensor, axis: int) -> Sweep:
        """Return the sweep that carries the donor cells' mixing ratios; see `Scheme`."""
        return _donor_cell(*_given_away(air, flux, axis), axis)


class VanLeer:
    """Second order with van Leer's harmonic slopes (van Leer 1977, doi:10.1016/0021-9991(77)90095-X).

    Positive and without new extrema, therefore not linear: its tangent and adjoint belong to the
    trajectory on which they are taken.
    """

    linear = False
    arrays = 7

    def sweep(self, air: Tensor, flux: Tensor, axis: int) -> Sweep:
        """Return the sweep that carries the donor cells' linear profiles; see `Scheme`.

        What a cell gives to its high side in addition to `Upwind` is ``up (1 - up) air slope / 2``, with
        ``up`` the fraction of its air that leaves there; to its low side, the same of ``down``, subtracted.
        """
        up, down = _given_away(air, flux, axis)
        high, low = (0.5 * part * (1.0 - part) * air for part in (up, down))
        donor = _donor_cell(up, down, axis)
        if air.shape[axis] < 3:
            return donor
        for part in (high, low):
            part.narrow(axis, 0, 1).zero_()
            part.narrow(axis, -1, 1).zero_()
        inner = slice(donor.stride, air.shape[-3:].numel() - donor.stride)
        high, low = (part.flatten(-3)[..., inner] for part in (high, low))
        return SlopeSweep(donor, air.reciprocal().flatten(-3), high, low, low - high)


@dataclass(frozen=True, eq=False)
class DonorSweep:
    """The linear map of one donor-cell step along one axis: what stays, and what neighbours give.

    Attributes
    ----------
    stride
        Cells from one to its neighbour along the axis.
    stay
        Fraction of its tracer that a cell keeps, shape ``(..., cell)``.
    from_low, from_high
        Fraction of the lower and of the higher neighbour's tracer that comes in, shape
        ``(..., cell - stride)``.
    """

    stride: int
    stay: Tensor
    from_low: Tensor
    from_high: Tensor

    def __call__(self, tracer: Tensor) -> Tensor:
        """Return the tracer after the sweep; see `Sweep`."""
        after = self.stay * tracer
        after[..., self.stride :].addcmul_(self.from_low, tracer[..., : -self.stride])
        after[..., : -self.stride].addcmul_(self.from_high, tracer[..., self.stride :])
        return after


@dataclass(frozen=True, eq=False)
class SlopeSweep:
    """A donor-cell step with what the slopes of the mixing ratio within the donor cells add to it.

    Attributes
    ----------
    donor
        The step without slopes.
    per_air
        One over the air of each cell, kg-1, shape ``(..., cell)``.
    high, low, own
        kg per unit of slope that the slope sends up, keeps from being sent down, and leaves, for all cells
        but the first and last `stride`; zero at the sides, where there is no slope.
    """

    donor: DonorSweep
    per_air: Tensor
    high: Tensor
    low: Tensor
    own: Tensor

    def __call__(self, tracer: Tensor) -> Tensor:
        """Return the tracer after the sweep; see `Sweep`."""
        s = self.donor.stride
        slope = limited_slope(tracer * self.per_air, s)
        after = self.donor(tracer)
        after[..., s:-s].addcmul_(self.own, slope)
        after[..., 2 * s :].addcmul_(self.high, slope)
        after[..., : -2 * s].addcmul_(self.low, slope, value=-1.0)
        return after


def limited_slope(ratio: Tensor, stride: int) -> Tensor:
    """Return van Leer's harmonic mean of the differences to both neighbours, zero at extrema.

    Parameters
    ----------
    ratio
        Mixing ratio, shape ``(..., cell)``.
    stride
        Cells from one to its neighbour.

    Returns
    -------
    Tensor
        Shape ``(..., cell - 2 * stride)``: of all cells but the first and last `stride`.
    """
    difference = ratio[..., stride:] - ratio[..., :-stride]
    left, right = difference[..., :-stride], difference[..., stride:]
    total = left + right
    # 2 l r / (l + r) where l r > 0: the divisor is never zero, or NaN would come into gradients
    return (left * right).relu().mul(2.0) / (total * total + torch.finfo(total.dtype).tiny) * total


def _given_away(air: Tensor, flux: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Return which fractions of a cell's air leave through its high and low face, shape of `air`."""
    n = air.shape[axis]
    up = (flux.narrow(axis, 1, n) / air).clamp_(min=0.0)
    down = (flux.narrow(axis, 0, n) / air).clamp_(max=0.0).neg_()
    return up, down


def _donor_cell(up: Tensor, down: Tensor, axis: int) -> DonorSweep:
    """Return the sweep of given fractions, which are used up; what leaves through the sides is lost."""
    stride = up.shape[axis + 1 :].numel() if axis < -1 else 1
    stay = (1.0 - up).sub_(down).flatten(-3)
    up.narrow(axis, -1, 1).zero_()
    down.narrow(axis, 0, 1).zero_()
    return DonorSweep(stride, stay, up.flatten(-3)[..., :-stride], down.flatten(-3)[..., stride:])

"""Masks that change with every call: means over what counts, and how much of each target counts.

With weights W and a mask m between 0 and 1,

    y_i = Σ_j W_ij m_j x_j / Σ_j W_ij m_j,        c_i = f_i Σ_j W_ij m_j / Σ_j W_ij

where f_i is the part of target i that the source grid covers, so that c_i is the part of its *whole* area on
which y_i stands, with either norm. Targets with c_i below a threshold are not mapped. Nothing is lost on the
way: Σ a_i c_i y_i = Σ a_j m_j x_j over what the grids share, with threshold 0 and conservative weights.

This is the normalisation by fractions of the couplers in use, such as CMEPS (Danabasoglu et al. 2020, doi
10.1029/2019MS001916); both conservative norms give the same y.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.operators import LinearOperator
from tradewind.couplers.ranks.parallel import agree
from tradewind.errors import DataError, SpecError

if TYPE_CHECKING:
    from tradewind.couplers.regrid.regridder import Regridder

ROUNDING = 1e-9
"""Fractions may miss 0, 1 or a threshold by this much."""
COVERED = 1e-10
"""Targets that count for less than this do not count: dividing by it would blow rounding up."""
NAN = float("nan")


def as_mask(values: Any, active: Collection[int] | None = None) -> Tensor:
    """Return a mask as float64 fractions between 0 (does not count) and 1 (counts in full).

    Parameters
    ----------
    values
        Array, tensor or DataArray of any shape: booleans (True counts), integers 0 and 1, integer codes such
        as land types, or fractions. A float64 tensor stays the same tensor, with its graph.
    active
        The codes that count; missing values (NaN) do not. Needed where codes are others than 0 and 1.

    Raises
    ------
    SpecError
        Codes without `active`; fractions beyond 0 and 1, or missing.
    """
    mask = _tensor(values, "mask")
    if active is not None:
        codes = torch.tensor(sorted(active), dtype=torch.float64, device=mask.device)
        return torch.isin(mask.double(), codes).double()
    if mask.is_floating_point():
        return _fractions(mask.double())
    if mask.dtype is not torch.bool and bool(((mask != 0) & (mask != 1)).any()):
        found = ", ".join(str(int(v)) for v in torch.unique(mask)[:8])
        raise SpecError(
            f"integers {found}: which of them count?", where="mask", hint="name them, as in active=(1, 2)"
        )
    return mask.double()


def _tensor(values: Any, where: str) -> Tensor:
    found = values if isinstance(values, Tensor) else np.array(values)
    numbers = not found.is_complex() if isinstance(found, Tensor) else found.dtype.kind in "biuf"
    if not numbers:
        raise SpecError(f"expected numbers, got {found.dtype}", where=where, hint="give an array or a tensor")
    return found if isinstance(found, Tensor) else torch.from_numpy(found)


def _fractions(mask: Tensor) -> Tensor:
    missing = int(mask.isnan().sum())
    if missing:
        raise SpecError(f"{missing} missing values", where="mask", hint="say 0 where nothing counts")
    beyond = int(((mask < -ROUNDING) | (mask > 1.0 + ROUNDING)).sum())
    if beyond:
        raise SpecError(
            f"{beyond} values beyond 0 and 1",
            where="mask",
            hint="divide per cent by 100; name codes by active=",
        )
    return mask


def mask_of(values: Any) -> Tensor:
    """Return the mask of data with missing values: 0 where they are NaN, else 1.

    Parameters
    ----------
    values
        Array, tensor or DataArray of floats.

    Raises
    ------
    DataError
        Infinite values: they are not missing, they are wrong.
    """
    x = _tensor(values, "mask_of")
    infinite = int(x.isinf().sum())
    if infinite:
        raise DataError(f"{infinite} infinite values", where="mask_of", hint="only NaN stands for missing")
    return (~x.isnan()).double()


class MaskedRegridder(LinearOperator):
    """``y = W(m x) / W(m)``, linear in x for a fixed mask m; unmapped targets are 0 in the operator.

    The adjoint is ``m Wᵀ(y / W(m))``, with cotangents of unmapped targets taken as 0. Values where the mask
    is 0 may be anything, NaN too; where it is not, they must be finite.

    Parameters
    ----------
    regridder
        The weights, with the static masks of their grids. Methods with negative weights (``patch``,
        ``conservative_2nd``) keep constants, but may overshoot where a mask cuts through: ask for a threshold
        there.
    mask
        Fractions of shape ``(*batch, source.n_local)``, see `as_mask`; its leading dimensions are the last
        ones of a field's: ``(cell,)`` for all members, or ``(member, cell)``.
    threshold
        Least part of a target's whole area, 0 to 1; 0 asks only that something counts.

    Attributes
    ----------
    coverage
        The part c of each target's whole area that counts, shape ``(*mask's batch, target.n_local)``.
    unmapped
        True where it is too small.

    Raises
    ------
    SpecError
        A mask of another shape or dtype, fractions or a threshold beyond 0 and 1.
    """

    def __init__(self, regridder: Regridder, mask: Tensor, threshold: float = 0.0) -> None:
        self.regridder, self.threshold = regridder, _checked(threshold)
        self.domain, self.range, self.device = regridder.domain, regridder.range, regridder.device
        with agree(self.domain.comm, self.name):
            self.mask = as_mask(mask).detach()
        self.check(self.mask, self.domain)
        weight = regridder.forward(self.mask)
        self.coverage = coverage(regridder, weight)
        self.unmapped = _too_little(self.coverage, self.threshold)
        self._scale = torch.where(self.unmapped, 0.0, 1.0 / weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``W(m x) / W(m)``, shape ``(*batch, target.n_local)``; 0 where unmapped.

        Raises
        ------
        DataError
            A value that is NaN or infinite where the mask counts it.
        SpecError
            Fields with fewer leading dimensions than the mask, or other ones.
        """
        self.check(x, self.domain)
        with agree(self.domain.comm, self.name):
            self._refuse_other_batch(x)
            _refuse_nan(x, self.mask, self.name)
        counted = torch.where(self.mask > 0, self.mask * x, 0.0)
        return torch.where(self.unmapped, 0.0, self.regridder.forward(counted) * self._scale)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``m Wᵀ(y / W(m))``, shape ``(*batch, source.n_local)``."""
        self.check(y, self.range)
        with agree(self.range.comm, self.name):
            self._refuse_other_batch(y)
        back = self.regridder.adjoint(torch.where(self.unmapped, 0.0, y * self._scale))
        return torch.where(self.mask > 0, self.mask * back, 0.0)

    def regrid_field(self, x: Tensor, fill: float = NAN) -> Tensor:
        """Return ``W(m x) / W(m)`` with `fill` where unmapped; differentiable in x, but no longer linear."""
        return torch.where(self.unmapped, torch.full((), fill, dtype=x.dtype, device=x.device), self(x))

    def to(self, device: torch.device | str) -> MaskedRegridder:
        """Return the same operator for fields on `device`."""
        return MaskedRegridder(self.regridder.to(device), self.mask.to(device), self.threshold)

    def _refuse_other_batch(self, x: Tensor) -> None:
        members, found = tuple(self.mask.shape[:-1]), tuple(x.shape[:-1])
        if members != found[len(found) - len(members) :]:
            raise SpecError(
                f"a mask for leading dimensions {members}, a field with {found}",
                where=self.name,
                hint="one mask (cell,) serves all; (member, cell) needs as many members in the field",
            )


def masked_regrid(
    regridder: Regridder, x: Tensor, mask: Tensor, threshold: float = 0.0, fill: float = NAN
) -> Tensor:
    """Return ``W(m x) / W(m)`` with `fill` where unmapped, differentiable in x and in m.

    Parameters
    ----------
    x
        Float64 field ``(*batch, source.n_local)``; where the mask is 0 it may be anything, NaN too.
    mask
        Fractions ``(*batch, source.n_local)``, whose leading dimensions and those of x are broadcast.
    threshold, fill
        Least part of a target's whole area, and what is written where there is less.

    Returns
    -------
    Shape ``(*batch, target.n_local)``. Gradients are finite, and 0 for what is filled. A mask's derivative
    where it is 0 is the one-sided one, and 0 where x is missing. That a target comes or goes at the threshold
    has no derivative: moving over it is a jump.

    Raises
    ------
    DataError
        A value that is NaN or infinite where the mask counts it.
    SpecError
        Wrong shape or dtype, fractions or a threshold beyond 0 and 1.
    """
    comm, where = regridder.domain.comm, "masked_regrid"
    threshold = _checked(threshold)
    regridder.check(x, regridder.domain)
    with agree(comm, where):
        m = as_mask(mask)
        _refuse_nan(x, m, where)
    missing = ~x.isfinite()
    if any(comm.allgather(bool(missing.any()))):
        # neither value nor slope comes from what is missing
        x, m = torch.where(missing, 0.0, x), torch.where(missing, 0.0, m)
    total, weight = regridder(m * x), regridder(m)
    unmapped = _too_little(coverage(regridder, weight.detach()), threshold)
    filling = torch.full((), fill, dtype=total.dtype, device=total.device)
    return torch.where(unmapped, filling, total / torch.where(unmapped, 1.0, weight))


def coverage(regridder: Regridder, weight: Tensor) -> Tensor:
    """Return the parts of targets' whole areas that count, from ``W m``; collective.

    Of the rows of W that sum to s_i, f_i being the covered part: ``c = f W(m) / s``.
    """
    rows = regridder.forward(torch.ones(regridder.domain.size, dtype=torch.float64, device=weight.device))
    share = torch.where(rows > 0, weight / torch.where(rows > 0, rows, 1.0), 0.0)
    return share * regridder.frac_target.to(share.device) if regridder.method.is_conservative else share


def _too_little(covered: Tensor, threshold: float) -> Tensor:
    return (covered <= COVERED) | (covered < threshold - ROUNDING)


def _checked(threshold: float) -> float:
    if not (isinstance(threshold, int | float) and math.isfinite(threshold) and 0.0 <= threshold <= 1.0):
        raise SpecError(
            f"a threshold of {threshold!r}", where="mask", hint="the least part of a target's area, 0 to 1"
        )
    return float(threshold)


def _refuse_nan(x: Tensor, mask: Tensor, where: str) -> None:
    if x.shape[-1:] != mask.shape[-1:]:
        shapes = f"a mask of shape {tuple(mask.shape)}, a field of {tuple(x.shape)}"
        raise SpecError(shapes, where=where, hint="masks and fields live on the cells of the source")
    spoilt = int((~x.isfinite() & (mask > 0)).sum())
    if spoilt:
        raise DataError(
            f"{spoilt} values are NaN or infinite where the mask counts them",
            where=where,
            hint="multiply the mask by mask_of(x)",
        )

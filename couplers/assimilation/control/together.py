"""Errors of several fields that go together at one place, such as those of the sectors of an inventory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from tradewind.couplers.assimilation.control.field import FieldControl
from tradewind.couplers.assimilation.covariance import (
    BlockCovariance,
    Correlation,
    Covariance,
    DenseCovariance,
    Kernel,
    in_space,
)
from tradewind.errors import ConfigError, DataError

if TYPE_CHECKING:
    from tradewind.couplers.assimilation.control.joint import Part

Kin: TypeAlias = "tuple[Correlation | None, float | None]"


def joint_covariance(parts: Sequence[Part]) -> Covariance:
    """Return Sa of several fields, one after the other.

    Fields of which `PriorError.between` is the same number b, and that share one correlation c, go together:

        Sa[(i, s), (j, t)] = σ_s σ_t c(d_ij) (1 if s = t else b)

    with i and j elements of the fields s and t, which need not be the same. All others are independent.

    Raises
    ------
    ConfigError
        Fields that go together and do not stand next to each other, belong to periods, or have levels; one
        that is alone; b too negative for so many.
    DataError
        What makes no covariance.
    """
    blocks: list[Covariance] = []
    seen: set[Kin] = set()
    for kin, group in groupby(parts, _kin):
        members = list(group)
        if kin[1] is None:
            blocks += [part.covariance for part in members]
            continue
        _check(members, kin, seen)
        seen.add(kin)
        blocks.append(_together([part for part in members if isinstance(part, FieldControl)], kin))
    return BlockCovariance(blocks)


def _kin(part: Part) -> Kin:
    error = part.error if isinstance(part, FieldControl) else part.base.error
    return (None, None) if error.between is None else (error.together, error.between)


def _check(members: Sequence[Part], kin: Kin, seen: set[Kin]) -> None:
    names, between = ", ".join(part.target for part in members), kin[1] or 0.0
    if kin in seen or len(members) == 1:
        hint = "entries that go together stand next to each other, with the same correlation"
        raise ConfigError(f"{names} has nothing to go together with", where="correlation", hint=hint)
    if between <= -1.0 / (len(members) - 1):
        most = f"above {-1.0 / (len(members) - 1):g}"
        what = f"{len(members)} fields cannot all have the correlation {between:g}"
        raise ConfigError(what, where="correlation, between", hint=most)
    for part in members:
        odd = not isinstance(part, FieldControl) or part.levels > 1
        if odd or (kin[0] is not None and kin[0].kernel is Kernel.DIFFUSION):
            hint = "leave out `between`, or the periods, levels or diffusion"
            what = "fields with periods, levels or diffusion cannot go together with others yet"
            raise ConfigError(what, where=part.target, hint=hint)


def _together(parts: Sequence[FieldControl], kin: Kin) -> Covariance:
    """Return Sa of fields that go together: a matrix.

    The product of two covariances entry by entry is one (Schur): of c over elements, and of b over fields.
    """
    correlation, between = kin
    if correlation is None or between is None:
        raise ConfigError("fields go together by a correlation in space", where="correlation")
    positions = np.concatenate([part.elements.positions(correlation.distance) for part in parts])
    sizes = [len(part.prior) for part in parts]
    field = np.repeat(np.arange(len(parts)), sizes)
    sigma = np.repeat([part.error.sigma for part in parts], sizes)
    scale = np.where(field[:, None] == field, 1.0, between) * sigma[:, None] * sigma
    matrix = scale * in_space(correlation, positions)
    try:
        return DenseCovariance(torch.from_numpy(matrix))
    except DataError as error:
        names = ", ".join(part.target for part in parts)
        hint = "a shorter length, `between` nearer to 0, or kind: matern"
        raise DataError(f"no covariance of {names} together", where="correlation", hint=hint) from error

"""Draws of members and of perturbations: by member, so that they depend neither on ranks nor on batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation import Control
from tradewind.couplers.assimilation.control import perturbations, recentred
from tradewind.errors import SpecError
from tradewind.plugins.solvers.smoothers.options import Draws


def normals(seed: int, members: int, length: int, stream: Sequence[int] = ()) -> Tensor:
    """Return standard normal numbers, shape ``(member, length)``; member i by (seed, i, *stream)."""
    seeds = (np.random.SeedSequence(seed, spawn_key=(i, *stream)) for i in range(members))
    rows = [np.random.Generator(np.random.PCG64(s)).standard_normal(length) for s in seeds]
    return torch.from_numpy(np.stack(rows))


def exact(draws: Tensor, against: Tensor | None = None) -> Tensor:
    """Return ``(member, k)`` numbers of mean 0, covariance I, and none with `against`, to rounding.

    The draws are made orthogonal to 1, to `against` and to each other.

    Parameters
    ----------
    draws
        Shape ``(member, k)``.
    against
        Shape ``(member, n)``.

    Raises
    ------
    SpecError
        Fewer members than 1 + n + k.
    """
    members, k = draws.shape
    known = [draws.new_ones(members, 1), *([] if against is None else [against])]
    columns = torch.cat([*known, draws], dim=1)
    if columns.shape[1] > members:
        what = f"{members} members cannot be drawn exactly: {columns.shape[1]} are needed"
        raise SpecError(what, where="draws: exact", hint="more members, or draws: centred")
    made: Tensor = torch.linalg.qr(columns).Q[:, columns.shape[1] - k :] * (members - 1) ** 0.5
    return made


def prior_members(control: Control, members: int, draws: Draws, seed: int) -> Tensor:
    """Return a sample of the prior, shape ``(member, n)``.

    Raises
    ------
    SpecError
        Fewer members than exact draws need.
    """
    if draws is Draws.EXACT:
        drawn = exact(normals(seed, members, len(control.prior)))
        return control.prior + control.sqrt_covariance().forward(drawn)
    drawn = perturbations(control, range(members), seed)
    return control.prior + (recentred(drawn) if draws is Draws.CENTRED else drawn)


def shaped(draws: Tensor, kind: Draws, against: Tensor | None = None) -> Tensor:
    """Return independent draws ``(member, k)`` as `kind` wants them."""
    if kind is Draws.EXACT:
        return exact(draws, against)
    return recentred(draws) if kind is Draws.CENTRED else draws

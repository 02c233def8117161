"""Members drawn from a control's prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from tradewind.couplers.assimilation.contracts import Control


def sample(control: Control, members: Sequence[int], seed: int) -> Tensor:
    """Return members of the prior, ``xA + L z`` with z standard normal: shape ``(len(members), n)``.

    Member i depends on `seed` and i alone, never on which others are drawn beside it or on which rank: an
    ensemble can be dealt out, enlarged or run in waves, and keeps its members.

    Parameters
    ----------
    members
        Numbers of the members wanted, from 0.
    """
    return control.prior + perturbations(control, members, seed)


def perturbations(control: Control, members: Sequence[int], seed: int) -> Tensor:
    """Return ``L z`` of each member, shape ``(len(members), n)``; see `sample`.

    Whoever holds all members may give them a mean of exactly zero with `recentred`.
    """
    root, n = control.sqrt_covariance(), len(control.prior)
    # one by one: a product of several is summed in an order of its own
    drawn = [root.forward(normal(n, seed, member)) for member in members]
    return torch.stack(drawn) if drawn else torch.zeros(0, n, dtype=torch.float64)


def normal(n: int, seed: int, member: int) -> Tensor:
    """Return n standard normal numbers of a member: PCG64, seeded by `seed` and `member`."""
    stream = np.random.SeedSequence(seed, spawn_key=(member,))
    return torch.from_numpy(np.random.Generator(np.random.PCG64(stream)).standard_normal(n))


def recentred(drawn: Tensor) -> Tensor:
    """Return perturbations ``(member, n)`` less their mean.

    The variance that is expected of them, with N - 1 in its denominator, is what it was.
    """
    return drawn - drawn.mean(dim=0)


def sigma_of(control: Control, members: Tensor) -> dict[str, Tensor]:
    """Return the standard deviation (N - 1) of the fields that members of x, ``(member, n)``, stand for."""
    return {target: field.std(dim=0) for target, field in control.to_fields(members).items()}

"""The control of several fields: x is their parts, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation.control.field import FieldControl
from tradewind.couplers.assimilation.control.periodic import OfPeriod, PeriodicControl
from tradewind.couplers.assimilation.control.together import joint_covariance
from tradewind.couplers.assimilation.covariance import Covariance, square_root
from tradewind.couplers.operators import Joined, LinearOperator, Replicated
from tradewind.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.coupling.component import Interval
    from tradewind.couplers.coupling.fields import Fields

    Array: TypeAlias = NDArray[np.float64]

Part: TypeAlias = "FieldControl | PeriodicControl | OfPeriod"


class JointControl:
    """Several controls, of one field each, whose errors are independent unless they say otherwise.

    Parameters
    ----------
    parts
        In the order in which x holds them.

    Raises
    ------
    ConfigError
        Without parts, when two set the same field, and what `joint_covariance` refuses.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)
        self.targets: tuple[str, ...] = tuple(part.target for part in parts)
        twice = [t for i, t in enumerate(self.targets) if t in self.targets[:i]]
        if twice or not parts:
            what = f"{twice[0]} is controlled twice" if twice else "nothing is controlled"
            raise ConfigError(what, where="control", hint="one entry for each field")
        self.sizes = [len(part.prior) for part in parts]
        self.prior = torch.cat([part.prior for part in parts])
        self.covariance: Covariance = joint_covariance(parts)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """One for each element, with its target before it."""
        return tuple(f"{part.target}, {name}" for part in self.parts for name in part.names)

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the parts of `x`, shape ``(..., n)``, one for each field."""
        return torch.split(x, self.sizes, dim=-1)

    def to_fields(self, x: Tensor) -> Fields:
        """Return the fields of all targets, shape ``(..., *extra, cell)`` each."""
        made = (part.to_fields(own) for part, own in zip(self.parts, self.split(x), strict=True))
        return dict(chain.from_iterable(fields.items() for fields in made))

    def linearize(self, x: Tensor) -> LinearOperator:
        """Return the derivative at `x`: ``Replicated(n)`` to the targets' spaces, joined in their order."""
        return SideBySide([p.linearize(own) for p, own in zip(self.parts, self.split(x), strict=True)])

    def sqrt_covariance(self) -> LinearOperator:
        """Return L with ``L Lᵀ = Sa``, on ``Replicated(n)``."""
        return square_root(self.covariance)

    def at(self, window: Interval) -> JointControl:
        """Return the same x seen from one window: each part's own period; itself where there are none."""
        parts = [part.at(window) for part in self.parts]
        same = all(now is before for now, before in zip(parts, self.parts, strict=True))
        return self if same else JointControl(parts)

    @property
    def averaged(self) -> JointControl:
        """The same x, what belongs to periods seen on average over them."""
        return JointControl([part.averaged for part in self.parts])

    @property
    def places(self) -> tuple[Array, Array]:
        """Longitude and latitude of every element, degrees, shape ``(n,)``; NaN where it has no place."""
        lon, lat = zip(*(part.places for part in self.parts), strict=True)
        return np.concatenate(lon), np.concatenate(lat)

    def prior_sigma(self) -> Fields:
        """Return one sigma of every prior field, linearised."""
        made = (part.prior_sigma() for part in self.parts)
        return dict(chain.from_iterable(fields.items() for fields in made))

    def sigma(self, x: Tensor, covariance: Tensor) -> Fields:
        """Return one sigma of every field at `x`, linearised.

        Parameters
        ----------
        covariance
            S of x, shape ``(n, n)``, or its diagonal, ``(n,)``.
        """
        ends = np.cumsum([0, *self.sizes]).tolist()
        made: dict[str, Tensor] = {}
        for part, own, begin, end in zip(self.parts, self.split(x), ends, ends[1:], strict=False):
            mine = covariance[begin:end] if covariance.ndim == 1 else covariance[begin:end, begin:end]
            made |= part.sigma(own, mine)
        return made


class SideBySide(LinearOperator):
    """``y = (A₁ x₁, A₂ x₂, …)``: operators that share neither their begin nor their end.

    Parameters
    ----------
    parts
        From ``Replicated(n_k)`` to any space each.
    """

    def __init__(self, parts: Sequence[LinearOperator]) -> None:
        self.parts = tuple(parts)
        self.sizes = [part.domain.size for part in parts]
        self.domain, self._joined = Replicated(sum(self.sizes)), Joined([part.range for part in parts])
        self.range = self._joined.spaces[0] if len(parts) == 1 else self._joined

    def forward(self, x: Tensor) -> Tensor:
        """Return all ``A_k x_k``, one behind the other."""
        self.check(x, self.domain)
        parts = torch.split(x, self.sizes, dim=-1)
        return torch.cat([op.forward(own) for op, own in zip(self.parts, parts, strict=True)], dim=-1)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return all ``A_kᵀ y_k``, one behind the other."""
        self.check(y, self.range)
        parts = zip(self.parts, self._joined.split(y), strict=True)
        return torch.cat([op.adjoint(own.contiguous()) for op, own in parts], dim=-1)

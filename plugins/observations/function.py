"""Observations that are a few lines of the user's own code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from tradewind.couplers.assimilation import FunctionLook, LinearLook, Look
from tradewind.couplers.assimilation.observing import Observed
from tradewind.couplers.assimilation.sampling import SamplingOperator
from tradewind.couplers.grids import Grid
from tradewind.errors import ConfigError, PluginError
from tradewind.plugins.observations.options import FunctionOptions
from tradewind.plugins.observations.reading.quality import Sieve
from tradewind.plugins.observations.sampled import Group, SampledInTime
from tradewind.plugins.observations.sampling.rows import Rows
from tradewind.plugins.prescribed.user_code import Function

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices: TypeAlias = NDArray[np.int64]

GIVEN = ("field", "places", "grid")
"""What a function may ask for, by the names of its arguments."""


@dataclass(frozen=True)
class Places:
    """Where and when observations were made.

    Attributes
    ----------
    longitude, latitude
        Degrees, shape ``(m,)``.
    time
        datetime64, shape ``(m,)``.
    more
        Further variables of the file, by name, shape ``(m, ...)``.
    """

    longitude: Tensor
    latitude: Tensor
    time: NDArray[np.datetime64]
    more: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.longitude)


class FunctionOperator(SampledInTime):
    """Operator ``function``: what the user's function makes of a field.

    A function that asks for ``field``, ``(*extra, cell)``, gives the observations, ``(m,)``; torch
    differentiates it. One that does not gives a matrix, ``(m, extra * cell)``, sparse or not.

    Raises
    ------
    ConfigError
        When the field is distributed over ranks.
    PluginError
        When the file cannot be read, or holds no such function.
    """

    options: FunctionOptions

    def __init__(self, options: FunctionOptions, observed: Observed) -> None:
        if not observed.layout.is_serial:
            raise ConfigError(f"{observed.port} is distributed over ranks", hint="a function needs all of it")
        self.function = Function(options.code, options.function, GIVEN)
        self.function.check()
        super().__init__(options, observed)

    @property
    def units(self) -> str:
        """Units of the observations."""
        return self.options.units or self.observed.variable.units

    @property
    def besides(self) -> Mapping[str, str]:
        """Variables that the function is given."""
        return {name: name for name in self.options.variables}

    def sample(self, sieve: Sieve) -> Rows:
        """Return no rows: each observation counts as seeing something of its own."""
        count = len(sieve.kept)
        return Rows(sparse.csr_array((count, self.observed.space.size)), np.arange(count)[:, None])

    def look(self, group: Group, position: int) -> Look:
        """Return what the function makes of the end of one step."""
        weights = np.where(group.position == position, group.weight, 0.0).sum(axis=1)
        here = np.flatnonzero(weights)
        seen = _Seen(here, torch.from_numpy(weights[here]), len(weights), self._places(group.which[here]))
        return self._of_field(seen) if self.function.may_ask_for("field") else self._matrix(seen)

    def _places(self, which: Indices) -> Places:
        s = self.soundings
        more = {name: torch.from_numpy(values[which]) for name, values in s.more.items()}
        longitude, latitude = torch.from_numpy(s.longitude[which]), torch.from_numpy(s.latitude[which])
        return Places(longitude, latitude, s.time[which], more)

    def _given(self, seen: _Seen) -> dict[str, Any]:
        grid: Grid = self.observed.layout.grid
        return {"places": seen.places, "grid": grid}

    def _of_field(self, seen: _Seen) -> Look:
        given, index = self._given(seen), torch.from_numpy(seen.here)

        def observe(of: Tensor) -> Tensor:
            values = self.function({**given, "field": of})
            wanted = (len(seen.here),)
            if not isinstance(values, Tensor) or values.dtype != of.dtype or tuple(values.shape) != wanted:
                raise self._error(values, f"a float64 tensor of shape {wanted}, one value for each place")
            return of.new_zeros(seen.m).index_add(0, index, values * seen.weights)

        return FunctionLook(observe, self.observed.space, seen.m)

    def _matrix(self, seen: _Seen) -> Look:
        found = self.function(self._given(seen))
        wanted = (len(seen.here), self.observed.space.size)
        if tuple(getattr(found, "shape", ())) != wanted:
            raise self._error(found, f"a matrix of shape {wanted}")
        rows: sparse.csr_array = sparse.csr_array(found)
        spread = sparse.csr_array(
            (seen.weights.numpy(), (seen.here, np.arange(wanted[0]))), shape=(seen.m, wanted[0])
        )
        matrix = sparse.csr_array(spread @ rows)
        return LinearLook(SamplingOperator(matrix, self.observed.layout, self.observed.extra))

    def _error(self, found: object, wanted: str) -> PluginError:
        shape = tuple(getattr(found, "shape", ()))
        what = f"returned a {type(found).__name__} of shape {shape}"
        return PluginError(what, where=self.function.where, hint=f"return {wanted}")


@dataclass(frozen=True)
class _Seen:
    """Those of a window's m observations that look at one step, and with what weights."""

    here: Indices
    weights: Tensor
    m: int
    places: Places

"""What is known of files of one make."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.plugins.observations.options import RetrievalOptions, SoundingOptions

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]
    Opened: TypeAlias = Callable[[Path, Collection[str]], xr.Dataset]

OBS = "obs"
"""The dimension of observations."""


@dataclass(frozen=True)
class Range:
    """Values of a quality variable with which an observation is used.

    Attributes
    ----------
    least, greatest
        Both included.
    above
        Not included.
    """

    least: float = -inf
    greatest: float = inf
    above: float = -inf

    def beyond(self, values: Array) -> Flags:
        """Return which are not to be used; NaN is not."""
        return np.asarray(~((values >= self.least) & (values <= self.greatest) & (values > self.above)))

    def __str__(self) -> str:
        if self.above > -inf:
            return f"not above {self.above:g}"
        if self.greatest == inf:
            return f"below {self.least:g}"
        if self.least == -inf:
            return f"above {self.greatest:g}"
        return f"not between {self.least:g} and {self.greatest:g}"


@dataclass(frozen=True)
class Format:
    """How files of one make are read, and what their variables are called.

    Attributes
    ----------
    opened
        Returns the variables that are named, and ``time``, ``latitude`` and ``longitude``, along one
        dimension.
    variable, uncertainty
        Names of the value and its standard deviation; empty where settings must tell.
    retrieval
        Names of what a retrieval makes of a profile; None where settings must tell.
    quality
        Which observations the makers advise to use, by variable.
    """

    opened: Opened
    variable: str = ""
    uncertainty: str = ""
    retrieval: RetrievalOptions | None = None
    quality: Mapping[str, Range] = field(default_factory=dict)

    def ranges(self, options: SoundingOptions) -> dict[str, Range]:
        """Return what is asked of quality variables: the format's own, and what settings say instead."""
        said = {name: None if pair is None else _range(*pair) for name, pair in options.quality.items()}
        every = {**self.quality, **said}
        return {name: limits for name, limits in every.items() if limits is not None}


def _range(least: float | None, greatest: float | None) -> Range:
    return Range(-inf if least is None else least, inf if greatest is None else greatest)

"""Maps that were made, by window and source: values, Jacobian, error and the fit afterwards ask again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import torch
from torch import Tensor

from tradewind.plugins.transport.windows import Cell

KEPT = 16_384
"""Maps that are kept: 105 MiB."""
Make: TypeAlias = Callable[[Sequence[Cell], datetime], Tensor]


class KeptMaps:
    """Makes the maps of sources that were not asked for before; those of the oldest windows are forgotten.

    Parameters
    ----------
    make
        Makes maps of sources, float32, shape ``(source, 41, 41)``. A map's bits may not depend on what it is
        made with.
    most
        How many maps are kept.
    """

    def __init__(self, make: Make, most: int = KEPT) -> None:
        self.make, self.most = make, most
        self._windows: dict[datetime, dict[Cell, Tensor]] = {}

    def __call__(self, cells: Sequence[Cell], end: datetime) -> Tensor:
        """Return the maps of sources, none of which is asked for twice; float32, ``(source, 41, 41)``."""
        known = self._windows.setdefault(end, {})
        new = [cell for cell in cells if cell not in known]
        made = self.make(new, end)
        if len(new) == len(cells):
            answer = made
        else:
            fresh = known | dict(zip(new, made, strict=True))
            answer = torch.stack([fresh[cell] for cell in cells])
        if new:
            self._keep(end, new, made)
        return answer

    def clear(self) -> None:
        """Forget all maps."""
        self._windows.clear()

    def _keep(self, end: datetime, cells: Sequence[Cell], made: Tensor) -> None:
        if len(made) > self.most:
            return
        while len(made) + sum(map(len, self._windows.values())) > self.most:
            oldest = next(iter(self._windows))
            del self._windows[oldest]
        self._windows.setdefault(end, {}).update(zip(cells, made, strict=True))

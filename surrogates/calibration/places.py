"""Where and when samples were taken, for what their errors have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from tradewind.errors import SpecError


@dataclass(frozen=True)
class Places:
    """Where each sample's source lies, and which samples share their weather.

    Attributes
    ----------
    situation
        Number of the weather, the same for samples that end at the same time; int64, shape ``(sample,)``.
    row, column
        Cell of the source, shape ``(sample,)``.

    Raises
    ------
    SpecError
        When the lengths differ.
    """

    situation: torch.Tensor
    row: torch.Tensor
    column: torch.Tensor

    def __post_init__(self) -> None:
        shapes = {tuple(part.shape) for part in (self.situation, self.row, self.column)}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise SpecError(f"places of shapes {sorted(shapes)}", where="calibration")

    def __len__(self) -> int:
        return len(self.situation)

    def situations(self) -> Iterator[torch.Tensor]:
        """Yield the numbers of the samples of each situation."""
        for number in sorted(set(self.situation.tolist())):
            yield (self.situation == number).nonzero()[:, 0]

    def distances(self, which: torch.Tensor) -> torch.Tensor:
        """Return distances between the sources of some samples, in cells, shape ``(some, some)``."""
        return distances(self.row[which], self.column[which])


def distances(row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
    """Return the distance between every two cells, in cells, float64, shape ``(n, n)``."""
    places = torch.stack([row, column], dim=1).double()
    apart: torch.Tensor = (places[:, None] - places[None]).square().sum(-1).sqrt()
    return apart

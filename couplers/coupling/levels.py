"""From the levels of an export to those of an import: selection, and interpolation."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class LevelMap(Protocol):
    """A linear map along axis -2 of fields of shape ``(..., level, cell)``, with its exact adjoint."""

    def forward(self, field: Tensor) -> Tensor:
        """Return the field on the import's levels, ``(..., level, cell)``, or ``(..., cell)`` for one."""

    def adjoint(self, cotangent: Tensor) -> Tensor:
        """Return the cotangent on the export's levels."""

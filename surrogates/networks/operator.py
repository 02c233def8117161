"""The operator network: transport from a point by puffs, with a few hundred learned numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from tradewind.surrogates.networks.base import WindowNetwork, check_inputs
from tradewind.surrogates.networks.puffs import Puffs
from tradewind.surrogates.normalisation import Normalisation


class OperatorNetwork(WindowNetwork):
    """Puffs carried by the wind; what is known of transport holds by construction, for any weights.

    - The answer is linear in the emission, non-negative, and holds at most the mass that was emitted.
    - Puffs move with the wind, so that a plume turns and is shifted as the wind is.
    - Mirroring the weather mirrors the plume exactly.

    Parameters
    ----------
    normalisation
        Scales of the inputs; kept for the checkpoint, not used: winds enter in m s-1.
    puffs
        Options of `Puffs`.
    """

    name: ClassVar[str] = "operator"

    def __init__(
        self, normalisation: Normalisation | None = None, *, puffs: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(normalisation)
        self.puffs = Puffs(**(puffs or {}))

    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options as plain values."""
        return {"puffs": dict(self.puffs.options())}

    def forward(self, x: torch.Tensor, latitude: torch.Tensor) -> torch.Tensor:
        """Return the fractions, shape ``(sample, 41, 41)``; non-negative, summing to at most one."""
        check_inputs(x, latitude)
        return self.puffs.spread(x, latitude).total()

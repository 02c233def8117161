"""How the mass of a column is shared among its layers, by distance from the source.

A network answers for columns. What the reference model left in each layer at the end of a window, averaged
over the training's windows, tells what layers would hold: much near the ground beside the source, less of it
farther away. That is an average of all weather, told to those who look at layers; a column with averaging
kernels that change little with height is hardly touched by it, a tower is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from tradewind.couplers.assimilation.linearization import WindowModel
from tradewind.couplers.operators import Distributed, LinearOperator
from tradewind.plugins.jacobian_emulator.jacobian import EmulatedJacobian
from tradewind.plugins.jacobian_emulator.samples import BATCH, HALF, Period, SampleMaker
from tradewind.plugins.jacobian_emulator.superposition import correlate, superpose
from tradewind.plugins.transport.windows import Cell
from tradewind.surrogates.checkpoint import read_header, save_checkpoint
from tradewind.surrogates.surrogate import WindowSurrogate

KEY = "layer_shares"
"""Where they stand in a checkpoint's provenance."""
RINGS = (0.0, 0.5, 1.5, 2.5, 3.5, 5.0, 7.0, 9.0, 12.0, 16.0, 30.0)
"""Distances from the source between which shares are averaged, in cells."""


@dataclass(frozen=True)
class LayerShares:
    """Shares of the mass of a column by layer.

    Attributes
    ----------
    rings
        Distances between which they hold, cells, one more than rows of `shares`.
    shares
        From the ground, shape ``(ring, layer)``; each row sums to 1.
    """

    rings: tuple[float, ...]
    shares: tuple[tuple[float, ...], ...]

    @classmethod
    def known(cls, provenance: Mapping[str, Any]) -> Self | None:
        """Return those of a checkpoint; None where it has none."""
        said = provenance.get(KEY)
        if not isinstance(said, Mapping):
            return None
        return cls(tuple(said["rings"]), tuple(tuple(row) for row in said["shares"]))

    def told(self) -> dict[str, Any]:
        """Return them as plain numbers, for a checkpoint."""
        return {"rings": list(self.rings), "shares": [list(row) for row in self.shares]}

    @classmethod
    def measured(cls, layered: Tensor) -> Self:
        """Return the shares of what is in layers around sources in the middle.

        Parameters
        ----------
        layered
            Mass, shape ``(source, layer, 2 * HALF + 1, 2 * HALF + 1)``.
        """
        ring = _ring(RINGS)
        mass = layered.double().sum(0).flatten(1)
        by_ring = torch.stack([mass[:, ring.flatten() == k].sum(1) for k in range(len(RINGS) - 1)])
        shares = by_ring / by_ring.sum(1, keepdim=True)
        return cls(RINGS, tuple(tuple(row) for row in shares.tolist()))

    def maps(self) -> Tensor:
        """Return the shares around a source, shape ``(layer, 2 * HALF + 1, 2 * HALF + 1)``."""
        return torch.tensor(self.shares, dtype=torch.float64)[_ring(self.rings)].permute(2, 0, 1)


def _ring(rings: Sequence[float]) -> Tensor:
    """Return the number of the ring that each cell of a window lies in."""
    away = torch.arange(-HALF, HALF + 1, dtype=torch.float64)
    distance = torch.hypot(away[:, None], away[None, :])
    found = torch.full(distance.shape, len(rings) - 2)
    for k, (low, high) in enumerate(pairwise(rings)):
        found[(distance >= low) & (distance < high)] = k
    return found


def measure(maker: SampleMaker, period: Period, per_time: int, seed: int) -> LayerShares:
    """Return the shares that the reference model leaves, at every second window end of a period.

    Parameters
    ----------
    per_time
        Random sources at each.
    """
    flows = maker.transport.flows
    ends = period.ends(flows.weather, maker.length)[::2]
    parts = [maker.layered(end, maker.cells(per_time, seed + number)) for number, end in enumerate(ends)]
    return LayerShares.measured(torch.cat(parts))


def tell(checkpoint: Path, shares: LayerShares) -> None:
    """Write shares into a checkpoint that was trained without; its network stays as it is.

    Raises
    ------
    CheckpointError
        When it cannot be read.
    """
    header = read_header(checkpoint)
    provenance = {**header.provenance, KEY: shares.told()}
    network = WindowSurrogate.from_checkpoint(checkpoint).network
    save_checkpoint(checkpoint, network, header.model_copy(update={"provenance": provenance}))


class LayeredJacobian(EmulatedJacobian):
    """The transport's Jacobian over one window for mole fractions by layer.

    Each map of the network is shared among the layers, at every distance as in the training's average.

    Parameters
    ----------
    emulator, model, end
        As of `EmulatedJacobian`.
    shares
        Of the checkpoint.
    """

    def __init__(self, emulator: Any, model: WindowModel, end: datetime, shares: LayerShares) -> None:
        super().__init__(emulator, model, end)
        self.layers = emulator.transport.domain.layers
        self.range = Distributed(model.layouts[model.wanted], (self.layers,))
        self._shares = shares.maps().float()

    def forward(self, x: Tensor) -> Tensor:
        """Return mole fractions, 1e-9, shape ``(..., layer * cell)``, of a mean flux, kg m-2 s-1.

        Raises
        ------
        DomainError
            When a cell emits that the emulator cannot answer for.
        """
        self.check(x, self.domain)
        rows = x.reshape(-1, x.shape[-1])
        cells = rows.ne(0.0).any(0)
        self._refuse(cells & ~self.valid)
        found = x.new_zeros(self.layers, len(rows), *self.emulator.transport.domain.shape)
        for part in self._blocks(cells):
            where, emitted = self._sources(part)
            weights = (rows[:, part] * emitted).contiguous()
            for layer, maps in enumerate(self._maps(where)):
                superpose(maps.numpy(), _indices(where), weights.numpy(), found[layer].numpy())
        whole = (found * self._factors[:, None]).transpose(0, 1)
        return whole.reshape(*x.shape[:-1], self.range.size)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return the gradient with respect to the flux; zero where the emulator cannot answer."""
        self.check(y, self.range)
        shape = self.emulator.transport.domain.shape
        seen = y.reshape(-1, self.layers, *shape) * self._factors
        out = y.new_zeros(len(seen), self.domain.size)
        for part in self._blocks(self.valid):
            out[:, part] = self._held(part, seen)
        return out.reshape(*y.shape[:-1], self.domain.size)

    def variance(self, x: Tensor) -> None:
        """Return None: how far layers are off is not known."""

    def covariance(self, x: Any, seen: LinearOperator) -> None:
        """Return None: how far layers are off is not known."""

    @property
    def _factors(self) -> Tensor:
        """What turns kg in a layer into its mole fraction, 1e-9, shape ``(layer, lat, lon)``."""
        transport = self.emulator.transport
        return transport.column_factor(self.end) / transport.domain.thickness[:, None, None]

    def _maps(self, where: tuple[Cell, ...]) -> list[Tensor]:
        """Return the maps of sources, layer by layer."""
        maps = self.emulator.maps(where, self.end)
        return [(maps * share).contiguous() for share in self._shares]

    def _held(self, part: Tensor, seen: Tensor) -> Tensor:
        """Return what the maps of `part` (indices) hold of ``(k, layer, lat, lon)``, ``(k, source)``."""
        where, emitted = self._sources(part)
        sources = torch.full((seen[0, 0].numel(),), -1, dtype=torch.int64)
        sources[part] = torch.arange(len(part))
        out = seen.new_zeros(len(seen), len(part))
        for layer, maps in enumerate(self._maps(where)):
            one = seen.new_zeros(out.shape)
            given = seen[:, layer].contiguous().numpy()
            correlate(maps.numpy(), sources.view(seen.shape[2:]).numpy(), given, one.numpy())
            out += one
        return out * emitted

    @staticmethod
    def _blocks(cells: Tensor) -> tuple[Tensor, ...]:
        return torch.split(cells.nonzero().flatten(), BATCH * BATCH)


def _indices(where: tuple[Cell, ...]) -> Any:
    return torch.tensor(where, dtype=torch.int64).reshape(-1, 2).numpy()

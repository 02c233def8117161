"""The weather of a whole domain at one time, in which a network is asked about many sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from tradewind.errors import SpecError
from tradewind.surrogates.evaluation import evaluate_in_blocks
from tradewind.surrogates.networks.base import CENTRE, CHANNELS, WINDOW, WindowNetwork
from tradewind.surrogates.networks.compact import CompactNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

TOGETHER = 256
"""Windows that are cut out at a time: each takes 85 KiB."""


class Scene(Protocol):
    """Answers for sources in one weather; whatever is asked together, a source's map has the same bits."""

    def maps(self, cells: Sequence[tuple[int, int]]) -> Tensor:
        """Return the network's maps of sources at rows and columns, float32, shape ``(source, 41, 41)``.

        Every window has to lie within the domain.
        """


def scene(network: WindowNetwork, channels: Tensor, latitude: Tensor) -> Scene:
    """Return what answers for sources in the weather of a domain, equal to the network's own answers.

    Parameters
    ----------
    network
        Any window network. What a compact network does not see of the source is done once for all.
    channels
        The network's channels on the domain, float32, shape ``(13, lat, lon)``.
    latitude
        Of the domain's rows, degrees north, shape ``(lat,)``.

    Raises
    ------
    SpecError
        Shapes that do not fit.
    """
    if channels.shape[0] != CHANNELS or channels.ndim != 3 or latitude.shape != channels.shape[1:2]:
        raise SpecError(
            f"channels of shape {tuple(channels.shape)} on rows of shape {tuple(latitude.shape)}",
            where=network.name, hint=f"({CHANNELS}, lat, lon) and (lat,)",
        )  # fmt: skip
    if isinstance(network, CompactNetwork):
        from tradewind.surrogates.networks.fused.compact import CompactScene

        return CompactScene(network, channels, latitude)
    return CutScene(network, channels, latitude)


@dataclass(frozen=True)
class CutScene:
    """Windows are cut out of the domain, and the network is called on them."""

    network: WindowNetwork
    channels: Tensor
    latitude: Tensor

    def maps(self, cells: Sequence[tuple[int, int]]) -> Tensor:
        """Return the maps, float32, shape ``(source, 41, 41)``."""
        where = torch.tensor(list(cells), dtype=torch.int64).reshape(-1, 2)
        parts = [self._some(part) for part in torch.split(where, TOGETHER) if len(part)]
        return torch.cat(parts) if parts else torch.zeros(0, WINDOW, WINDOW)

    def _some(self, where: Tensor) -> Tensor:
        every = self.channels.unfold(1, WINDOW, 1).unfold(2, WINDOW, 1)
        x = every.permute(1, 2, 0, 3, 4)[where[:, 0] - CENTRE, where[:, 1] - CENTRE]
        return evaluate_in_blocks(self.network, x, self.latitude[where[:, 0]])

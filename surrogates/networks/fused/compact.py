"""The compact network on a whole domain: what all sources share is made once, the rest in few passes.

The convolutions are torch's own; the first guess, and all that lies between convolutions, is compiled. Blocks
have one size, so a source's map has the same bits whatever it is asked with.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tradewind.surrogates.networks.base import CENTRE, WINDOW
from tradewind.surrogates.networks.compact import COORDINATES, FLOOR, CompactNetwork
from tradewind.surrogates.networks.fused.guesses import guess
from tradewind.surrogates.networks.fused.layers import gelu, pool, project, share_out, take, widen
from tradewind.surrogates.networks.fused.plumes import see

if TYPE_CHECKING:
    pass

BLOCK = 22
"""Sources in one call: enough for the convolutions, few enough to stay in the processor's memory."""


class CompactScene:
    """A compact network in the weather of a domain.

    Parameters
    ----------
    network
        Its weights may not change any more.
    channels, latitude
        As in `scene`.
    """

    def __init__(self, network: CompactNetwork, channels: Tensor, latitude: Tensor) -> None:
        self.network, self.latitude = network.eval(), latitude.float()
        with torch.no_grad():
            self._guess = guess(network.first_guess, channels.float(), self.latitude)
            self._smooth = _Smooth(network, channels.float())

    @torch.no_grad()
    def maps(self, cells: Sequence[tuple[int, int]]) -> Tensor:
        """Return the maps, float32, shape ``(source, 41, 41)``."""
        where = torch.tensor(list(cells), dtype=torch.int64).reshape(-1, 2)
        out = torch.empty(len(where), WINDOW, WINDOW)
        for start in range(0, len(where), BLOCK):
            part = where[start : start + BLOCK]
            # copies of the last fill the block: kernels choose their order of summation by its size
            full = part[torch.arange(BLOCK).clamp_max(len(part) - 1)]
            out[start : start + BLOCK] = self._block(full)[: len(part)]
        return out

    def _block(self, where: Tensor) -> Tensor:
        network = self.network
        shares = self._guess.shares(where)
        field, summary = self._unet(self._seen(shares), self._smooth.around(where - CENTRE))
        correction = torch.empty(field.shape[:3])
        weights = network.correction.weight.flatten()
        bias = np.float32(network.correction.get_parameter("bias").item())
        project(field.numpy(), weights.numpy(), bias, correction.numpy())
        left = network.left(summary)[:, 0].contiguous()
        out = torch.empty(len(where), WINDOW, WINDOW)
        mixture, settings = self._weights(summary).numpy(), (FLOOR, self._guess.particles)
        share_out(shares.numpy(), mixture, correction.numpy(), left.numpy(), settings, out.numpy())
        return out

    def _weights(self, summary: Tensor) -> Tensor:
        """Return the weight of each map in the first guess, by source."""
        if self.network.mixture is None:
            return summary.new_ones(len(summary), 1)
        return torch.softmax(self.network.mixture(summary), dim=1) * self.network.first_guess.ages

    def _seen(self, shares: Tensor) -> Tensor:
        """Return what the network sees of the first guesses, and where cells are."""
        network, maps = self.network, self.network.first_guess.maps
        size = network.coordinates.shape[-1]
        fine = torch.empty(len(shares), size, size, maps + COORDINATES)
        fine[..., maps:] = network.coordinates.permute(1, 2, 0)
        see(shares.numpy(), self._guess.particles, maps, FLOOR, fine.numpy())
        return fine

    def _unet(self, fine: Tensor, smooth: Tensor) -> tuple[Tensor, Tensor]:
        """Return the field before its last GELU, channels last, and the mean over the coarsest one."""
        unet = self.network.unet
        skips = [_active(_convolved(unet.stem, fine))]
        entering = _halved(skips[0], smooth)
        for block in unet.down:
            skips.append(_twice(block, entering))
            entering = _halved(skips[-1]) if len(skips) <= len(unet.down) else skips[-1]
        field = skips.pop()
        summary = field.mean(dim=(1, 2))
        for number, (narrow, convolution) in enumerate(zip(unet.narrow, unet.up, strict=True)):
            skip = skips.pop()
            widen(_convolved(narrow, field if number == 0 else _active(field)).numpy(), skip.numpy())
            field = _convolved(convolution, skip)
        return field, summary


class _Smooth:
    """The weather at the coarser resolution at which it enters the network, for any window.

    Means over squares of cells are made at all places of the domain; a window takes every so many of them,
    and shorter ones on its far sides, where no whole square is left.
    """

    def __init__(self, network: CompactNetwork, channels: Tensor) -> None:
        self.side, over = 2 * network.stride, WINDOW % (2 * network.stride)
        weather = network.standardise(channels).permute(1, 2, 0).contiguous()
        rows, columns, count = weather.shape
        # whole squares, those cut on the right, those cut above, and those in the corner
        self._means = torch.zeros(4, rows, columns, count)
        for number, (high, wide) in enumerate(product((self.side, over), repeat=2)):
            found = _running(_running(weather, wide, 1), high, 0)
            self._means[number, : found.shape[0], : found.shape[1]] = found

    def around(self, corners: Tensor) -> Tensor:
        """Return shape ``(source, size, size, 13)`` for windows that begin at `corners`."""
        size = -(-WINDOW // self.side)
        out = torch.empty(len(corners), size, size, self._means.shape[3])
        take(self._means.numpy(), corners.numpy(), self.side, out.numpy())
        return out


def _running(x: Tensor, count: int, axis: int) -> Tensor:
    """Return means over `count` neighbours along an axis, by halves as the network takes them."""
    n = x.shape[axis]
    parts = [x.narrow(axis, k, n - count + 1) for k in range(count)]
    while len(parts) > 1:
        parts = [0.5 * (a + b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def _convolved(layer: torch.nn.Module, x: Tensor) -> Tensor:
    """Apply a convolution to channels that lie last, in memory as they are."""
    kernel, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    if kernel.shape[-1] == 1:
        return functional.linear(x, kernel[..., 0, 0], bias)
    found = functional.conv2d(x.permute(0, 3, 1, 2), kernel, bias, padding=kernel.shape[-1] // 2)
    return found.permute(0, 2, 3, 1).contiguous()


def _active(x: Tensor) -> Tensor:
    gelu(x.numpy())
    return x


def _twice(block: torch.nn.Module, x: Tensor) -> Tensor:
    return _active(
        _convolved(block.get_submodule("second"), _active(_convolved(block.get_submodule("first"), x)))
    )


def _halved(x: Tensor, beside: Tensor | None = None) -> Tensor:
    """Return means over 2x2 cells, with further channels beside."""
    count, rows, columns, channels = x.shape
    more = 0 if beside is None else beside.shape[3]
    out = torch.empty(count, (rows + 1) // 2, (columns + 1) // 2, channels + more)
    if beside is not None:
        out[..., channels:] = beside
    pool(x.numpy(), out.numpy())
    return out

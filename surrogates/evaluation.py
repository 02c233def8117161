"""Evaluation in blocks of one size, so that the bits do not depend on how many samples a rank has."""

from __future__ import annotations

import torch

from tradewind.surrogates.networks.base import WINDOW, WindowNetwork, check_inputs

BLOCK = 32


def evaluate_in_blocks(
    network: WindowNetwork, x: torch.Tensor, latitude: torch.Tensor, block: int = BLOCK
) -> torch.Tensor:
    """Return the network's maps, without gradients.

    Kernels choose their order of summation by the size of the batch, so every batch has `block` samples;
    the last is filled up with copies of its last sample.

    Parameters
    ----------
    network
        Any window network; it is put in evaluation mode.
    x, latitude
        The windows, as in `WindowNetwork`; any number of samples, also none.
    block
        Samples in one call.

    Returns
    -------
    torch.Tensor
        Shape ``(sample, 41, 41)``.
    """
    network.eval()
    check_inputs(x, latitude)
    if not len(x):
        return x.new_zeros(0, WINDOW, WINDOW)
    with torch.no_grad():
        pieces = [
            _full_block(network, some_x, some_latitude, block)
            for some_x, some_latitude in zip(torch.split(x, block), torch.split(latitude, block), strict=True)
        ]
    return torch.cat(pieces)


def _full_block(network: WindowNetwork, x: torch.Tensor, latitude: torch.Tensor, block: int) -> torch.Tensor:
    present = x.shape[0]
    if present < block:
        index = torch.arange(block).clamp_max(present - 1)
        x, latitude = x[index], latitude[index]
    answer: torch.Tensor = network(x, latitude)
    return answer[:present]

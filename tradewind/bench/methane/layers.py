"""How far layers are off that are told from columns by the training's average shares, on held-out days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradewind.bench.checkout import examples
from tradewind.learning.emulators import Training, read_training_config

if TYPE_CHECKING:
    from torch import Tensor

    from tradewind.couplers.assimilation import Progress

SEED, PER_TIME = 424_243, 4
"""Of the sources, and how many at each second window end of the test period."""
KERNEL = (1.05, 1.04, 1.02, 1.00, 0.97, 0.95)
"""An averaging kernel that falls with height, layer by layer."""


def figures(progress: Progress) -> dict[str, Any]:
    """Return how far the lowest layer is off, and a column with an averaging kernel, % root mean square.

    The columns themselves are the reference model's, so that only the shares count. Takes about half a
    minute.
    """
    import torch

    from tradewind.plugins.jacobian_emulator.layers import LayerShares
    from tradewind.surrogates.checkpoint import read_header

    shares = LayerShares.known(read_header(examples() / "permian.safetensors").provenance)
    layered = held_out(progress)
    if shares is None:
        return {"layers_lowest_error_pct": None, "layers_column_error_pct": None}
    told = layered.sum(1, keepdim=True) * shares.maps()
    kernel = torch.tensor(KERNEL, dtype=torch.float64)[:, None, None]
    return {
        "layers_lowest_error_pct": off(told[:, 0], layered[:, 0]),
        "layers_column_error_pct": off((told * kernel).sum(1), (layered * kernel).sum(1)),
        "layers_sources": len(layered),
    }


def held_out(progress: Progress) -> Tensor:
    """Return what the reference model leaves in layers around random sources, float64."""
    import torch

    from tradewind.plugins.jacobian_emulator.samples import Period

    config, text = read_training_config(examples() / "train.yaml")
    maker, test = Training(config, text).maker(), config.samples.test
    ends = Period(test.start, test.stop).ends(maker.transport.flows.weather, maker.length)[::2]
    step, parts = progress("layers on held-out days", len(ends)), []
    for number, end in enumerate(ends):
        parts.append(maker.layered(end, maker.cells(PER_TIME, SEED + number)))
        step()
    return torch.cat(parts).double()


def off(told: Tensor, true: Tensor) -> float:
    """Return the root mean square difference, % of the root mean square of what is true."""
    return 100.0 * float((told - true).square().sum().sqrt() / true.square().sum().sqrt())

"""Trains the surrogate of examples/photochemistry.yaml: what light and nitric oxide make of each other.

    NO2 + light -> NO + O3    at the rate J [NO2],      J in s-1
    NO + O3     -> NO2        at the rate k [NO] [O3],  k = 4.4e-4 ppb-1 s-1 (298 K, 1013 hPa)

Only one number changes the three species: the conversion x, with x' = q - p x - k x², p = J + k (NO + O3)
and q = J NO2 - k NO O3. Its answer after t is 2 q T / (s + p T), T = tanh(s t / 2), s² = p² + 4 k q. The
network learns it for ten minutes. NO + x, NO2 - x and O3 + x then keep nitrogen and oxygen exactly.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from tradewind.surrogates.columns.domain import fit_columns
from tradewind.surrogates.columns.files import describe_columns, save_columns
from tradewind.surrogates.columns.header import ColumnError, ColumnField, ColumnHeader
from tradewind.surrogates.columns.network import MLP

K, SECONDS = 4.4e-4, 600.0
LIMITS = ((0.0, 30.0), (0.0, 40.0), (5.0, 80.0), (0.0, 0.01))
SPECIES = ColumnField(
    name="mixing_ratio", units="1e-9", description="NO, NO2, O3", size=3, dimension="species",
    mean=(15.0, 20.0, 42.5), scale=(8.7, 11.5, 21.7),
)  # fmt: skip
LIGHT = ColumnField(name="photolysis_rate", units="s-1", mean=(0.005,), scale=(0.0029,))
CONVERSION = ColumnField(name="conversion", units="1e-9", description="NO2 that became NO", scale=(6.0,))


def conversion(x: Tensor, seconds: float = SECONDS) -> Tensor:
    """Return the exact conversion, shape ``(1, column)``, of NO, NO2, O3 and J, shape ``(4, column)``."""
    no, no2, o3, light = x
    p, q = light + K * (no + o3), light * no2 - K * no * o3
    s = (p * p + 4 * K * q).sqrt()
    T = torch.tanh(0.5 * s * seconds)
    return (2 * q * T / (s + p * T))[None]


def drawn(count: int, generator: torch.Generator) -> Tensor:
    """Return random mixtures, shape ``(4, column)``; a quarter in the dark, a quarter with little NO."""
    low, high = torch.tensor(LIMITS, dtype=torch.float64).T[..., None]
    x = low + (high - low) * torch.rand(4, count, generator=generator, dtype=torch.float64)
    x[3, : count // 4] *= 0.01
    x[0, count // 4 : count // 2] *= 0.05
    return x


def trained(steps: int = 6000) -> MLP:
    """Return the network after so many steps of Adam."""
    torch.manual_seed(1)
    network = MLP((SPECIES, LIGHT), (CONVERSION,), widths=(32, 32)).double()
    generator = torch.Generator().manual_seed(2)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        x = drawn(512, generator)
        loss = (network(x) - conversion(x)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.float()


def header(network: MLP) -> ColumnHeader:
    """Return what the file says: the domain trained in, and errors on mixtures that were not."""
    x = drawn(20_000, torch.Generator().manual_seed(3))
    error = (network(x.float()) - conversion(x)).square().mean().sqrt().item()
    spread = conversion(x).std().item()
    return ColumnHeader(
        **describe_columns(network),
        domain=fit_columns(x).bounds(),
        error=ColumnError(floor=(error,), relative=(0.0,)),
        seed=1,
        scores={"rmse": error, "relative_rmse": error / spread},
        provenance={"reference": {"k": K, "seconds": SECONDS, "limits": LIMITS}},
    )


if __name__ == "__main__":
    network = trained()
    about = header(network)
    save_columns(sys.argv[1], network, about)
    print(about.scores)

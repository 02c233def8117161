"""Whether a package gives what its network gives, to rounding."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tradewind.errors import CheckpointError
from tradewind.surrogates.columns.header import ColumnHeader
from tradewind.surrogates.columns.network import ColumnNetwork
from tradewind.surrogates.freezing.graph import joined, parted

COUNTS = (1, 2, 3, 15, 16, 17, 64, 1000)
ALLOWED = 4.0
"""How many times farther from the truth, the network in double precision, a package may be."""
ROUNDINGS = 16.0
"""What is always allowed, in roundings of the largest answer."""


@dataclass(frozen=True)
class Agreement:
    """How near a package is to its network, relative to the largest answer of each output feature.

    Attributes
    ----------
    apart
        Largest difference between both.
    network, package
        Largest distance of each from the network computed in double precision.
    """

    apart: float
    network: float
    package: float


Asked = Callable[[Tensor], Tensor]


def compared(network: ColumnNetwork, header: ColumnHeader, package: Path) -> Agreement:
    """Ask both for random columns, from one to a thousand at a time.

    Raises
    ------
    CheckpointError
        When the package is farther from the truth than rounding explains.
    """
    frozen = loaded(package, header)
    truth = copy.deepcopy(network).double()
    parts = [_apart(network, frozen, truth, x) for x in samples(network, header)]
    found = Agreement(*torch.stack(parts).amax(0).tolist())
    least = ROUNDINGS * torch.finfo(next(network.parameters()).dtype).eps
    # a comparison with NaN is false, so that NaN is refused
    if not found.package <= ALLOWED * found.network + least:
        raise CheckpointError(
            f"the package is {found.package:.3g} from the truth, the network itself {found.network:.3g}",
            where="freeze",
            hint="the compiler is at fault: try another one, and tell us",
        )
    return found


def loaded(package: Path, header: ColumnHeader) -> Asked:
    """Return a package as a function of features, shape ``(feature, column)``."""
    from torch._inductor import aoti_load_package

    run = aoti_load_package(str(package))

    def answer(x: Tensor) -> Tensor:
        found = run(*parted(header.inputs, x))
        return joined(header.outputs, found if isinstance(found, tuple | list) else (found,))

    return answer


def samples(network: ColumnNetwork, header: ColumnHeader) -> Iterator[Tensor]:
    """Yield random features: within the domain's box where there is one, else by the input's scales."""
    generator = torch.Generator().manual_seed(0)
    dtype = next(network.parameters()).dtype
    for count in COUNTS:
        shape = (len(network.input_mean), count)
        if header.domain is None:
            drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
            yield (network.input_mean + network.input_scale * drawn).to(dtype)
        else:
            bounds = (header.domain.lower, header.domain.upper)
            lower, upper = (torch.tensor(b, dtype=torch.float64)[:, None] for b in bounds)
            drawn = torch.rand(shape, generator=generator, dtype=torch.float64)
            yield (lower + (upper - lower) * drawn).to(dtype)


def _apart(network: ColumnNetwork, frozen: Asked, truth: ColumnNetwork, x: Tensor) -> Tensor:
    exact, own, other = truth(x.double()), network(x).double(), frozen(x).double()
    size = exact.abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    pairs = ((own, other), (own, exact), (other, exact))
    return torch.stack([((a - b).abs() / size).amax() for a, b in pairs])

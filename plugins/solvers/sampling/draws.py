"""Random numbers of chains: by seed, chain and site, whichever others there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

BLOCK = 64
"""Steps for which a generator is asked at once."""
LENGTHS = 2**40
"""Key of the generator that all chains and sites share; labels of sites are smaller."""


class Draws:
    """Generators of every chain and site.

    Parameters
    ----------
    keys
        Labels of the sites.
    p
        Elements of a site.
    """

    def __init__(self, seed: int, chains: int, keys: Sequence[int], p: int) -> None:
        self._shape, self._p = (chains, len(keys)), p
        self._each = [np.random.default_rng((seed, chain, key)) for chain in range(chains) for key in keys]
        self._shared = np.random.default_rng((seed, LENGTHS))

    def start(self) -> Tensor:
        """Return standard normal numbers, shape ``(chain, site, p)``."""
        return self._shaped([g.standard_normal((1, self._p)) for g in self._each])[0]

    def normal(self, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield normal numbers ``(chain, site, p)`` and logarithms of uniform ones for each step."""
        for count in _blocks(steps):
            z = self._shaped([g.standard_normal((count, self._p)) for g in self._each])
            yield from zip(z, self._logarithms(count), strict=True)

    def uniform(self, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the same with numbers between -1 and 1 in place of the normal ones."""
        for count in _blocks(steps):
            z = self._shaped([g.uniform(-1.0, 1.0, (count, self._p)) for g in self._each])
            yield from zip(z, self._logarithms(count), strict=True)

    def length(self, most: int) -> int:
        """Return a number from 1 to `most`, common to all."""
        return int(self._shared.integers(1, most + 1))

    def _logarithms(self, count: int) -> Tensor:
        # 1 - u, as u may be 0
        return torch.log1p(-self._shaped([g.uniform(size=(count, 1)) for g in self._each])[..., 0])

    def _shaped(self, drawn: list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]) -> Tensor:
        whole = np.stack(drawn, axis=1)
        return torch.from_numpy(whole.reshape(len(whole), *self._shape, -1))


def _blocks(steps: int) -> list[int]:
    return [min(BLOCK, steps - start) for start in range(0, steps, BLOCK)]

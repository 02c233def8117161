"""Sites: blocks of the control that know nothing of each other, each with observations of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from scipy import sparse
from scipy.spatial import cKDTree
from torch import Tensor

from tradewind.couplers.assimilation.covariance import Covariance, DiagonalCovariance
from tradewind.couplers.grids import sphere
from tradewind.errors import DataError, SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.assimilation import Control, Observations

    Labels: TypeAlias = NDArray[np.int64]

SITE = "site"
"""Coordinate of observations: number of their site, in the order in which x names them."""
FINE = 1e5
"""Places are told apart by this part of a degree."""
SEPARATE = 1e-8
"""Relative size of a covariance that counts as rounding."""


@dataclass(frozen=True)
class SiteBlocks:
    """Which elements and which observations belong to which site; every site has as many elements.

    Attributes
    ----------
    keys
        Label of each site, ascending, not negative: with seed and chain it seeds the site's draws, so that
        these do not depend on which other sites there are.
    index
        Positions in x of each site's elements, shape ``(site, p)``.
    sums
        For windows by number: the matrix ``(site, m)`` of ones that adds up each site's observations.
    """

    keys: tuple[int, ...]
    index: Tensor
    sums: Mapping[int, sparse.csr_array]

    @classmethod
    def of_labels(cls, elements: Labels, observations: Mapping[int, Labels]) -> SiteBlocks:
        """Return the blocks of labelled elements ``(n,)`` and observations ``(m,)`` by window.

        Raises
        ------
        SpecError
            Sites with different numbers of elements, or negative labels.
        DataError
            Observations of a site that x does not hold.
        """
        keys, inverse, counts = np.unique(elements, return_inverse=True, return_counts=True)
        if len(set(counts.tolist())) != 1 or keys[0] < 0:
            what = f"sites have from {counts.min()} to {counts.max()} elements, labels from {keys[0]}"
            raise SpecError(what, where="sites", hint="the same elements at every site, labels from 0")
        index = torch.from_numpy(np.argsort(inverse, kind="stable").reshape(len(keys), -1))
        sums = {number: _sums(keys, labels, number) for number, labels in observations.items()}
        return cls(tuple(keys.tolist()), index, sums)

    @property
    def count(self) -> int:
        """Number of sites."""
        return len(self.keys)

    def gather(self, x: Tensor) -> Tensor:
        """Return x ``(..., n)`` by site, ``(..., site, p)``."""
        return x[..., self.index]

    def scatter(self, blocks: Tensor) -> Tensor:
        """Return blocks ``(..., site, p)`` as x, ``(..., n)``."""
        out = torch.empty(*blocks.shape[:-2], self.index.numel(), dtype=blocks.dtype)
        out[..., self.index.reshape(-1)] = blocks.reshape(*blocks.shape[:-2], -1)
        return out

    def added(self, number: int, values: Tensor) -> Tensor:
        """Return the sums ``(k, site)`` of values ``(k, m)``: observation by observation, in their order."""
        return torch.from_numpy(np.ascontiguousarray((self.sums[number] @ values.T.numpy()).T))

    def labels(self, number: int) -> Labels:
        """Return the position of each observation's site, shape ``(m,)``."""
        return np.asarray(self.sums[number].tocsc().indices, dtype=np.int64)


def _sums(keys: Labels, labels: Labels, number: int) -> sparse.csr_array:
    row = np.searchsorted(keys, labels).clip(max=len(keys) - 1)
    if (keys[row] != labels).any():
        unknown = labels[keys[row] != labels][0]
        raise DataError(f"observations of site {unknown}, which x does not hold", where=f"window {number}")
    shape = (len(keys), len(labels))
    return sparse.csr_array((np.ones(len(labels)), (row, np.arange(len(labels)))), shape=shape)


def together(n: int, seen: Mapping[int, Observations]) -> SiteBlocks:
    """Return one block of everything."""
    zeros = {number: np.zeros(len(some), dtype=np.int64) for number, some in seen.items()}
    return SiteBlocks.of_labels(np.zeros(n, dtype=np.int64), zeros)


def by_place(control: Control, seen: Mapping[int, Observations]) -> SiteBlocks:
    """Return a block for every place of a control's elements.

    Raises
    ------
    DataError
        Elements without a place; observations without one and without the coordinate ``site``.
    """
    longitude, latitude = control.places
    if not (np.isfinite(longitude) & np.isfinite(latitude)).all():
        raise DataError("some elements have no place", where="sites: places", hint="sites: together")
    elements = _label(longitude, latitude)
    _, first = np.unique(elements, return_index=True)
    first = np.sort(first)
    tree = cKDTree(sphere.unit_vectors(longitude[first], latitude[first]))
    labels = {number: elements[first][_site(some, tree)] for number, some in seen.items()}
    return SiteBlocks.of_labels(elements, labels)


def _label(longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> Labels:
    """Return an integer of each place, the same wherever it stands among others."""
    east = np.rint((longitude % 360.0) * FINE).astype(np.int64) % int(360 * FINE)
    north = np.rint((latitude + 90.0) * FINE).astype(np.int64)
    return np.asarray(north * int(360 * FINE) + east)


def _site(seen: Observations, tree: cKDTree) -> Labels:
    """Return the number of each observation's site, in the order in which x names them."""
    if SITE in seen.coordinates:
        found = np.asarray(seen.coordinates[SITE], dtype=np.int64)
        if len(found) and not 0 <= found.min() <= found.max() < tree.n:
            what = f"observations of sites {found.min()} to {found.max()}, x holds {tree.n}"
            raise DataError(what, where="sites: places", hint="count them from 0, in the order of x")
        return found
    if not {"longitude", "latitude"} <= set(seen.coordinates):
        hint = "give longitude and latitude, or the coordinate `site`"
        raise DataError("observations have no place", where="sites: places", hint=hint)
    lon, lat = (np.asarray(seen.coordinates[k], dtype=np.float64) for k in ("longitude", "latitude"))
    return np.asarray(tree.query(sphere.unit_vectors(lon, lat))[1], dtype=np.int64)


def roots(covariance: Covariance, blocks: SiteBlocks) -> Tensor:
    """Return L of each site's block of a covariance, ``L Lᵀ = C_ss``, shape ``(site, p, p)``.

    Raises
    ------
    SpecError
        Where sites are correlated.
    """
    if isinstance(covariance, DiagonalCovariance):
        return torch.diag_embed(blocks.gather(covariance.variance.sqrt()))
    identity = torch.eye(blocks.index.shape[1], dtype=torch.float64)
    made = torch.stack([covariance.take(i).sqrt(identity).T for i in blocks.index])
    return _separate(covariance, blocks, made)


def _separate(covariance: Covariance, blocks: SiteBlocks, made: Tensor) -> Tensor:
    """Return the roots, once a random vector shows that there is nothing between the blocks."""
    draw = torch.from_numpy(np.random.default_rng(0).standard_normal(covariance.size))
    parts = blocks.gather(draw)[..., None]
    apart = blocks.scatter((made @ (made.mT @ parts))[..., 0])
    whole = covariance.apply(draw)
    if float((apart - whole).abs().max()) > SEPARATE * float(whole.abs().max()):
        hint = "sites: together, or a prior without correlations between places"
        raise SpecError("elements of different sites are correlated", where="sites", hint=hint)
    return made

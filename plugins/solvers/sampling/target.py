"""The density that chains sample: by chain and site, with its gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation.covariance import Covariance, DiagonalCovariance
from tradewind.couplers.ranks.parallel import agree, ordered_sum, tree_sum
from tradewind.errors import SpecError
from tradewind.plugins.solvers.problem import Part, Problem, Simulated
from tradewind.plugins.solvers.sampling.sites import SiteBlocks, roots

SAME = 1e-9
"""Relative change of a simulation that counts as rounding."""


@dataclass(frozen=True)
class Point:
    """Where chains stand, in units of the prior: x = xA + L u, block by block.

    Attributes
    ----------
    u
        Shape ``(chain, site, p)``.
    misfit
        ``(y - F)ᵀR⁻¹(y - F)`` of each site's observations, shape ``(chain, site)``; infinite where
        simulations are not finite.
    gradient
        Of `log`, with respect to u; of shape ``(0,)`` where none was asked for.
    """

    u: Tensor
    misfit: Tensor
    gradient: Tensor

    @cached_property
    def prior(self) -> Tensor:
        """``(x - xA)ᵀSa⁻¹(x - xA)`` by chain and site."""
        return squared(self.u)

    @cached_property
    def log(self) -> Tensor:
        """Logarithm of the posterior density but for a constant, shape ``(chain, site)``."""
        return -0.5 * (self.prior + self.misfit)

    def where(self, chosen: Tensor, other: Point) -> Point:
        """Return this point where `chosen`, shape ``(chain, site)``, and elsewhere the other."""
        wide = chosen[..., None]
        gradient = (
            torch.where(wide, self.gradient, other.gradient) if self.gradient.numel() else self.gradient
        )
        return Point(
            torch.where(wide, self.u, other.u), torch.where(chosen, self.misfit, other.misfit), gradient
        )


class Target:
    """Posterior density of many sites at once: one batched model call for all chains and sites.

    Parameters
    ----------
    problem, blocks
        Observations, and to which site they belong.

    Raises
    ------
    SpecError
        Where sites are correlated beforehand, or by the errors of their observations.
    """

    def __init__(self, problem: Problem, blocks: SiteBlocks) -> None:
        self.problem, self.blocks = problem, blocks
        self.roots = roots(problem.control.covariance, blocks)
        self._prior = blocks.gather(problem.control.prior)
        with agree(problem.model.comm, "errors of sites"):
            self._whitened = {part.number: _by_site(part, blocks) for part in problem.parts}

    def x(self, u: Tensor) -> Tensor:
        """Return x ``(chain, n)`` of u ``(chain, site, p)``."""
        return self.blocks.scatter(self._prior + lower(self.roots, u))

    def at(self, u: Tensor) -> Point:
        """Return the density at u."""
        return Point(u, self._misfit(self.problem.run(self.x(u))), u.new_zeros(0))

    def with_gradient(self, u: Tensor) -> Point:
        """Return the density and its gradient at u, by the adjoint of each chain's linearization."""
        x = self.x(u)
        found = self.problem.run(x)
        misfit = self._misfit(found)
        inside = torch.isfinite(misfit).any(1)
        with agree(self.problem.model.comm, "gradients"):
            mine = {p.number: self._pulled(p, x, found[p.number], inside) for p in self.problem.parts}
        pulled = self.blocks.gather(ordered_sum(self.problem.model.comm, mine))
        return Point(u, misfit, lower_transposed(self.roots, pulled) - u)

    def _misfit(self, found: Simulated) -> Tensor:
        comm = self.problem.model.comm
        with agree(comm, "costs"):
            mine = {p.number: self._whitened[p.number](found[p.number]) for p in self.problem.parts}
        return ordered_sum(comm, mine)

    def _pulled(self, part: Part, x: Tensor, simulated: Tensor, inside: Tensor) -> Tensor:
        """Return ``KᵀR⁻¹(y - F)`` of every chain, shape ``(chain, n)``; zero where there is none."""
        residual = (part.seen.y - simulated).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        weighted, out = part.noise.solve(residual), torch.zeros_like(x)
        for chain in inside.nonzero()[:, 0].tolist():
            operator = self.problem.model.linearize(x[chain], part.window)
            out[chain] = operator.adjoint(weighted[chain]).detach()
        return out.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)

    def check_separate(self, u: Tensor) -> None:
        """Refuse sites whose simulations depend on other sites: half of them are moved, one call.

        Raises
        ------
        SpecError
            When they do; names the site.
        """
        if self.blocks.count == 1:
            return
        moved = u.clone()
        moved[:, ::2] = 0.0
        found = self.problem.run(torch.cat([self.x(u)[:1], self.x(moved)[:1]]))
        with agree(self.problem.model.comm, "sites"):
            for part in self.problem.parts:
                self._refuse_mixed(part, found[part.number])

    def _refuse_mixed(self, part: Part, pair: Tensor) -> None:
        labels = self.blocks.labels(part.number)
        change = (pair[0] - pair[1]).abs().numpy() > SAME * pair.abs().amax(0).numpy()
        mixed = np.flatnonzero(change & (labels % 2 == 1))
        if len(mixed):
            what = f"observation {mixed[0]}, of site {labels[mixed[0]]}, changes when other sites do"
            hint = "sites: together, or the coordinate `site`"
            raise SpecError(what, where=f"window {part.window}", hint=hint)


def _by_site(part: Part, blocks: SiteBlocks) -> Callable[[Tensor], Tensor]:
    """Return what gives the misfit ``(k, site)`` of simulations ``(k, m)`` of a window."""
    if isinstance(part.noise, DiagonalCovariance):
        variance = part.noise.variance
        return lambda found: blocks.added(part.number, _finite((part.seen.y - found).square() / variance))
    if blocks.count == 1:
        return lambda found: _quadratic(part.noise, part.seen.y - found)[:, None]
    labels = torch.from_numpy(blocks.labels(part.number))
    _refuse_coupled(part, labels)
    return _Blocks(part, labels, blocks.count)


class _Blocks:
    """Misfits where errors are correlated, within each site."""

    def __init__(self, part: Part, labels: Tensor, sites: int) -> None:
        self.y, self.sites = part.seen.y, sites
        own = [(labels == site).nonzero()[:, 0] for site in range(sites)]
        self.own = [(site, index, part.noise.take(index)) for site, index in enumerate(own) if len(index)]

    def __call__(self, found: Tensor) -> Tensor:
        out, residual = found.new_zeros(len(found), self.sites), self.y - found
        for site, index, noise in self.own:
            out[:, site] = _quadratic(noise, residual[:, index])
        return out


def _refuse_coupled(part: Part, labels: Tensor) -> None:
    for site in sorted(set(labels.tolist())):
        own = (labels == site).to(torch.float64)
        spread = part.noise.apply(own)
        if bool((spread[labels != site].abs() > SAME * spread.abs().max()).any()):
            what = f"errors of site {site} are correlated with those of other sites"
            raise SpecError(what, where=f"window {part.window}", hint="sites: together")


def _quadratic(noise: Covariance, residual: Tensor) -> Tensor:
    """Return ``rᵀR⁻¹r`` of each row; infinite where it is not finite."""
    return _finite(tree_sum((residual * noise.solve(residual)).T))


def _finite(values: Tensor) -> Tensor:
    return torch.where(torch.isfinite(values), values, torch.inf)


def squared(u: Tensor) -> Tensor:
    """Return ``uᵀu`` over the last axis, to bits that do not depend on the others."""
    return tree_sum((u * u).movedim(-1, 0))


def lower(factor: Tensor, z: Tensor) -> Tensor:
    """Return ``L z``, shape ``(..., p)``: one element after the other, as a batched product's bits vary."""
    out = factor[..., :, 0] * z[..., :1]
    for k in range(1, z.shape[-1]):
        out = out + factor[..., :, k] * z[..., k : k + 1]
    return out


def lower_transposed(factor: Tensor, z: Tensor) -> Tensor:
    """Return ``Lᵀ z``, shape ``(..., p)``."""
    return lower(factor.mT, z)

"""Steps of chains: a random walk that learns its covariance, and Hamiltonian trajectories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from tradewind.plugins.solvers.sampling.draws import Draws
from tradewind.plugins.solvers.sampling.learning import DualAveraging, Running, Scaling
from tradewind.plugins.solvers.sampling.options import Adapt, Kernel, MCMCOptions
from tradewind.plugins.solvers.sampling.target import Point, Target, lower, lower_transposed, squared

EVERY = 25
"""Steps after which a random walk takes what it has learnt."""
QUARTERS = (0.25, 0.5, 0.75)
"""Parts of the warm-up after which trajectories take what they have learnt."""
ENOUGH = 4
"""States for each element that a learnt covariance needs."""


class Steps(Protocol):
    """A way to take steps."""

    def begin(self, u: Tensor) -> Point:
        """Return the density where chains begin, shape ``(chain, site, p)``."""

    def walk(self, point: Point, draws: Draws) -> Iterator[tuple[Point, Tensor]]:
        """Yield where chains stand after each step, and the probabilities of acceptance ``(chain, site)``."""


class RandomWalk:
    """Adaptive Metropolis (Haario et al., 2001): proposals of covariance ``s_d cov(history) + s_d eps I``.

    s_d is `scale`, or 2.4²/p times a factor that is driven to an acceptance of 0.234 (0.44 for one
    element; Andrieu and Thoms, 2008). The history begins anew after a quarter of the warm-up, which
    leaves the way from the start behind. Uniform proposals may come first.
    """

    def __init__(self, target: Target, options: MCMCOptions) -> None:
        self.target, self.options = target, options
        self.warmup = int(options.warmup * options.steps)
        self.uniform = min(options.uniform_steps, options.steps)

    def begin(self, u: Tensor) -> Point:
        """Return the density where chains begin."""
        p = u.shape[-1]
        eye = torch.eye(p, dtype=u.dtype).expand(*u.shape, p)
        self._factor, self._history = eye, Running(u)
        self._spread = (self.options.scale or 2.4**2 / p) ** 0.5
        self._scaling = Scaling(0.234 + 0.206 / p, u[..., 0])
        return self.target.at(u)

    def walk(self, point: Point, draws: Draws) -> Iterator[tuple[Point, Tensor]]:
        """Yield every step."""
        for z, log in draws.uniform(self.uniform):
            point, acceptance = self._moved(point, self.options.uniform_width * z, log)
            self._history.add(point.u)
            yield point, acceptance
        self._take()
        for number, (z, log) in enumerate(draws.normal(self.options.steps - self.uniform), self.uniform):
            step = self._spread * self._scaling.value[..., None] * lower(self._factor, z)
            point, acceptance = self._moved(point, step, log)
            if number < self.warmup or self.options.adapt is Adapt.ALWAYS:
                self._learn(number, point, acceptance)
            yield point, acceptance

    def _moved(self, point: Point, step: Tensor, log: Tensor) -> tuple[Point, Tensor]:
        proposed = self.target.at(point.u + step)
        ratio = (proposed.log - point.log) / self.options.temperature
        return proposed.where(log < ratio, point), ratio.clamp(max=0.0).exp()

    def _learn(self, number: int, point: Point, acceptance: Tensor) -> None:
        if self.options.scale is None:
            self._scaling.learn(acceptance)
        if number == self.warmup // 4 and not self.uniform:
            self._history = Running(point.u)
        self._history.add(point.u)
        if number % EVERY == EVERY - 1:
            self._take()

    def _take(self) -> None:
        if self._history.count >= ENOUGH * self._factor.shape[-1] + EVERY:
            self._factor = self._history.factor(self._factor)


class Trajectories:
    """Hamiltonian Monte Carlo (Neal, 2011), and with one leapfrog step the Langevin algorithm, MALA.

    Momenta are standard normal in coordinates in which the learnt covariance is the identity (the
    prior's until a quarter of the warm-up has passed). Step sizes are driven to an acceptance of 0.8
    (MALA: 0.574) by dual averaging, for each chain and site.
    """

    def __init__(self, target: Target, options: MCMCOptions) -> None:
        self.target, self.options = target, options
        self.warmup = int(options.warmup * options.steps)
        self.most = 1 if options.kernel is Kernel.MALA else options.leapfrog

    def begin(self, u: Tensor) -> Point:
        """Return the density where chains begin."""
        p = u.shape[-1]
        self._factor, self._history = torch.eye(p, dtype=u.dtype).expand(*u.shape, p), Running(u)
        first = torch.full_like(u[..., 0], 0.1)
        self._size = DualAveraging(0.574 if self.options.kernel is Kernel.MALA else 0.8, first)
        return self.target.with_gradient(u)

    def walk(self, point: Point, draws: Draws) -> Iterator[tuple[Point, Tensor]]:
        """Yield every step."""
        for number, (z, log) in enumerate(draws.normal(self.options.steps)):
            proposed, momentum = self._along(point, z, draws.length(self.most))
            lost = (proposed.log - 0.5 * squared(momentum)) - (point.log - 0.5 * squared(z))
            ratio = lost.nan_to_num(nan=-torch.inf) / self.options.temperature
            point, acceptance = proposed.where(log < ratio, point), ratio.clamp(max=0.0).exp()
            if number < self.warmup:
                self._learn(number + 1, point, acceptance)
            yield point, acceptance

    def _along(self, point: Point, momentum: Tensor, steps: int) -> tuple[Point, Tensor]:
        """Return where so many leapfrog steps lead, and the momentum there."""
        size = self._size.value[..., None]
        for _ in range(steps):
            momentum = momentum + 0.5 * size * lower_transposed(self._factor, point.gradient)
            point = self.target.with_gradient(point.u + size * lower(self._factor, momentum))
            momentum = momentum + 0.5 * size * lower_transposed(self._factor, point.gradient)
        return point, momentum

    def _learn(self, number: int, point: Point, acceptance: Tensor) -> None:
        self._size.learn(acceptance)
        self._history.add(point.u)
        if number in {int(part * self.warmup) for part in QUARTERS}:
            self._take(point)
        if number == self.warmup:
            self._size.settle()

    def _take(self, point: Point) -> None:
        if self._history.count >= ENOUGH * self._factor.shape[-1]:
            self._factor = self._history.factor(self._factor)
            # in its own coordinates every posterior is about as wide
            self._size.restart(torch.full_like(self._size.value, 0.5))
        self._history = Running(point.u)

"""The ensemble smoother with multiple data assimilation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tradewind.couplers.assimilation import Control, ForwardModel, ObservationsByWindow, Posterior, Progress
from tradewind.plugins.solvers.analytical import silent
from tradewind.plugins.solvers.problem import Part, Problem
from tradewind.plugins.solvers.smoothers.drawing import normals, prior_members, shaped
from tradewind.plugins.solvers.smoothers.localisation import Localisation
from tradewind.plugins.solvers.smoothers.options import Draws, ESMDAOptions
from tradewind.plugins.solvers.smoothers.running import Ran, Runner
from tradewind.plugins.solvers.smoothers.summary import History, Runs, posterior

Perturbations = Callable[[Part], Tensor]
"""Gives the errors e of R's covariance that are added to a window's observations, ``(member, m)``."""


Inverse = Callable[[Tensor], Tensor]


class ESMDA:
    """Solver ``es-mda``: Emerick and Reynolds (2013, doi 10.1016/j.cageo.2012.03.011).

    Na times, with N members x_j, simulations f_j, their deviations from the mean X' and Y' (rows), and
    coefficients alpha whose inverses add up to 1:

        x_j <- x_j + X'ᵀ ((N - 1) alpha I + Y'R⁻¹Y'ᵀ)⁻¹ Y'R⁻¹ (y + sqrt(alpha) e_j - f_j)

    which is ``C_xy (C_yy + alpha R)⁻¹`` solved in the space of the members (N x N, however many
    observations). `truncation` keeps the leading singular vectors of ``R^-1/2 Y'ᵀ`` that hold this part of
    the variance. With `localization`, the gain is multiplied by weights of distance, entry by entry.

    The posterior's `details` hold ``iterations`` and ``notes``.

    Parameters
    ----------
    options
        Settings.
    progress
        Shows how many updates are done.
    """

    needs_gradient = False

    def __init__(self, options: ESMDAOptions | None = None, progress: Progress = silent) -> None:
        self.options, self.progress = options or ESMDAOptions(), progress

    def solve(self, model: ForwardModel, control: Control, observations: ObservationsByWindow) -> Posterior:
        """Return the posterior, with the same bits on all ranks and for any number of ranks.

        Raises
        ------
        DataError
            No observations at all; NaN in observations or errors; simulations of a member that fail.
        SpecError
            Shapes that do not fit; too few members for exact draws.
        RankError
            When another rank has failed.
        """
        options = self.options
        problem = Problem(model, control, observations, options.batch)
        runner, history = Runner(problem, options.failure), History(problem)
        wanted = options.localization
        localisation = None if wanted is None else Localisation(wanted, control)
        x = prior_members(control, options.members, options.draws, options.seed)
        advance = self.progress("updates", len(options.alphas))
        first, centre = None, control.prior
        for step, alpha in enumerate(options.alphas):
            ran = runner(x, centre, f"before update {step + 1}")
            history.add(x, centre, ran, alpha=alpha)
            first = first or ran
            update = _Update(problem, ran, alpha, self._perturbations(problem, x, step))
            x = x + update.increments(x - x.mean(0), options.truncation, localisation)
            centre = x.mean(0)
            advance()
        last = runner(x, centre, "after the last update")
        history.add(x, centre, last)
        details = {"iterations": tuple(history.iterations), "notes": tuple(runner.notes)}
        optimal = localisation is None and options.truncation == 1.0
        return posterior(problem, x, Runs(first or last, last), details, optimal)

    def _perturbations(self, problem: Problem, x: Tensor, step: int) -> Perturbations:
        """Return draws of an update: by (seed, member, update, window)."""
        members, kind, seed = self.options.members, self.options.draws, self.options.seed
        if kind is Draws.EXACT:
            whole = shaped(normals(seed, members, problem.m, (step + 1,)), kind, x - x.mean(0))
            return lambda part: part.noise.sqrt(whole[:, part.start : part.start + len(part.seen)])
        return lambda part: part.noise.sqrt(
            shaped(normals(seed, members, len(part.seen), (step + 1, part.number)), kind)
        )


class _Update:
    """One update of all members."""

    def __init__(self, problem: Problem, ran: Ran, alpha: float, perturbations: Perturbations) -> None:
        self.problem, self.ran, self.alpha, self.perturbations = problem, ran, alpha, perturbations

    def increments(self, x: Tensor, truncation: float, localisation: Localisation | None) -> Tensor:
        """Return what is added to members that deviate by `x` from their mean, shape ``(member, n)``."""
        if localisation is None:
            gram, projected = self.problem.sum(self._projected)
            moved: Tensor = self._inverse(gram, truncation)(projected).T @ x
            return moved
        inverse = self._inverse(self.problem.sum(self._gram), truncation)
        return self.problem.sum(lambda part: self._localised(part, x, inverse, localisation))

    def _inverse(self, gram: Tensor, truncation: float) -> Inverse:
        """Return what multiplies by ``((N - 1) alpha I + G)⁻¹``, on the leading eigenvectors of G."""
        ridge, gram = (len(gram) - 1) * self.alpha, 0.5 * (gram + gram.T)
        if truncation >= 1.0:
            factor = torch.linalg.cholesky(gram + ridge * torch.eye(len(gram), dtype=gram.dtype))
            return lambda right: torch.cholesky_solve(right, factor)
        values, vectors = torch.linalg.eigh(gram)
        values, vectors = values.flip(0).clamp(min=0.0), vectors.flip(1)
        kept = leading(values, truncation)
        vectors, values = vectors[:, :kept], values[:kept]
        return lambda right: (vectors / (ridge + values)) @ (vectors.T @ right)

    def _gram(self, part: Part) -> Tensor:
        anomalies = self.ran.anomalies(part.number)
        gram: Tensor = part.noise.solve(anomalies) @ anomalies.T
        return gram

    def _projected(self, part: Part) -> Tensor:
        """Return ``Y'R⁻¹Y'ᵀ`` and ``Y'R⁻¹Dᵀ``, shape ``(2, N, N)``."""
        anomalies = self.ran.anomalies(part.number)
        weighted = part.noise.solve(anomalies)
        return torch.stack([weighted @ anomalies.T, weighted @ self._innovations(part).T])

    def _innovations(self, part: Part) -> Tensor:
        perturbed: Tensor = part.seen.y + self.alpha**0.5 * self.perturbations(part)
        return perturbed - self.ran.members[part.number]

    def _localised(self, part: Part, x: Tensor, inverse: Inverse, localisation: Localisation) -> Tensor:
        weighted = part.noise.solve(self.ran.anomalies(part.number))
        gain: Tensor = localisation.weights(part.seen) * (x.T @ inverse(weighted))
        moved: Tensor = self._innovations(part) @ gain.T
        return moved


def leading(values: Tensor, part: float) -> int:
    """Return how many of the values, falling from the first, hold this part of their sum."""
    if part >= 1.0:
        return len(values)
    held = values.cumsum(0) / values.sum().clamp(min=torch.finfo(values.dtype).tiny)
    return min(int((held < part).sum()) + 1, len(values))

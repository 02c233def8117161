"""Markov chains of one problem, or of many independent sites at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tradewind.couplers.assimilation import Control, ForwardModel, ObservationsByWindow, Posterior, Progress
from tradewind.couplers.ranks.parallel import tree_sum
from tradewind.errors import DataError
from tradewind.plugins.solvers.analytical import silent
from tradewind.plugins.solvers.problem import Problem
from tradewind.plugins.solvers.sampling.convergence import effective_size, split_r_hat
from tradewind.plugins.solvers.sampling.draws import Draws
from tradewind.plugins.solvers.sampling.kernels import RandomWalk, Steps, Trajectories
from tradewind.plugins.solvers.sampling.options import Kernel, MCMCOptions, Sites
from tradewind.plugins.solvers.sampling.sites import SiteBlocks, by_place, together
from tradewind.plugins.solvers.sampling.target import Point, Target

RECORDS = 40
"""Entries of ``details["iterations"]``."""
LARGEST = 4096
"""Elements up to which the sample's covariance is made as a matrix."""


class MCMC:
    """Solver ``mcmc``: samples of the posterior ``exp(-J(x)/2)`` by Markov chains.

    J = (x - xA)ᵀSa⁻¹(x - xA) + (y - F(x))ᵀR⁻¹(y - F(x)), R with the model's own error at xA. Chains
    begin at draws of the prior. With ``sites: places`` every place has chains of its own, that accept and
    reject by themselves; all chains of all sites take their step in one batched model call. Draws depend
    on (seed, chain, site) alone.

    The posterior's `details` hold ``r_hat`` and ``effective_size`` of every element, shape ``(n,)``,
    ``acceptance`` of every chain and site, ``converged``, ``iterations`` and ``notes``.

    Parameters
    ----------
    options
        Settings.
    progress
        Shows how many steps are done.
    """

    def __init__(self, options: MCMCOptions | None = None, progress: Progress = silent) -> None:
        self.options, self.progress = options or MCMCOptions(), progress

    @property
    def needs_gradient(self) -> bool:
        """Whether steps follow the gradient."""
        return self.options.kernel is not Kernel.METROPOLIS

    def solve(self, model: ForwardModel, control: Control, observations: ObservationsByWindow) -> Posterior:
        """Return the posterior, with the same bits on all ranks and for any number of ranks.

        Raises
        ------
        DataError
            No observations at all; NaN in observations or errors; a model that fails at the prior.
        SpecError
            Shapes that do not fit; sites that depend on each other.
        RankError
            When another rank has failed.
        """
        problem = Problem(model, control, observations, self.options.batch)
        target = Target(problem, self._blocks(problem))
        steps: Steps = (
            Trajectories(target, self.options) if self.needs_gradient else RandomWalk(target, self.options)
        )
        record = self._sampled(target, steps)
        return _posterior(problem, record, self.options)

    def _blocks(self, problem: Problem) -> SiteBlocks:
        seen = {part.number: part.seen for part in problem.parts}
        if self.options.sites is Sites.PLACES:
            return by_place(problem.control, seen)
        return together(len(problem.control.prior), seen)

    def _sampled(self, target: Target, steps: Steps) -> _Record:
        options, blocks = self.options, target.blocks
        draws = Draws(options.seed, options.chains, blocks.keys, blocks.index.shape[1])
        record = _Record(options)
        begin = _begun(target, steps, draws, record)
        target.check_separate(begin.u)
        advance = self.progress("steps", options.steps)
        for number, (point, acceptance) in enumerate(steps.walk(begin, draws)):
            record.add(number, point, acceptance, target)
            advance()
        return record


def _begun(target: Target, steps: Steps, draws: Draws, record: _Record) -> Point:
    """Return where chains begin: at xA where the model fails at their draw of the prior."""
    start = draws.start()
    point = steps.begin(start)
    failed = ~torch.isfinite(point.misfit)
    if not bool(failed.any()):
        return point
    point = steps.begin(torch.where(failed[..., None], 0.0, start))
    if not bool(torch.isfinite(point.misfit).all()):
        chain, site = (~torch.isfinite(point.misfit)).nonzero()[0].tolist()
        what = f"simulations at the prior are not finite (chain {chain}, site {site})"
        raise DataError(what, where="mcmc", hint="a prior at which the model runs")
    record.notes.append(f"{int(failed.sum())} chains begin at the prior: simulations failed at their draws")
    return point


@dataclass
class _Record:
    """What chains leave behind."""

    options: MCMCOptions
    kept: list[Tensor] = field(default_factory=list)
    iterations: list[Mapping[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    accepted: list[Tensor] = field(default_factory=list)

    def add(self, number: int, point: Point, acceptance: Tensor, target: Target) -> None:
        """Take in a step."""
        warmup = int(self.options.warmup * self.options.steps)
        if number % max(self.options.steps // RECORDS, 1) == 0:
            self.iterations.append(_iteration(number, point, acceptance))
        if number >= warmup:
            self.accepted.append(acceptance)
            if (number - warmup) % self.options.thin == 0:
                self.kept.append(target.x(point.u))

    @property
    def acceptance(self) -> Tensor:
        """Mean probability of acceptance after the warm-up, shape ``(chain, site)``."""
        return tree_sum(torch.stack(self.accepted)) / len(self.accepted)


def _iteration(number: int, point: Point, acceptance: Tensor) -> Mapping[str, float]:
    """Return means over the chains of costs, which sites add up to, and of acceptance."""
    return {
        "iteration": number,
        "prior": float(point.prior.sum(1).mean()),
        "observations": float(point.misfit.sum(1).mean()),
        "acceptance": float(acceptance.mean()),
    }


def _posterior(problem: Problem, record: _Record, options: MCMCOptions) -> Posterior:
    draws = torch.stack(record.kept)
    flat = draws.reshape(-1, draws.shape[-1])
    n, prior = flat.shape[1], problem.control.prior
    mean = tree_sum(flat) / len(flat)
    covariance = flat.T.cov().reshape(n, n) if n <= LARGEST else None
    kernel = None
    if covariance is not None:
        kernel = torch.eye(n, dtype=torch.float64) - problem.control.covariance.solve(covariance).T
    found = problem.run(torch.stack([prior, mean]))
    before, after = problem.misfits(found).tolist()
    last = {"prior_after": problem.prior_cost(mean), "observations_after": after}
    simulated = {w: {"prior": r[0], "posterior": r[1]} for w, r in problem.by_window(found).items()}
    chosen = torch.linspace(0, len(flat) - 1, min(len(flat), options.members)).round().long()
    return Posterior(
        mean=mean,
        covariance=covariance,
        averaging_kernel=kernel,
        dofs=None if kernel is None else float(kernel.trace()),
        cost={"prior_before": 0.0, "observations_before": before, **last},
        simulated=simulated,
        members=flat[chosen],
        details=_details(problem, draws, record, options) | {"chi_square": sum(last.values()) / problem.m},
    )


def _details(problem: Problem, draws: Tensor, record: _Record, options: MCMCOptions) -> dict[str, Any]:
    r_hat, size = split_r_hat(draws), effective_size(draws)
    converged = bool((r_hat < options.r_hat).all())
    notes = list(record.notes)
    if not converged:
        worst = int(r_hat.argmax())
        far = int((r_hat >= options.r_hat).sum())
        notes.append(
            f"not converged: R-hat is {float(r_hat[worst]):.3f} for element {worst},"
            f" and not below {options.r_hat:g} for {far} of {len(r_hat)}"
        )
    if options.temperature != 1.0:
        notes.append(f"temperature {options.temperature:g}: the sample is not that of the posterior")
    return {
        "elements": len(r_hat),
        "observations": problem.m,
        "converged": converged,
        "r_hat": r_hat,
        "effective_size": size,
        "acceptance": record.acceptance,
        "iterations": tuple(record.iterations),
        "notes": tuple(notes),
    }

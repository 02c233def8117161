"""What the smoothers say: of each iteration, and at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tradewind.couplers.assimilation import Posterior
from tradewind.plugins.solvers.problem import Part, Problem
from tradewind.plugins.solvers.smoothers.running import Ran

LARGEST = 4096
"""Elements up to which the sample's covariance is made as a matrix."""


@dataclass
class History:
    """Notes what each iteration knows.

    Attributes
    ----------
    iterations
        Each with ``iteration``, ``prior`` and ``observations`` (cost at the centre, without 1/2),
        ``chi_square`` (their sum per observation), ``spread`` (root mean square over the elements of the
        members' standard deviation relative to the prior's) and ``members_observations`` (mean of the
        members' cost).
    """

    problem: Problem
    iterations: list[Mapping[str, float]] = field(default_factory=list)

    def add(self, members: Tensor, centre: Tensor, ran: Ran, **more: float) -> None:
        """Note the state in which an iteration begins."""
        problem = self.problem
        prior = problem.prior_cost(centre)
        rows = {k: torch.cat([v, ran.centre[k][None]]) for k, v in ran.members.items()}
        misfits = problem.misfits(rows)
        observations = float(misfits[-1])
        self.iterations.append(
            {
                "iteration": len(self.iterations),
                "prior": prior,
                "observations": observations,
                "chi_square": (prior + observations) / problem.m,
                "spread": _spread(members, problem),
                "members_observations": float(misfits[:-1].mean()),
                **more,
            }
        )


def _spread(members: Tensor, problem: Problem) -> float:
    relative = members.var(0) / problem.control.covariance.diagonal()
    return float(relative.mean().sqrt())


class Runs(NamedTuple):
    """What ran about the prior, and about the posterior."""

    before: Ran
    after: Ran


def posterior(
    problem: Problem, members: Tensor, runs: Runs, details: Mapping[str, Any], optimal: bool = True
) -> Posterior:
    """Return what a sample ``(member, n)`` of the posterior says.

    DOFS is the trace of the influence matrix ``R⁻¹ cov(F(members))`` (Cardinali et al., 2004,
    doi 10.1256/qj.03.205): tr A where the model is linear and the sample exact. It is that of the optimal
    gain only, so there is none where the gain is not `optimal` (localised or truncated).
    """
    before, after = runs
    mean = members.mean(0)
    n = len(mean)
    history: Sequence[Mapping[str, float]] = details["iterations"]
    rows = {k: torch.stack([before.centre[k], after.centre[k]]) for k in after.centre}
    simulated = {w: {"prior": r[0], "posterior": r[1]} for w, r in problem.by_window(rows).items()}
    costs = {"prior_before": 0.0, "observations_before": history[0]["observations"]}
    last = {"prior_after": history[-1]["prior"], "observations_after": history[-1]["observations"]}
    return Posterior(
        mean=mean,
        covariance=members.T.cov().reshape(n, n) if n <= LARGEST else None,
        dofs=dofs(problem, after) if optimal else None,
        cost={**costs, **last},
        simulated=simulated,
        members=members,
        details={
            "elements": n,
            "observations": problem.m,
            "members": len(members),
            "chi_square": history[-1]["chi_square"],
            **details,
        },
    )


def dofs(problem: Problem, ran: Ran) -> float:
    """Return ``tr(R⁻¹ cov(F(members)))``."""

    def influence(part: Part) -> Tensor:
        anomalies = ran.anomalies(part.number)
        return (anomalies * part.noise.solve(anomalies)).sum()[None] / (len(anomalies) - 1)

    return float(problem.sum(influence))

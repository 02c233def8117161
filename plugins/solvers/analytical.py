"""Analytical inversion: the exact posterior of a linear model with normal errors.

    xhat = xA + (g KᵀR⁻¹K + Sa⁻¹)⁻¹ g KᵀR⁻¹ (y - F(xA)),   R = So + the model's own error

Windows are independent given x, so ranks share them: every rank linearizes its own, and only sums of
shape ``(n, n + 1)`` travel. K lives for one window only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation import (
    Control,
    ForwardModel,
    Observations,
    ObservationsByWindow,
    Posterior,
    Progress,
)
from tradewind.couplers.assimilation.covariance import Covariance
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.ranks.parallel import Communicator, agree, ordered_sum
from tradewind.plugins.solvers import windows
from tradewind.plugins.solvers.normal import NormalPosterior, information_form, regularisation
from tradewind.plugins.solvers.options import AnalyticalOptions
from tradewind.plugins.solvers.windows import Linearized


def silent(name: str, length: int) -> Callable[[], None]:
    """Show no progress."""
    return lambda: None


@dataclass
class _Kept:
    """What a rank keeps of its windows between the two passes."""

    simulated: list[Tensor] = field(default_factory=list)
    noise: list[Covariance | None] = field(default_factory=list)
    jacobians: dict[Interval, Tensor] = field(default_factory=dict)
    sums: dict[int, Tensor] = field(default_factory=dict)


class Analytical:
    """Solver ``analytical``: normal prior, linear model, exact covariance.

    The cost has no factor 1/2: J = J_A + g J_O, J_A = (x - xA)ᵀSa⁻¹(x - xA), J_O = (y - F(x))ᵀR⁻¹(y - F(x)).
    The posterior's ``details`` hold ``gamma`` (g), ``elements`` (n), ``observations`` (m),
    ``prior_cost_per_element`` (J_A/n), ``chi_square`` (J/m at xhat, near 1 where errors are what they
    claim), and with ``keep_jacobian`` also ``jacobian``: K of this rank's windows.

    Parameters
    ----------
    options
        Settings.
    progress
        Shows how many windows are done.
    """

    needs_gradient = True

    def __init__(self, options: AnalyticalOptions | None = None, progress: Progress = silent) -> None:
        self.options, self.progress = options or AnalyticalOptions(), progress

    def solve(self, model: ForwardModel, control: Control, observations: ObservationsByWindow) -> Posterior:
        """Return the posterior, with the same bits on all ranks and for any number of ranks.

        Every rank of ``model.comm`` enters. The model is linearized about xA window by window, and run
        once more at xhat: the observation cost after is that of the model, not of its linearization.

        Raises
        ------
        DataError
            No observations at all; observations that would be lost; NaN in observations, errors,
            simulations or K, by window and index.
        SpecError
            Shapes that do not fit.
        RankError
            When another rank has failed.
        """
        windows.refuse_lost(model, observations)
        kept = self._linearize(model, control, observations)
        total = ordered_sum(model.comm, kept.sums)
        hessian, gradient = total[:, :-1], total[:, -1]
        gamma = self._gamma(hessian, gradient, control)
        normal = information_form(hessian, gradient, control.covariance, gamma)
        mean = control.prior + normal.increment
        after = self._simulate(model, mean, observations, kept)
        simulated, costs, m = _compare(model, observations, kept, after)
        details = _details(normal, costs, gamma, m)
        if self.options.keep_jacobian:
            details["jacobian"] = kept.jacobians
        return Posterior(
            mean=mean,
            covariance=normal.covariance,
            averaging_kernel=normal.averaging_kernel,
            dofs=float(normal.averaging_kernel.trace()),
            cost=costs | {"prior_before": 0.0, "prior_after": normal.prior_cost},
            simulated=simulated,
            details=details,
        )

    def _linearize(self, model: ForwardModel, control: Control, observations: ObservationsByWindow) -> _Kept:
        kept, mine = _Kept(), windows.owned(model.windows, model.comm)
        advance = self.progress("linearize", len(mine))
        with agree(model.comm, "linearizing windows"):
            for number in mine:
                window = model.windows[number]
                self._keep(kept, number, window, _linearized(model, control, window, observations))
                advance()
        return kept

    def _keep(self, kept: _Kept, number: int, window: Interval, found: Linearized | None) -> None:
        kept.simulated.append(windows.NOTHING.y if found is None else found.simulated)
        kept.noise.append(None if found is None else found.noise)
        if found is None:
            return
        if self.options.keep_jacobian:
            kept.jacobians[window] = found.jacobian
        # the sum begins with window 0: whoever owns it adds at once, and a serial run keeps one matrix
        slot = 0 if 0 in kept.sums else number
        kept.sums[slot] = (
            kept.sums[slot] + found.normal_equations if slot in kept.sums else found.normal_equations
        )

    def _gamma(self, hessian: Tensor, gradient: Tensor, control: Control) -> float:
        if self.options.gamma == "auto":
            return regularisation(hessian, gradient, control.covariance)
        return float(self.options.gamma)

    def _simulate(
        self, model: ForwardModel, x: Tensor, observations: ObservationsByWindow, kept: _Kept
    ) -> list[Tensor]:
        """Return F(x) of this rank's windows."""
        mine, after = windows.owned(model.windows, model.comm), []
        advance = self.progress("simulate posterior", len(mine))
        with agree(model.comm, "simulating the posterior"):
            for number in mine:
                window = model.windows[number]
                seen = observations.get(window, windows.NOTHING)
                after.append(windows.simulate(model, x, window, seen) if len(seen) else seen.y)
                advance()
        return after


def _linearized(
    model: ForwardModel, control: Control, window: Interval, observations: ObservationsByWindow
) -> Linearized | None:
    seen: Observations = observations.get(window, windows.NOTHING)
    return windows.linearized(model, control.prior, window, seen) if len(seen) else None


def _compare(
    model: ForwardModel, observations: ObservationsByWindow, kept: _Kept, after: list[Tensor]
) -> tuple[Mapping[Interval, Mapping[str, Tensor]], dict[str, float], int]:
    """Return simulations by window, observation costs before and after, and m: the same on all ranks."""
    mine = [model.windows[number] for number in windows.owned(model.windows, model.comm)]
    pairs = [torch.stack(pair) for pair in zip(kept.simulated, after, strict=True)]
    costs = [
        _costs(observations.get(window, windows.NOTHING), pair, noise)
        for window, pair, noise in zip(mine, pairs, kept.noise, strict=True)
    ]
    before, later = _summed(model.comm, costs)
    gathered = dict(windows.by_window(model.windows, model.comm, pairs))
    simulated = {w: {"prior": p[0], "posterior": p[1]} for w, p in gathered.items()}
    m = sum(p.shape[1] for p in gathered.values())
    return simulated, {"observations_before": before, "observations_after": later}, m


def _costs(seen: Observations, pair: Tensor, noise: Covariance | None) -> tuple[float, float]:
    """Return rᵀR⁻¹r of one window, before and after."""
    if noise is None:
        return 0.0, 0.0
    before, after = (float(r @ noise.solve(r)) for r in seen.y - pair)
    return before, after


def _summed(comm: Communicator, costs: list[tuple[float, float]]) -> list[float]:
    """Add all windows' costs in their order."""
    every = np.concatenate(comm.allgather_array(np.array(costs, dtype=np.float64).reshape(-1, 2)))
    return [float(sum(column.tolist())) for column in every.T]


def _details(normal: NormalPosterior, costs: Mapping[str, float], gamma: float, m: int) -> dict[str, Any]:
    n = len(normal.increment)
    return {
        "gamma": gamma,
        "elements": n,
        "observations": m,
        "prior_cost_per_element": normal.prior_cost / n,
        "chi_square": (normal.prior_cost + gamma * costs["observations_after"]) / m,
    }

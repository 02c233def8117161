"""Analytical inversion: the posterior of a model that is linear in amplitudes, from products made once.

    xhat = xA + (g KᵀR⁻¹K + Sa⁻¹)⁻¹ g KᵀR⁻¹ (y - F(xA)),   R = So + the model's own error

Windows are independent given x, so ranks share them: every rank linearizes its own and adds what they say to
`products`, some rows of K at a time. All that is asked for follows from those: see `inverting` for one
analysis, `rolling` for the Kalman mode, `variants` for the ensemble over hyper-parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from tradewind.couplers.operators import LinearOperator
from tradewind.couplers.ranks.parallel import Communicator, agree
from tradewind.plugins.solvers import windows
from tradewind.plugins.solvers.inversion.inverting import Inversion, Rows
from tradewind.plugins.solvers.inversion.rolling import Period, Rolled, cut, roll, told
from tradewind.plugins.solvers.inversion.variants import ensemble
from tradewind.plugins.solvers.jacobians import Perturbed, Way
from tradewind.plugins.solvers.options import AnalyticalOptions, Form
from tradewind.plugins.solvers.products.accumulating import Accumulator, Building, batches
from tradewind.plugins.solvers.products.sums import Guess


def silent(name: str, length: int) -> Callable[[], None]:
    """Show no progress."""
    return lambda: None


@dataclass
class _Kept:
    """What a rank keeps of its windows: simulations and errors, sums by period, K only where asked for."""

    simulated: list[Tensor] = field(default_factory=list)
    noise: list[Covariance | None] = field(default_factory=list)
    jacobians: dict[Interval, Tensor] = field(default_factory=dict)
    sums: dict[int, Accumulator] = field(default_factory=dict)
    rows: dict[int, list[Tensor]] = field(default_factory=dict)


class Analytical:
    """Solver ``analytical``: normal, lognormal or bounded, with its covariance.

    The cost has no factor 1/2: J = J_A + g J_O, J_A = (x - xA)ᵀSa⁻¹(x - xA), J_O = (y - F(x))ᵀR⁻¹(y - F(x)).
    The posterior's ``details`` hold ``gamma`` (g), ``elements`` (n), ``observations`` (m),
    ``prior_cost_per_element`` (J_A/n), ``chi_square`` (J/m at xhat, near 1 where errors are what they
    claim); where there is something to say also ``iterations`` (lognormal), ``active`` (elements at a bound,
    bool ``(n,)``), ``least_eigenvalue`` (low-rank: what is left out has a weight below it), ``ensemble``,
    ``periods``, and with ``keep_jacobian`` ``jacobian``: K of this rank's windows.

    In the Kalman mode the posterior is that of the last period, its costs are sums over the periods.

    Parameters
    ----------
    options
        Settings.
    progress
        Shows how many windows are done.
    """

    def __init__(self, options: AnalyticalOptions | None = None, progress: Progress = silent) -> None:
        self.options, self.progress = options or AnalyticalOptions(), progress
        self.needs_gradient = Way(self.options.jacobian) is not Way.MODEL_RUNS

    def solve(self, model: ForwardModel, control: Control, observations: ObservationsByWindow) -> Posterior:
        """Return the posterior, with the same bits on all ranks and for any number of ranks.

        Every rank of ``model.comm`` enters. The model is linearized about xA window by window, and run
        once more at xhat: the observation cost after is that of the model, not of its linearization.

        Raises
        ------
        ConfigError
            Settings that do not fit the control.
        DataError
            No observations at all; observations that would be lost; NaN in observations, errors,
            simulations or K, by window and index; no minimum is found.
        SpecError
            Shapes that do not fit.
        RankError
            When another rank has failed.
        """
        inversion = Inversion(control, self.options)
        windows.refuse_lost(model, observations)
        kept = self._linearize(model, control, observations)
        periods = self._periods(model, inversion, kept)
        first = Guess(control.prior, control.covariance)
        rolled = list(roll(inversion, periods, first, self.options.gamma))
        after = self._simulate(model, rolled, observations, kept)
        details = _told(rolled, self.options)
        members = ensemble(inversion, periods, control, rolled[-1].analysis.gamma)
        details |= {"ensemble": members} if members else {}
        details |= {"jacobian": kept.jacobians} if self.options.keep_jacobian else {}
        return _posterior(rolled, details, _compare(model, observations, kept, after))

    # ------------------------------------------------------------------ products
    def _linearize(self, model: ForwardModel, control: Control, observations: ObservationsByWindow) -> _Kept:
        kept, mine = _Kept(), windows.owned(model.windows, model.comm)
        advance = self.progress("linearize", len(mine))
        with agree(model.comm, "linearizing windows"):
            for period, numbers in enumerate(cut(model.windows, self.options.every)):
                for number in (n for n in numbers if n in mine):
                    window = model.windows[number]
                    seen: Observations = observations.get(window, windows.NOTHING)
                    self._add(kept, period, (model, control.prior), (window, seen))
                    advance()
        return kept

    def _add(
        self,
        kept: _Kept,
        period: int,
        about: tuple[ForwardModel, Tensor],
        place: tuple[Interval, Observations],
    ) -> None:
        """Add what a window says of its period."""
        (model, x), (window, seen) = about, place
        if not len(seen):
            kept.simulated.append(windows.NOTHING.y)
            kept.noise.append(None)
            return
        windows.refuse_nan(seen.y, "observation", window)
        simulated = windows.simulate(model, x, window, seen)
        operator = self._linearization(model, x, (window, seen), simulated)
        noise = windows.noise(model, x, window, seen)
        kept.simulated.append(simulated)
        kept.noise.append(noise)
        building = Building(Way(self.options.jacobian), self.options.batch)
        sums = kept.sums.setdefault(period, Accumulator(len(x)))
        whole = []
        for batch in batches(operator, seen.y - simulated, noise, building, place):
            sums.add(batch)
            if self.options.form is Form.GAIN:
                both = torch.cat([batch.weighted, batch.residual[:, None]], dim=1)
                kept.rows.setdefault(period, []).append(both)
            if self.options.keep_jacobian:
                whole.append(batch.jacobian)
        if whole:
            kept.jacobians[window] = torch.cat(whole)

    def _linearization(
        self, model: ForwardModel, x: Tensor, place: tuple[Interval, Observations], simulated: Tensor
    ) -> LinearOperator:
        if not self.needs_gradient:
            return Perturbed(model, x, place[0], simulated)
        return windows.linearized(model, x, *place)

    def _periods(self, model: ForwardModel, inversion: Inversion, kept: _Kept) -> list[Period]:
        """Return all periods with what they say; collective."""
        n, found = len(inversion.reference), []
        for number, inside in enumerate(cut(model.windows, self.options.every)):
            sums = kept.sums.pop(number, None) or Accumulator(n)
            products = sums.products(model.comm).divided(inversion.slope)
            rows = None
            if self.options.form is Form.GAIN:
                rows = _gathered(model.comm, kept.rows.pop(number, []), inversion.slope)
            found.append(Period(model.windows[inside.start : inside.stop], inside, products, rows))
        return found

    # ------------------------------------------------------------------ after
    def _simulate(
        self,
        model: ForwardModel,
        rolled: Sequence[Rolled],
        observations: ObservationsByWindow,
        kept: _Kept,
    ) -> list[Tensor]:
        """Return F(x) of this rank's windows, each at the mean of its period."""
        mine, after = windows.owned(model.windows, model.comm), []
        means = {number: one.analysis.mean for one in rolled for number in one.period.numbers}
        advance = self.progress("simulate posterior", len(mine))
        with agree(model.comm, "simulating the posterior"):
            for number in mine:
                window = model.windows[number]
                seen = observations.get(window, windows.NOTHING)
                after.append(windows.simulate(model, means[number], window, seen) if len(seen) else seen.y)
                advance()
        return after


@dataclass(frozen=True)
class _Comparison:
    """Simulations by window, observation costs before and after, and m: the same on all ranks."""

    simulated: Mapping[Interval, Mapping[str, Tensor]]
    before: float
    after: float
    m: int


def _gathered(comm: Communicator, parts: list[Tensor], slope: Tensor) -> Rows:
    """Return the rows of all ranks, in the order of the windows, with respect to amplitudes."""
    n = len(slope)
    mine = torch.cat(parts) if parts else torch.zeros(0, n + 1, dtype=torch.float64)
    both = torch.from_numpy(np.concatenate(comm.allgather_array(mine.numpy())))
    return Rows(both[:, :-1] / slope, both[:, -1].contiguous())


def _compare(
    model: ForwardModel, observations: ObservationsByWindow, kept: _Kept, after: list[Tensor]
) -> _Comparison:
    mine = [model.windows[number] for number in windows.owned(model.windows, model.comm)]
    pairs = [torch.stack(pair) for pair in zip(kept.simulated, after, strict=True)]
    costs = [
        _costs(observations.get(window, windows.NOTHING), pair, noise)
        for window, pair, noise in zip(mine, pairs, kept.noise, strict=True)
    ]
    before, later = _summed(model.comm, costs)
    gathered = dict(windows.by_window(model.windows, model.comm, pairs))
    simulated = {w: {"prior": p[0], "posterior": p[1]} for w, p in gathered.items()}
    return _Comparison(simulated, before, later, sum(p.shape[1] for p in gathered.values()))


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


def _told(rolled: Sequence[Rolled], options: AnalyticalOptions) -> dict[str, Any]:
    """Return what the analyses have to say of themselves."""
    last = rolled[-1].analysis
    details: dict[str, Any] = {"gamma": last.gamma, "elements": len(last.mean), **last.details}
    if options.every is not None:
        details["periods"] = [told(one) for one in rolled]
    return details


def _posterior(rolled: Sequence[Rolled], details: dict[str, Any], compared: _Comparison) -> Posterior:
    last, n = rolled[-1].analysis, len(rolled[-1].analysis.mean)
    prior = sum(one.analysis.prior_cost for one in rolled)
    details |= {
        "observations": compared.m,
        "prior_cost_per_element": prior / n / len(rolled),
        "chi_square": (prior + last.gamma * compared.after) / compared.m,
    }
    return Posterior(
        mean=last.mean,
        covariance=last.posterior.covariance,
        averaging_kernel=last.posterior.averaging_kernel,
        sensitivity=last.posterior.sensitivity,
        dofs=last.dofs,
        cost={
            "prior_before": 0.0,
            "observations_before": compared.before,
            "prior_after": prior,
            "observations_after": compared.after,
        },
        simulated=compared.simulated,
        details=details,
    )

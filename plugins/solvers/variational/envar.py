"""Solver ``envar``: hybrid ensemble-variational assimilation.

The cost is that of `4dvar`, with a background covariance that is part the control's own, part that of
members (see `tradewind.plugins.solvers.variational.members`). With ``derivative: ensemble`` the members'
runs stand for the model's derivative (4DEnVar: Liu et al., 2008, Mon. Wea. Rev. 136, 3363):

    G α = beta_e Σ_k y'_k ∘ (P C^{1/2} α_k),   y'_k = (F(x + x'_k) - mean) / √(N - 1)

where P takes the element nearest to each observation.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation import Control, ForwardModel, ObservationsByWindow, Posterior
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import LinearOperator
from tradewind.errors import DataError
from tradewind.plugins.solvers import windows
from tradewind.plugins.solvers.variational.incremental import solved, standing
from tradewind.plugins.solvers.variational.members import (
    BesideOperator,
    MembersRoot,
    ScaledOperator,
    deviations,
    localisation_root,
    nearest,
)
from tradewind.plugins.solvers.variational.options import Derivative, Dynamics, EnVarOptions
from tradewind.plugins.solvers.variational.problem import Chain, Problem

BATCH = 16
"""Members that the model is given together; fixed, so that bits do not depend on the ranks."""


class EnVar:
    """Solver ``envar``; ``details`` hold what those of `FourDVar` do.

    Without `ensemble` it is `4dvar` (or `3dvar`); with many members, not localised, it tends to it.

    Parameters
    ----------
    options
        Settings.
    """

    def __init__(self, options: EnVarOptions | None = None) -> None:
        self.options = options or EnVarOptions()

    @property
    def needs_gradient(self) -> bool:
        """Whether the model's adjoint is used."""
        return self.options.derivative is Derivative.ADJOINT and self.options.dynamics is Dynamics.RUN

    def solve(self, model: ForwardModel, control: Control, observations: ObservationsByWindow) -> Posterior:
        """Return the posterior, with the same bits on all ranks and for any number of ranks.

        Raises
        ------
        DataError
            As `FourDVar.solve` does; a file of members that does not fit; a member whose run is not finite.
        SpecError
            As `FourDVar.solve` does; elements without a place where members are localised.
        RankError
            When another rank has failed.
        """
        if self.options.dynamics is Dynamics.STILL:
            model = standing(model)
        windows.refuse_lost(model, observations)
        spanned = None if not self.options.ensemble else _Members(model, control, self.options)
        derivative = None
        if spanned is not None and self.options.derivative is Derivative.ENSEMBLE:
            derivative = spanned.differences(observations)
        problem = Problem(model, control.prior, self._root(control, spanned), observations, derivative)
        return solved(problem, self.options)

    def _root(self, control: Control, spanned: _Members | None) -> LinearOperator:
        static = control.sqrt_covariance()
        if self.options.static != 1.0:
            static = ScaledOperator(math.sqrt(self.options.static), static)
        if spanned is None:
            return static
        return BesideOperator(static, spanned.root) if self.options.static else spanned.root


class _Members:
    """Members of an ensemble and the covariance that they span."""

    def __init__(self, model: ForwardModel, control: Control, options: EnVarOptions) -> None:
        self.model, self.control, self.options = model, control, options
        self.deviations = deviations(control, options)
        self.taper = localisation_root(control, options.localization)
        self.factor = math.sqrt(options.ensemble / (len(self.deviations) - 1))
        self.root = MembersRoot(self.factor * self.deviations, self.taper)

    def differences(self, observations: ObservationsByWindow) -> Chain:
        """Return what gives G at x in a window."""

        def at(x: Tensor, window: Interval) -> LinearOperator:
            parts = torch.split(x + self.deviations, BATCH)
            simulated = torch.cat([self.model(part, window).detach() for part in parts])
            _refuse_failed(simulated, window)
            return MembersRoot(
                self.factor * (simulated - simulated.mean(0)), self._seen(window, observations)
            )

        return at

    def _seen(self, window: Interval, observations: ObservationsByWindow) -> Tensor:
        """Return P T, shape ``(m, q)``."""
        seen, options = observations[window], self.options.localization
        if options is None:
            return torch.ones(len(seen), 1, dtype=torch.float64)
        missing = {"longitude", "latitude"} - set(seen.coordinates)
        if missing:
            what = f"observations have no {' and no '.join(sorted(missing))}"
            raise DataError(what, where=f"window {window}", hint="give their places, or do not localise")
        longitude, latitude = (
            np.asarray(seen.coordinates[k], dtype=np.float64) for k in ("longitude", "latitude")
        )
        return self.taper[nearest(self.control, (longitude, latitude), options)]


def _refuse_failed(simulated: Tensor, window: Interval) -> None:
    failed = ~torch.isfinite(simulated).all(-1)
    if bool(failed.any()):
        which = ", ".join(str(int(k)) for k in failed.nonzero()[:, 0])
        hint = "a narrower prior, or derivative: adjoint"
        raise DataError(f"runs of members {which} are not finite", where=f"window {window}", hint=hint)

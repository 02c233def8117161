"""Solver ``optimal-interpolation``: the exact analysis of fields that stand still."""

from __future__ import annotations

from tradewind.couplers.assimilation import Control, ForwardModel, ObservationsByWindow, Posterior
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.plugins.solvers.variational.incremental import standing


class OptimalInterpolation(Analytical):
    """The minimum that `3dvar` seeks, from the normal equations; for small controls.

    See `Analytical` for options and what is reported.
    """

    needs_gradient = False

    def solve(self, model: ForwardModel, control: Control, observations: ObservationsByWindow) -> Posterior:
        """Return the posterior, as `Analytical.solve` does of a model that keeps the controlled fields.

        Raises
        ------
        SpecError
            A model that cannot stand still, or whose observed variables x does not set.
        """
        return super().solve(standing(model), control, observations)

"""Solver ``optimal-interpolation``: the exact analysis of fields that stand still."""

from __future__ import annotations

from tradewind.couplers.assimilation import Control, ForwardModel, ObservationsByWindow, Posterior, Progress
from tradewind.plugins.solvers.analytical import Analytical, silent
from tradewind.plugins.solvers.options import AnalyticalOptions, InterpolationOptions
from tradewind.plugins.solvers.variational.incremental import standing


class OptimalInterpolation(Analytical):
    """The minimum that `3dvar` seeks, from the normal equations; for small controls.

    See `Analytical` for what is reported.

    Parameters
    ----------
    options
        Settings.
    progress
        Shows how many windows are done.
    """

    needs_gradient = False

    def __init__(self, options: InterpolationOptions | None = None, progress: Progress = silent) -> None:
        given = {} if options is None else options.model_dump(include=set(InterpolationOptions.model_fields))
        super().__init__(AnalyticalOptions(**given), progress)

    def solve(self, model: ForwardModel, control: Control, observations: ObservationsByWindow) -> Posterior:
        """Return the posterior, as `Analytical.solve` does of a model that keeps the controlled fields.

        Raises
        ------
        SpecError
            A model that cannot stand still, or whose observed variables x does not set.
        """
        return super().solve(standing(model), control, observations)

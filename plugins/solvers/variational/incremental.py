"""Solvers `4dvar` and `3dvar`: strong-constraint variational assimilation.

    J(x) = (x - xA)ᵀ Sa⁻¹ (x - xA) + Σ_w (y - F_w(x))ᵀ R_w⁻¹ (y - F_w(x))

Incremental (Courtier et al., 1994, QJRMS 120, 1367) and preconditioned by the root of the background's
covariance: x = xA + L v. The cost is reported without the factor 1/2.
"""

from __future__ import annotations

from typing import Any

from tradewind.couplers.assimilation import (
    CanStandStill,
    Control,
    ForwardModel,
    ObservationsByWindow,
    Posterior,
)
from tradewind.errors import SpecError
from tradewind.plugins.solvers import windows
from tradewind.plugins.solvers.variational.course import Course
from tradewind.plugins.solvers.variational.minimising import Minimum, minimum
from tradewind.plugins.solvers.variational.options import (
    FourDVarOptions,
    ThreeDVarOptions,
    VariationalOptions,
)
from tradewind.plugins.solvers.variational.problem import Problem
from tradewind.plugins.solvers.variational.uncertainty import spread


class FourDVar:
    """Solver ``4dvar``: the minimum of the cost by the model's tangent and adjoint.

    The posterior's ``details`` hold ``iterations`` (see `Course`), ``converged``, ``reduction`` (of the
    gradient), ``covariance`` (how it was made), ``notes`` (what did not go as it should), ``elements``,
    ``observations``, ``prior_cost_per_element`` and ``chi_square`` (J/m).

    Parameters
    ----------
    options
        Settings.
    """

    needs_gradient = True

    def __init__(self, options: VariationalOptions | None = None) -> None:
        self.options = options or FourDVarOptions()

    def solve(self, model: ForwardModel, control: Control, observations: ObservationsByWindow) -> Posterior:
        """Return the posterior, with the same bits on all ranks and for any number of ranks.

        Every rank of ``model.comm`` enters. R, with the model's own error at xA, is kept throughout.

        Raises
        ------
        DataError
            No observations at all; observations that would be lost; NaN in observations, errors,
            simulations at the prior or the first gradient.
        SpecError
            Shapes that do not fit.
        RankError
            When another rank has failed.
        """
        windows.refuse_lost(model, observations)
        problem = Problem(model, control.prior, control.sqrt_covariance(), observations)
        return solved(problem, self.options)


class ThreeDVar(FourDVar):
    """Solver ``3dvar``: as `4dvar`, with a model that keeps the controlled fields through each window."""

    needs_gradient = False

    def __init__(self, options: ThreeDVarOptions | None = None) -> None:
        super().__init__(options or ThreeDVarOptions())

    def solve(self, model: ForwardModel, control: Control, observations: ObservationsByWindow) -> Posterior:
        """Return the posterior, as `FourDVar.solve` does.

        Raises
        ------
        SpecError
            A model that cannot stand still, or whose observed variables x does not set.
        """
        return super().solve(standing(model), control, observations)


def standing(model: ForwardModel) -> ForwardModel:
    """Return the model without its dynamics.

    Raises
    ------
    SpecError
        When it cannot stand still.
    """
    if not isinstance(model, CanStandStill):
        raise SpecError(
            f"{type(model).__name__} cannot stand still",
            where="3dvar",
            hint="use 4dvar, or add standing_still()",
        )
    return model.standing_still()


def solved(problem: Problem, options: VariationalOptions) -> Posterior:
    """Return the posterior of a problem."""
    course = Course()
    found = minimum(problem, options, course)
    uncertainty = spread(found, options)
    before, after = found.start.point, found.end.point
    simulated = problem.by_window([before, after])
    m = sum(pair.shape[1] for pair in simulated.values())
    return Posterior(
        mean=after.x,
        covariance=uncertainty.covariance,
        averaging_kernel=uncertainty.averaging_kernel,
        dofs=uncertainty.dofs,
        cost={
            "prior_before": before.cost.prior,
            "observations_before": before.cost.observations,
            "prior_after": after.cost.prior,
            "observations_after": after.cost.observations,
        },
        simulated={w: {"prior": pair[0], "posterior": pair[1]} for w, pair in simulated.items()},
        details=_details(found, options, course, m) | dict(uncertainty.details),
    )


def _details(found: Minimum, options: VariationalOptions, course: Course, m: int) -> dict[str, Any]:
    cost, n = found.end.point.cost, len(found.end.point.x)
    return {
        "minimiser": str(options.minimiser),
        "iterations": tuple(course.iterations),
        "converged": found.reduction <= options.reduction,
        "reduction": found.reduction,
        "notes": tuple(course.notes),
        "elements": n,
        "observations": m,
        "prior_cost_per_element": cost.prior / n,
        "chi_square": cost.total / m,
    }

"""The iterative ensemble smoother: Gauss–Newton in the space of the members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tradewind.couplers.assimilation import Control, ForwardModel, ObservationsByWindow, Posterior, Progress
from tradewind.plugins.solvers.analytical import silent
from tradewind.plugins.solvers.problem import Part, Problem
from tradewind.plugins.solvers.smoothers.drawing import prior_members
from tradewind.plugins.solvers.smoothers.options import IESOptions, Linearisation
from tradewind.plugins.solvers.smoothers.running import CENTRE, Ran, Runner
from tradewind.plugins.solvers.smoothers.summary import History, Runs, posterior

NO_RISE = 1e-10
"""Relative rise of the cost that counts as rounding."""


@dataclass(frozen=True)
class _State:
    """Where the iteration stands: x = xA + X'ᵀw, and the members around it that have been run.

    ``transform`` T (N, N) places them: ``x + T X'``.
    """

    w: Tensor
    transform: Tensor
    x: Tensor
    ran: Ran
    cost: float


class IES:
    """Solver ``ies``: the iterative ensemble Kalman smoother of Bocquet and Sakov (2014).

    With anomalies X' of N members (rows, adding up to 0) and x = xA + X'ᵀw, it minimises

        J(w) = (N - 1) wᵀw + (y - F(x))ᵀR⁻¹(y - F(x))

    by Gauss–Newton steps ``-H⁻¹((N - 1) w - Y R⁻¹(y - F(x)))``, ``H = (N - 1) I + Y R⁻¹Yᵀ``, whose
    sensitivities Y come from members: ``bundle`` runs ``x + eps X'`` and divides by eps; ``transform``
    runs ``x + T X'``, ``T = ((N - 1) H⁻¹)^½`` of the step before, and multiplies by T⁻¹
    (doi 10.1002/qj.2236, Algorithms 1 and 2; the innovation here is that of x itself). A step that raises
    J is halved. Members of the posterior are ``x + ((N - 1) H⁻¹)^½ X'``: it is deterministic, no
    observation is perturbed. Costs in `details` are those of Sa; ``minimised`` is J,
    and their ``spread`` is that of the posterior that the iteration's sensitivities give.

    Parameters
    ----------
    options
        Settings.
    progress
        Shows how many iterations are done.
    """

    needs_gradient = False

    def __init__(self, options: IESOptions | None = None, progress: Progress = silent) -> None:
        self.options, self.progress = options or IESOptions(), progress

    def solve(self, model: ForwardModel, control: Control, observations: ObservationsByWindow) -> Posterior:
        """Return the posterior, with the same bits on all ranks and for any number of ranks.

        Raises
        ------
        DataError
            No observations at all; NaN in observations or errors; simulations that fail at the prior, or
            of a member.
        SpecError
            Shapes that do not fit; too few members for exact draws.
        RankError
            When another rank has failed.
        """
        options = self.options
        problem = Problem(model, control, observations, options.batch)
        drawn = prior_members(control, options.members, options.draws, options.seed)
        descent = _Descent(problem, options, drawn - drawn.mean(0))
        state, details = descent.minimise(self.progress)
        members = state.x + descent.spread(state) @ descent.anomalies
        centre = members.mean(0)
        last = descent.runner(members, centre, "the posterior")
        descent.history.add(members, centre, last)
        details |= {"iterations": tuple(descent.history.iterations), "notes": tuple(descent.notes)}
        return posterior(problem, members, Runs(descent.first, last), details)


class _Descent:
    """The iteration."""

    def __init__(self, problem: Problem, options: IESOptions, anomalies: Tensor) -> None:
        self.problem, self.options, self.anomalies = problem, options, anomalies
        self.runner, self.history = Runner(problem, options.failure), History(problem)
        self._said: list[str] = []
        self._within = within(anomalies)
        identity = torch.eye(len(anomalies), dtype=torch.float64)
        w, start = torch.zeros(len(anomalies), dtype=torch.float64), self._placed(identity)
        x = problem.control.prior
        self._begin = self._state(w, start, self.runner(x + start @ anomalies, x, "iteration 0"))

    @property
    def first(self) -> Ran:
        """What ran about the prior."""
        return self._begin.ran

    @property
    def notes(self) -> list[str]:
        """What there is to say."""
        return [*self.runner.notes, *self._said]

    def minimise(self, progress: Progress) -> tuple[_State, dict[str, Any]]:
        """Return where J is least, and whether the steps have converged."""
        options, state, advance = self.options, self._begin, progress("iterations", self.options.iterations)
        for number in range(options.iterations):
            hessian, step = self._newton(state)
            length = self._length(step)
            self.history.add(
                _root(hessian) @ self.anomalies, state.x, state.ran, minimised=state.cost, step=length
            )
            advance()
            if length < options.tolerance:
                return state, {"converged": True}
            found = self._lower(state, step, self._placed(_root(hessian)), f"iteration {number + 1}")
            if found is None:
                self._said.append(f"iteration {number + 1}: no part of the step lowers the cost; stopped")
                return state, {"converged": False}
            state = found
        # the last step has not been judged yet
        converged = self._length(self._newton(state)[1]) < options.tolerance
        if not converged:
            self._said.append(f"not converged after {options.iterations} iterations")
        return state, {"converged": converged}

    def spread(self, state: _State) -> Tensor:
        """Return the transform ``((N - 1) H⁻¹)^½`` of the posterior's members."""
        return _root(self._newton(state)[0])

    def _length(self, step: Tensor) -> float:
        """Return the step's root mean square in standard deviations of the prior."""
        members, n = self.anomalies.shape
        return float(((members - 1) * (step @ step) / min(n, members - 1)).sqrt())

    def _placed(self, transform: Tensor) -> Tensor:
        """Return where members are to stand, as a transform of the anomalies."""
        if self.options.linearisation is Linearisation.BUNDLE:
            return self.options.epsilon * torch.eye(len(transform), dtype=torch.float64)
        return transform

    def _at(self, w: Tensor) -> Tensor:
        return self.problem.control.prior + w @ self.anomalies

    def _state(self, w: Tensor, transform: Tensor, ran: Ran) -> _State:
        misfit = self.problem.misfits({k: v[None] for k, v in ran.centre.items()})
        return _State(w, transform, self._at(w), ran, float((len(w) - 1) * (w @ w) + misfit[0]))

    def _lower(self, state: _State, step: Tensor, transform: Tensor, doing: str) -> _State | None:
        """Return the state after as much of the step as runs, and does not raise J."""
        for halving in range(self.options.halvings + 1):
            w = state.w + step / 2**halving
            x = self._at(w)
            ran = self.runner.attempt(x + transform @ self.anomalies, x, doing)
            if not isinstance(ran, Ran):
                self._said.append(f"{doing}: {self.problem.describe(CENTRE, ran)}; the step is halved")
            elif (found := self._state(w, transform, ran)).cost <= state.cost * (1 + NO_RISE):
                return found
        return None

    def _newton(self, state: _State) -> tuple[Tensor, Tensor]:
        """Return H and the step."""
        members = len(self.anomalies)
        back = self._within @ torch.linalg.inv(state.transform)
        sums = self.problem.sum(lambda part: self._sensitivity(part, state.ran, back))
        identity = torch.eye(members, dtype=torch.float64)
        hessian = (members - 1) * identity + 0.5 * (sums[:, :-1] + sums[:, :-1].T)
        return hessian, torch.linalg.solve(hessian, sums[:, -1] - (members - 1) * state.w)

    def _sensitivity(self, part: Part, ran: Ran, back: Tensor) -> Tensor:
        """Return ``Y R⁻¹Yᵀ`` and, as last column, ``Y R⁻¹(y - F(x))``: shape ``(N, N + 1)``."""
        sensitivity = back @ ran.anomalies(part.number)
        weighted = part.noise.solve(sensitivity)
        residual = part.seen.y - ran.centre[part.number]
        return torch.cat([weighted @ sensitivity.T, (weighted @ residual)[:, None]], dim=1)


def within(anomalies: Tensor) -> Tensor:
    """Return the projection ``(N, N)`` on weights that move x: the columns of anomalies ``(N, n)``.

    With more members than elements, what is not linear in F would else seem to be a sensitivity to weights
    that leave x where it is (Evensen et al., 2019, doi 10.3389/fams.2019.00047).
    """
    basis, values, _ = torch.linalg.svd(anomalies, full_matrices=False)
    basis = basis[:, values > values[0] * len(anomalies) * torch.finfo(values.dtype).eps]
    projection: Tensor = basis @ basis.T
    return projection


def _root(hessian: Tensor) -> Tensor:
    """Return the symmetric ``((N - 1) H⁻¹)^½``."""
    values, vectors = torch.linalg.eigh(hessian)
    root: Tensor = (vectors * ((len(hessian) - 1) / values).sqrt()) @ vectors.T
    return root

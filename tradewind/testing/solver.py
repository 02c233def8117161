"""Conformance of a solver: the posterior of a small linear problem whose answer is known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

import torch
from torch import Tensor

from tradewind.couplers.assimilation import Observations, ObservationsByWindow, Posterior, Solver
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.errors import DataError
from tradewind.testing.checks import Refused, Unchanged, require, require_close, require_same, skip
from tradewind.testing.model import LinearModel, VectorControl, days

VARIANCE = 0.04
"""Of every observation's error in the problem."""


class SolverConformance(ABC):
    """Tests of a solver; subclass with `solver`.

    The problem has three elements, windows of 4, 0 and 5 observations, a prior that is not zero and
    offsets. Its posterior follows from the normal equations with dense inverses.

    Attributes
    ----------
    mean_tolerance, covariance_tolerance
        Relative errors allowed: exact solvers keep the defaults, samplers give their own.
    """

    mean_tolerance = 1e-10
    covariance_tolerance = 1e-10

    @abstractmethod
    def solver(self) -> Solver:
        """Return the solver."""

    def model(self) -> LinearModel:
        """Return the problem's model."""
        generator = torch.Generator().manual_seed(11)
        sizes = dict(zip(days(3), (4, 0, 5), strict=True))
        jacobians = {w: torch.randn(m, 3, generator=generator, dtype=torch.float64) for w, m in sizes.items()}
        offsets = {w: torch.randn(m, generator=generator, dtype=torch.float64) for w, m in sizes.items()}
        return LinearModel(jacobians, offsets)

    def control(self) -> VectorControl:
        """Return the problem's control."""
        prior = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)
        return VectorControl(prior, DiagonalCovariance(torch.tensor([0.25, 1.0, 4.0], dtype=torch.float64)))

    def observations(self, variance: float = VARIANCE) -> ObservationsByWindow:
        """Return what the truth (1.5, 1, 0) would show, with errors of that variance."""
        model, truth = self.model(), torch.tensor([1.5, 1.0, 0.0], dtype=torch.float64)
        generator = torch.Generator().manual_seed(12)
        seen = {}
        for window in model.windows:
            clean = model(truth, window)
            noise = torch.randn(len(clean), generator=generator, dtype=torch.float64)
            covariance = DiagonalCovariance(torch.full_like(clean, variance)) if len(clean) else None
            seen[window] = Observations(clean + variance**0.5 * noise, covariance)
        return seen

    def solve(self, observations: ObservationsByWindow) -> Posterior:
        """Solve the problem with these observations."""
        return self.solver().solve(self.model(), self.control(), observations)

    def exact(self) -> tuple[Tensor, Tensor]:
        """Return mean and covariance from the normal equations."""
        model, control, seen = self.model(), self.control(), self.observations()
        k = torch.cat([model.jacobians[w] for w in model.windows])
        d = torch.cat([seen[w].y - model(control.prior, w) for w in model.windows])
        covariance = torch.linalg.inv(k.T @ k / VARIANCE + torch.diag(1 / control.covariance.diagonal()))
        return control.prior + covariance @ k.T @ d / VARIANCE, covariance

    def test_mean_is_exact(self) -> None:
        """The posterior mean solves the normal equations."""
        mean = self.solve(self.observations()).mean
        require_close({"": mean}, {"": self.exact()[0]}, self.mean_tolerance, "posterior mean")

    def test_covariance_is_exact(self) -> None:
        """The posterior covariance, where there is one, is the inverse of the Hessian."""
        covariance = self.solve(self.observations()).covariance
        if covariance is None:
            skip("gives no covariance")
            return
        require_close(
            {"": covariance}, {"": self.exact()[1]}, self.covariance_tolerance, "posterior covariance"
        )

    def test_averaging_kernel_belongs_to_the_covariance(self) -> None:
        """A = I - S Sa⁻¹ and DOFS = tr A."""
        found = self.solve(self.observations())
        if found.covariance is None or found.averaging_kernel is None or found.dofs is None:
            skip("gives no averaging kernel")
            return
        expected = torch.eye(3, dtype=torch.float64) - self.control().covariance.solve(found.covariance)
        require_close({"": found.averaging_kernel}, {"": expected}, 1e-8, "averaging kernel")
        require(abs(found.dofs - float(expected.trace())) < 1e-8, "DOFS is not the trace of A")

    def test_observations_that_say_nothing_change_nothing(self) -> None:
        """With errors a thousand million times larger, the posterior is the prior."""
        found = self.solve(self.observations(VARIANCE * 1e18)).mean
        tolerance = max(1e-6, self.mean_tolerance)
        require_close({"": found}, {"": self.control().prior}, tolerance, "posterior without information")

    def test_simulates_every_window(self) -> None:
        """Simulations before and after have the observations' shapes; those before are F(xA)."""
        model, found = self.model(), self.solve(self.observations()).simulated
        require(set(found) == set(model.windows), "windows are missing among the simulations")
        for window in model.windows:
            before = model(self.control().prior, window)
            require_close({"": found[window]["prior"]}, {"": before}, 1e-12, f"simulation before, {window}")
            require(found[window]["posterior"].shape == before.shape, f"simulation after, {window}")

    def test_same_bits_twice_and_nothing_changed(self) -> None:
        """Solving again gives the same, and leaves the observations alone."""
        seen = self.observations()
        with Unchanged("solve", list(seen.values())):
            first = self.solve(seen).mean
        require_same(self.solve(seen).mean, first, "solved again")

    def test_refuses_to_solve_without_observations(self) -> None:
        """No observation in any window is a `DataError`, not the prior."""
        none = Observations(torch.zeros(0, dtype=torch.float64), None)
        with Refused("a problem without observations", DataError):
            self.solve(dict.fromkeys(self.model().windows, none))

    def test_refuses_nan(self) -> None:
        """NaN in one observation is a `DataError`."""
        seen = dict(self.observations())
        window = self.model().windows[0]
        spoilt = seen[window].y.clone()
        spoilt[1] = torch.nan
        seen[window] = replace(seen[window], y=spoilt)
        with Refused("NaN in an observation", DataError):
            self.solve(seen)

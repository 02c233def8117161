"""Runs of an ensemble and of its centre, with what is done about members that fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tradewind.plugins.solvers.problem import Failures, Problem, Simulated, refuse
from tradewind.plugins.solvers.smoothers.options import Failure

SHORTER = (0.5, 0.25, 0.125)
"""Parts of the way from the centre that are tried for a member that has failed."""
CENTRE = "the centre of the ensemble"


@dataclass(frozen=True)
class Ran:
    """What an ensemble would show.

    Attributes
    ----------
    members
        By window, shape ``(member, m)``.
    centre
        By window, shape ``(m,)``.
    """

    members: Simulated
    centre: Simulated

    def anomalies(self, number: int) -> Tensor:
        """Return the members' simulations in a window about their mean, shape ``(member, m)``."""
        return self.members[number] - self.members[number].mean(0)


@dataclass
class Runner:
    """Runs ensembles through the model.

    Attributes
    ----------
    notes
        What had to be done about members that failed.
    """

    problem: Problem
    failure: Failure
    notes: list[str] = field(default_factory=list)

    def __call__(self, x: Tensor, centre: Tensor, doing: str) -> Ran:
        """Return the simulations of members ``(N, n)`` and of their centre ``(n,)``.

        Raises
        ------
        DataError
            Simulations that are not finite, where they may not be or cannot be extrapolated.
        """
        found = self.attempt(x, centre, doing)
        if isinstance(found, Ran):
            return found
        raise refuse(self.problem, f"{CENTRE}, {doing},", found, "look at the prior, and at its errors")

    def attempt(self, x: Tensor, centre: Tensor, doing: str) -> Ran | Sequence[int]:
        """Return what `__call__` does, or numbers of the windows in which the centre fails."""
        found = self.problem.run(torch.cat([x, centre[None]]))
        failed = self.problem.failures(found)
        if len(x) in failed:
            return failed[len(x)]
        if failed:
            found = self._mended(x, centre, found, failed, doing)
        return Ran({k: v[:-1] for k, v in found.items()}, {k: v[-1] for k, v in found.items()})

    def _mended(
        self, x: Tensor, centre: Tensor, found: dict[int, Tensor], failed: Failures, doing: str
    ) -> dict[int, Tensor]:
        """Return the simulations with those of failed members extrapolated from nearer the centre."""
        first = min(failed)
        if self.failure is Failure.STOP:
            hint = "a narrower prior, bounds, or failure: extrapolate"
            raise refuse(self.problem, f"member {first}, {doing},", failed[first], hint)
        left = sorted(failed)
        for part in SHORTER:
            again = self.problem.run(centre + part * (x[left] - centre))
            still = self.problem.failures(again)
            ran = [k for k in range(len(left)) if k not in still]
            for number, rows in found.items():
                rows[[left[k] for k in ran]] = rows[-1] + (again[number][ran] - rows[-1]) / part
            self.notes += [self._note(left[k], failed[left[k]], part, doing) for k in ran]
            left = [left[k] for k in sorted(still)]
            if not left:
                return found
        hint = "it fails near the centre of the ensemble as well"
        raise refuse(self.problem, f"member {left[0]}, {doing},", failed[left[0]], hint)

    def _note(self, member: int, numbers: Sequence[int], part: float, doing: str) -> str:
        what = self.problem.describe(f"member {member}", numbers)
        return f"{doing}: {what}; extrapolated from {part:g} of its way from the centre"

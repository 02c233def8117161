"""What a minimisation tells of its course: costs and gradients by iteration, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tradewind.plugins.solvers.variational.problem import Cost


@dataclass
class Course:
    """A record of iterations.

    Attributes
    ----------
    iterations
        In order, each with ``iteration`` (from 0), ``outer`` (from 1), ``inner`` (from 0), ``prior``,
        ``observations`` (costs without 1/2), ``gradient`` (norm of that of ½J by v) and ``reduction``
        (of the gradient since the first). Those of ``inner`` 0 are costs of the model itself; within an
        inner loop of `cg` and `gauss-newton` they are those of its linearization.
    notes
        What did not go as it should.
    """

    iterations: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def first(self) -> float:
        """Norm of the gradient at the start."""
        return float(self.iterations[0]["gradient"])

    def enter(self, place: tuple[int, int], cost: Cost, gradient: float) -> None:
        """Record one iteration, at its `place`: outer and inner."""
        entry = {"iteration": len(self.iterations), "outer": place[0], "inner": place[1]}
        costs = {"prior": cost.prior, "observations": cost.observations, "gradient": gradient}
        self.iterations.append(entry | costs)
        self.iterations[-1]["reduction"] = gradient / self.first if self.first else 0.0

    def note(self, text: str) -> None:
        """Record what did not go as it should."""
        self.notes.append(text)

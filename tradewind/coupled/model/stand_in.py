"""What stands in for a component over one window, and who was asked for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from tradewind.couplers.assimilation.linearization import Count, Uncertain
from tradewind.couplers.operators import Distributed, LinearOperator


@dataclass
class Calls:
    """Who was asked to linearize, and how much."""

    counts: dict[tuple[str, str], Count] = field(default_factory=dict)

    def of(self, component: str, plugin: str) -> Count:
        """Return the count of `plugin` for `component`."""
        return self.counts.setdefault((component, plugin), Count())


@dataclass(frozen=True)
class StandIn:
    """A surrogate's linearization of one component over one window, and what feeds that component.

    Attributes
    ----------
    operator
        From the mean import to the observed export.
    upstream
        The derivative of the mean import by the controlled fields.
    mean
        The mean import itself, of all sources, shape ``(cell,)``.
    silent
        What is exported where nothing is imported, because of what the component begins with; shape
        ``(cell,)``. None: nothing.
    """

    operator: LinearOperator
    upstream: LinearOperator
    mean: Tensor
    silent: Tensor | None = None

    @property
    def chain(self) -> LinearOperator:
        """From a change of the controlled fields to that of the observed export."""
        return self.operator @ self.upstream

    @property
    def exported(self) -> Tensor:
        """The observed export, shape ``(*extra, cell)``."""
        return exported(self.operator, self.mean, self.silent)

    @property
    def variance(self) -> Tensor | None:
        """The variance of the surrogate's own error in the export, shape ``(cell,)``; None: not known."""
        return self.operator.variance(self.mean) if isinstance(self.operator, Uncertain) else None


def exported(operator: LinearOperator, mean: Tensor, silent: Tensor | None) -> Tensor:
    """Return what is exported for a mean import, and what would be anyhow, shape ``(..., *extra, cell)``."""
    answer, space = operator.forward(mean), operator.range
    whole = answer if silent is None else answer + silent.reshape(-1)
    extra = space.extra if isinstance(space, Distributed) else ()
    return whole.reshape(*mean.shape[:-1], *extra, -1) if extra else whole

"""The contracts of assimilation: control, forward model, observations, solver, filter, posterior.

A `Solver` calls the model; a `Filter` only analyses, so that a host may own the time loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from tradewind.couplers.assimilation.covariance import Covariance
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Fields, Layouts

if TYPE_CHECKING:
    from tradewind.couplers.operators import LinearOperator
    from tradewind.couplers.ranks.parallel import Communicator


class Control(Protocol):
    """What is estimated: x, its prior, and the fields it stands for.

    Attributes
    ----------
    prior
        xA, shape ``(n,)``.
    covariance
        Sa of the prior.
    target
        The ``component.variable`` that x sets.
    """

    prior: Tensor
    covariance: Covariance
    target: str

    def to_fields(self, x: Tensor) -> Fields:
        """Return the fields that `x`, shape ``(..., n)``, stands for: ``{target: (..., cell)}``."""

    def linearize(self, x: Tensor) -> LinearOperator:
        """Return the derivative of `to_fields` at `x`: ``Replicated(n)`` to the target's cells."""

    def sqrt_covariance(self) -> LinearOperator:
        """Return L with ``L Lᵀ = Sa``."""


@dataclass(frozen=True)
class Observations:
    """What was seen in one window, by this rank; a rank may own none.

    Attributes
    ----------
    y
        Shape ``(m,)``, in the operator's units.
    covariance
        So of their errors, size m; None where there are none.
    coordinates
        Where and when: arrays of shape ``(m,)`` by CF name (time, latitude, longitude).
    """

    y: Tensor
    covariance: Covariance | None
    coordinates: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.y)


class ForwardModel(Protocol):
    """From control to simulated observations, window by window.

    Attributes
    ----------
    windows
        All windows, in time order; they are independent given x.
    """

    windows: Sequence[Interval]
    comm: Communicator

    def __call__(self, x: Tensor, window: Interval) -> Tensor:
        """Return the simulated observations of `window`, shape ``(m,)``, for x of shape ``(n,)``."""

    def linearize(self, x: Tensor, window: Interval) -> LinearOperator:
        """Return K of `window` at x: ``Replicated(n)`` to ``Replicated(m)``."""

    def error(self, x: Tensor, window: Interval) -> Tensor | None:
        """Return the variance of the model's own error in y, shape ``(m,)``; None where it is not known."""


ObservationsByWindow = Mapping[Interval, Observations]


class ObservationOperator(Protocol):
    """From a component's export to what an instrument sees; built for one window's observations.

    Attributes
    ----------
    observes
        The export ``component.variable`` that it looks at.
    """

    observes: str

    def windows(self, windows: Sequence[Interval]) -> ObservationsByWindow:
        """Return the observations of each window, empty windows included."""

    def operator(self, window: Interval) -> LinearOperator:
        """Return H of `window`: the export's cells at its end to ``Replicated(m)``."""

    def offset(self, window: Interval) -> Tensor:
        """Return what is added to ``H c`` (background), shape ``(m,)``."""


@dataclass(frozen=True)
class Posterior:
    """What the observations left of the prior's uncertainty.

    Attributes
    ----------
    mean
        xhat, shape ``(n,)``.
    covariance
        S, shape ``(n, n)``; None when the method gives none.
    averaging_kernel
        A = I - S Sa⁻¹, shape ``(n, n)``.
    dofs
        tr A.
    cost
        Terms of the cost function by name: ``prior_before``, ``observations_before``,
        ``prior_after``, ``observations_after``.
    simulated
        For every window, simulated observations of shape ``(m,)`` by name ``prior`` and ``posterior``.
    """

    mean: Tensor
    covariance: Tensor | None = None
    averaging_kernel: Tensor | None = None
    dofs: float | None = None
    cost: Mapping[str, float] = field(default_factory=dict)
    simulated: Mapping[Interval, Mapping[str, Tensor]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


Progress = Callable[[str, int], Callable[[], None]]
"""Starts a progress bar of a name and a length; returns what to call after each part."""


class Solver(Protocol):
    """A method that calls the model."""

    needs_gradient: bool

    def solve(self, model: ForwardModel, control: Control, observations: ObservationsByWindow) -> Posterior:
        """Return the posterior; every rank of the model's communicator enters, all get the same."""


@dataclass(frozen=True)
class Ensemble:
    """Members and what each of them would have shown.

    Attributes
    ----------
    fields
        State by name, shape ``(member, *extra, cell)``.
    simulated
        H(x) by member, shape ``(member, m)``.
    layouts
        Layout of each field's cells; None entries (or none at all) are replicated.
    """

    fields: Fields
    simulated: Tensor
    layouts: Layouts = field(default_factory=dict)


class Filter(Protocol):
    """A method that only analyses; it makes no model call."""

    def analyse(self, ensemble: Ensemble, observations: Observations) -> Ensemble:
        """Return the analysed ensemble."""

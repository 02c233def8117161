"""The contracts of assimilation: control, forward model, observations, solver, filter, posterior.

A `Solver` calls the model; a `Filter` only analyses, so that a host may own the time loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation.covariance import Covariance
from tradewind.couplers.assimilation.looks import Look
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Fields, Layouts
from tradewind.couplers.coupling.time.calendars import Time
from tradewind.couplers.ranks.parallel import Communicator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.operators import LinearOperator

Port: TypeAlias = str
"""``component.variable``."""
Looks: TypeAlias = Mapping[tuple[Port, Time], Look]
"""What of a run enters the observations of a window: by port and time. A port at the window's start is a
state variable as the window begins; later, whatever stands there when a step ends."""


class Control(Protocol):
    """What is estimated: x, its prior, and the fields it stands for.

    Attributes
    ----------
    prior
        xA, shape ``(n,)``.
    covariance
        Sa of the prior.
    targets
        Each ``component.variable`` that x sets, parameters and state variables, in order.
    """

    prior: Tensor
    covariance: Covariance
    targets: tuple[Port, ...]

    def to_fields(self, x: Tensor) -> Fields:
        """Return the fields that `x`, shape ``(..., n)``, stands for: ``{target: (..., *extra, cell)}``.

        Each x of a batch gets the bits that it gets alone.
        """

    def linearize(self, x: Tensor) -> LinearOperator:
        """Return the derivative of `to_fields` at `x`, shape ``(n,)``.

        From ``Replicated(n)`` to the `space` of the targets, one after the other, each with its extra axes
        and cells flattened.
        """

    def sqrt_covariance(self) -> LinearOperator:
        """Return L with ``L Lᵀ = Sa``, on ``Replicated(n)``."""

    def at(self, window: Interval) -> Control:
        """Return the same x seen from one window: itself, unless parts of x belong to periods."""

    @property
    def places(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitude and latitude of every element, degrees, shape ``(n,)``; NaN where it has no place."""


@dataclass(frozen=True)
class Observations:
    """What was seen in one window; either every rank holds all, or each its own part.

    Attributes
    ----------
    y
        Shape ``(m,)``, in the operator's units.
    covariance
        So of their errors, size m; None where there are none.
    coordinates
        Where and when: arrays of shape ``(m,)`` by CF name (time, latitude, longitude; ``vertical`` where
        they have one; ``stream``, the name of what they come from).
    numbers
        Where ranks hold parts: the global number of each, ascending, int64, shape ``(m,)``. None where
        every rank holds all.
    comm
        The ranks that hold the parts; None where every rank holds all.
    """

    y: Tensor
    covariance: Covariance | None
    coordinates: Mapping[str, Any] = field(default_factory=dict)
    numbers: Tensor | None = None
    comm: Communicator | None = None

    def __len__(self) -> int:
        return self.y.shape[0]

    def take(self, which: Tensor) -> Observations:
        """Return those of `which`: bool of shape ``(m,)``, or positions in ascending order."""
        index = which.nonzero()[:, 0] if which.dtype == torch.bool else which
        covariance = None if self.covariance is None or not len(index) else self.covariance.take(index)
        coordinates = {name: np.asarray(value)[index.numpy()] for name, value in self.coordinates.items()}
        numbers = None if self.numbers is None else self.numbers[index]
        return replace(self, y=self.y[index], covariance=covariance, coordinates=coordinates, numbers=numbers)


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
        """Return the simulated observations of `window`, shape ``(*batch, m)``, for x ``(*batch, n)``.

        A batch holds members, each of which is simulated by itself: ``()`` or ``(member,)``.
        """

    def linearize(self, x: Tensor, window: Interval) -> LinearOperator:
        """Return K of `window` at x, shape ``(n,)``: ``Replicated(n)`` to ``Replicated(m)``."""

    def error(self, x: Tensor, window: Interval) -> Tensor | None:
        """Return what is known of the model's own error in y when the truth is as the prior says, about x.

        Returns
        -------
        Tensor or None
            Variances of errors that know nothing of each other, shape ``(m,)``, or their covariance, shape
            ``(m, m)``; None where they are not known.
        """


@runtime_checkable
class CanStandStill(Protocol):
    """A forward model that can be looked at without its dynamics, as 3D-Var does."""

    def standing_still(self) -> ForwardModel:
        """Return the model that keeps the controlled fields through each window: y = Σ_t H_t x.

        Raises
        ------
        SpecError
            When something is observed that x does not set.
        """


ObservationsByWindow = Mapping[Interval, Observations]


class ObservationOperator(Protocol):
    """From what components hold to what an instrument sees: y = Σ look(field) + offset.

    Attributes
    ----------
    observes
        Each ``component.variable`` that it looks at.
    """

    observes: tuple[Port, ...]

    def windows(self, windows: Sequence[Interval]) -> ObservationsByWindow:
        """Return the observations of each window, empty windows included."""

    def looks(self, window: Interval) -> Looks:
        """Return what of the run enters the window's m observations; every look gives all m (or zeros)."""

    def offset(self, window: Interval) -> Tensor:
        """Return what is added (background), shape ``(m,)``."""


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
        A = I - S Sa⁻¹, shape ``(n, n)``; None when the method gives none, or n is too large to write it out.
    sensitivity
        Diagonal of A, shape ``(n,)``: that of the averaging kernel where nothing else is given.
    dofs
        tr A.
    cost
        Terms of the cost function by name, without the factor 1/2: ``prior_before``,
        ``observations_before``, ``prior_after``, ``observations_after``.
    simulated
        For every window, simulated observations of shape ``(m,)`` by name ``prior`` and ``posterior``.
    members
        A sample of the posterior, shape ``(member, n)``, of methods that make one.
    details
        What else the method has to say; iterative ones give ``iterations``: a sequence of mappings with
        ``iteration``, ``prior`` and ``observations`` (cost without 1/2) and what else they know.
    """

    mean: Tensor
    covariance: Tensor | None = None
    averaging_kernel: Tensor | None = None
    dofs: float | None = None
    cost: Mapping[str, float] = field(default_factory=dict)
    simulated: Mapping[Interval, Mapping[str, Tensor]] = field(default_factory=dict)
    members: Tensor | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    sensitivity: Tensor | None = None

    def __post_init__(self) -> None:
        if self.sensitivity is None and self.averaging_kernel is not None:
            object.__setattr__(self, "sensitivity", self.averaging_kernel.diagonal())


Progress = Callable[[str, int], Callable[[], None]]
"""Starts a progress bar of a name and a length; returns what to call after each part."""


class Solver(Protocol):
    """A method that calls the model."""

    needs_gradient: bool

    def solve(self, model: ForwardModel, control: Control, observations: ObservationsByWindow) -> Posterior:
        """Return the posterior; every rank of the model's communicator enters, all get the same."""


@dataclass(frozen=True)
class Ensemble:
    """Members and what each of them would have shown: a value, analysed into another.

    Attributes
    ----------
    fields
        What is updated, by name, shape ``(member, *extra, cell)``: state variables, and elements of a
        control as cells of a grid of points.
    simulated
        H(x) by member, shape ``(member, m)``; parts of it as of the observations.
    layouts
        Layout of each field's cells; None entries (or none at all) are replicated and have no place.
    levels
        Vertical coordinate of a field's levels (its last extra axis), shape ``(level,)``, in the units of
        the observations' coordinate ``vertical``; only where a vertical localisation needs it.
    number
        Which analysis this is, from 0: it seeds what is random in a filter.
    memory
        What a filter hands to its next analysis (such as an adaptive inflation), by name.
    details
        What a filter has to say of this analysis.
    """

    fields: Fields
    simulated: Tensor
    layouts: Layouts = field(default_factory=dict)
    levels: Mapping[str, Tensor] = field(default_factory=dict)
    number: int = 0
    memory: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def members(self) -> int:
        """How many members there are."""
        return self.simulated.shape[0]

    def with_fields(self, fields: Fields, simulated: Tensor) -> Self:
        """Return the ensemble with other values."""
        return replace(self, fields=fields, simulated=simulated)


class Filter(Protocol):
    """A method that only analyses; it makes no model call."""

    def analyse(self, ensemble: Ensemble, observations: Observations) -> Ensemble:
        """Return the analysed ensemble; every rank of the layouts' communicator enters."""


@runtime_checkable
class WeighsWork(Protocol):
    """A filter whose work differs from place to place, so that ranks can be given equal shares."""

    def work(
        self, longitude: NDArray[np.float64], latitude: NDArray[np.float64], observations: Observations
    ) -> NDArray[np.float64]:
        """Return the cost of the analysis at each place, in any unit, shape ``(cell,)``."""

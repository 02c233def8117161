"""The fields that a posterior stands for: before and after, with their errors and totals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import nan
from typing import TypeAlias

import torch
from torch import Tensor

from tradewind.budget import EARTH_RADIUS
from tradewind.couplers.assimilation import Control, Port, Posterior
from tradewind.couplers.assimilation.control import Add, FieldControl, JointControl, PeriodicControl
from tradewind.couplers.assimilation.control.periodic import OfPeriod
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.coupling.units import convertible, factor
from tradewind.errors import ConfigError
from tradewind.results import ControlledField, Totals

SECONDS_PER_YEAR = 365.25 * 86400.0
TG = 1e9
"""Kilograms in a teragram."""
MASS_FLUX = "kg m-2 s-1"

One: TypeAlias = "FieldControl | PeriodicControl | OfPeriod"
"""A control of one field."""


@dataclass(frozen=True)
class Share:
    """What a posterior says of one field's part of x.

    Attributes
    ----------
    control
        Of the field, on average over periods.
    begin
        Where its part of x begins.
    mean
        That part of xhat, shape ``(n,)``.
    covariance
        Its block of S, shape ``(n, n)``; None where the method gives none.
    members
        Its part of the members, shape ``(member, n)``; None where there are not two.
    kernel
        The diagonal of its block of the averaging kernel, shape ``(n,)``; None where there is none.
    """

    control: FieldControl | OfPeriod
    begin: int
    mean: Tensor
    covariance: Tensor | None
    members: Tensor | None
    kernel: Tensor | None

    def field(self, x: Tensor) -> Tensor:
        """Return the field that x stands for on the whole grid, shape ``(*extra, n_global)``."""
        return self.whole(self.control.to_fields(x)[self.control.target])

    def whole(self, field: Tensor) -> Tensor:
        """Return a field of this rank's cells on the whole grid."""
        layout = self.control.layout
        return field if layout is None else layout.gather(field)

    def prior_sigma(self) -> Tensor:
        """Return one sigma of the prior field, linearised."""
        return self.whole(self.control.prior_sigma()[self.control.target])

    def sigma(self) -> Tensor | None:
        """Return one sigma of the field after: linearised, or of the members; None where nobody knows."""
        if self.covariance is not None:
            return self.whole(self.control.sigma(self.mean, self.covariance)[self.control.target])
        return None if self.members is None else self.field(self.members).std(dim=0)

    def sensitivity(self) -> Tensor | None:
        """Return each cell's diagonal of the averaging kernel, the mean over periods; NaN without element."""
        if self.kernel is None:
            return None
        elements = self.kernel.reshape(-1, self._elements).mean(dim=0)
        return torch.cat([elements, elements.new_full((1,), nan)])[self._labels]

    def dofs(self) -> Tensor | None:
        """Return each cell's part of the degrees of freedom, which add up to the field's; 0 without element.

        An element's part, of all periods, is shared equally by its cells.
        """
        if self.kernel is None:
            return None
        elements = self.kernel.reshape(-1, self._elements).sum(dim=0)
        labels = self._labels
        cells = torch.bincount(labels[labels >= 0].reshape(-1), minlength=len(elements)).clamp(min=1)
        return torch.cat([elements / cells, elements.new_zeros(1)])[labels]

    @property
    def element(self) -> Tensor:
        """Position in x of each cell's element, that of the first period; -1 for none."""
        return torch.where(self._labels >= 0, self._labels + self.begin, self._labels)

    @property
    def _labels(self) -> Tensor:
        # without a grid a field has one cell of no place, which is no axis of its own
        labels = self.control.labels
        return labels if self.control.layout is not None else labels[..., 0]

    @property
    def _elements(self) -> int:
        """Elements of one period."""
        return len(self.control.base.prior if isinstance(self.control, OfPeriod) else self.control.prior)


def controlled_fields(
    control: Control, posterior: Posterior, variable: Callable[[Port], Variable], parameters: frozenset[Port]
) -> Iterator[ControlledField]:
    """Yield every field that x stands for, in the order of the control's targets.

    Parameters
    ----------
    variable
        Gives what a port declares.
    parameters
        Ports of parameters: fluxes and factors, which have a total.

    Raises
    ------
    ConfigError
        When the control is of a kind whose fields are not known.
    """
    for share in shares(control, posterior):
        declared = variable(share.control.target)
        layout = share.control.layout
        of_area = layout is not None and not declared.extra and share.control.target in parameters
        yield ControlledField(
            port=share.control.target,
            variable=declared,
            grid=None if layout is None else layout.grid,
            prior=share.field(share.control.prior),
            posterior=share.field(share.mean),
            prior_sigma=share.prior_sigma(),
            element=share.element,
            sigma=share.sigma(),
            sensitivity=share.sensitivity(),
            dofs=share.dofs(),
            totals=totals(share, declared.units) if of_area else None,
        )


def shares(control: Control, posterior: Posterior) -> Iterator[Share]:
    """Yield what a posterior says of each field's part of x.

    Raises
    ------
    ConfigError
        When the control is of a kind whose fields are not known.
    """
    begin = 0
    for part in parts_of(control):
        end = begin + len(part.prior)
        covariance, kernel, members = posterior.covariance, posterior.sensitivity, posterior.members
        yield Share(
            part.averaged,
            begin,
            posterior.mean[begin:end],
            None if covariance is None else covariance[begin:end, begin:end],
            None if members is None or len(members) < 2 else members[:, begin:end],
            None if kernel is None else kernel[begin:end],
        )
        begin = end


def parts_of(control: Control) -> tuple[One, ...]:
    """Return the controls of single fields that make up a control, in the order in which x holds them.

    Raises
    ------
    ConfigError
        When the control is of a kind whose fields are not known.
    """
    if isinstance(control, JointControl):
        return control.parts
    if isinstance(control, FieldControl | PeriodicControl | OfPeriod):
        return (control,)
    raise ConfigError(f"outputs of a {type(control).__name__} are not known", where="control")


def units_of_elements(control: Control, variable: Callable[[Port], Variable]) -> str:
    """Return the units of x: those of the field where it is added to, else 1; empty where they differ."""
    bases = [one if isinstance(one, FieldControl) else one.base for one in parts_of(control)]
    found = {variable(base.target).units if type(base.change) is Add else "1" for base in bases}
    return found.pop() if len(found) == 1 else ""


# ---------------------------------------------------------------------- totals
def totals(share: Share, units: str) -> Totals:
    """Return the total of a field in `units` over its area, with errors, linearised where it is not linear.

    Of a mass flux it is in Tg a year, of anything else (a factor on a prescribed flux) in `units` times m2.
    """
    control = share.control
    weights = cell_weights(control, units)
    before, after = (control.linearize(x).adjoint(weights) for x in (control.prior, share.mean))
    return Totals(
        prior=_total(share, control.prior, weights),
        prior_sigma=float((before @ control.covariance.apply(before)).sqrt()),
        posterior=_total(share, share.mean, weights),
        posterior_sigma=_sigma(share, weights, after),
        units="Tg yr-1" if convertible(units, MASS_FLUX) else " ".join((units, "m2")).removeprefix("1 "),
    )


def _total(share: Share, x: Tensor, weights: Tensor) -> float:
    space = share.control.linearize(share.control.prior).range
    return space.dot(share.control.to_fields(x)[share.control.target], weights)


def _sigma(share: Share, weights: Tensor, slopes: Tensor) -> float:
    if share.covariance is not None:
        return float((slopes @ share.covariance @ slopes).sqrt())
    if share.members is None:
        return nan
    each = [_total(share, member, weights) for member in share.members]
    return float(torch.tensor(each, dtype=torch.float64).std())


def cell_weights(control: FieldControl | OfPeriod, units: str) -> Tensor:
    """Return what a cell's value adds to the total, shape ``(cell,)``: its area, in units of the total.

    Raises
    ------
    ConfigError
        When the field belongs to no place.
    """
    if control.layout is None:
        raise ConfigError("a field without a grid has no total", where=control.target)
    area = control.layout.scatter(torch.from_numpy(control.layout.grid.area)) * EARTH_RADIUS**2
    return area * (factor(units, MASS_FLUX) * SECONDS_PER_YEAR / TG if convertible(units, MASS_FLUX) else 1.0)

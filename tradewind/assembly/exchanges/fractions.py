"""Which part of each target cell an exchange answers for, and where that is applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tradewind.assembly.exchanges.fields import field_of
from tradewind.assembly.exchanges.link import Link
from tradewind.assembly.exchanges.regridding import weights_of
from tradewind.assembly.exchanges.times import initial_of
from tradewind.assembly.faults import Faults
from tradewind.config.sections.exchanging import FractionSection
from tradewind.config.sections.values import Endpoint
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Kind, Variable
from tradewind.couplers.coupling.how import Merge, Side
from tradewind.couplers.coupling.merging import check_fractions, check_range
from tradewind.couplers.coupling.time.timing import Reduction, Timing
from tradewind.couplers.coupling.units import factor
from tradewind.couplers.operators import Distributed, IdentityOperator, LinearOperator
from tradewind.couplers.regrid.quantities import QuantityRegridder, choose
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Method, Norm, Scheme
from tradewind.errors import ConfigError, did_you_mean

ONE = "1"
WHOLE = 1e-12
"""Cells that are covered but for this are covered."""


@dataclass(frozen=True)
class Part:
    """A fraction as an exchange takes it; all None for the whole.

    Attributes
    ----------
    of_source
        Multiplies the field before it is regridded, shape ``(source cell,)``.
    share
        What comes of that on the target's cells.
    fraction
        Multiplies the field after it is regridded, shape ``(target cell,)``.
    covered
        See `Exchange`.
    """

    of_source: Tensor | None = None
    share: Tensor | None = None
    fraction: Tensor | None = None
    covered: Tensor | None = None
    moving: Exchange | None = None


def weighted_on(section: FractionSection | None) -> Side | None:
    """Return on whose cells a fraction multiplies the field, None without one."""
    if section is None:
        return None
    on_source = section.is_covered or (section.file is not None and section.on is Side.SOURCE)
    return Side.SOURCE if on_source else Side.TARGET


def part_of(link: Link, operator: LinearOperator, timing: Timing) -> Part:
    """Return the fraction of an exchange, whose operator was made for it.

    Raises
    ------
    ConfigError, DataError, GridError, SpecError, UnitsError
        A fraction that cannot be read or regridded, or lies beyond 0 and 1.
    """
    section = link.section.fraction
    if section is None:
        return Part()
    weights = weights_of(operator)
    if weighted_on(section) is Side.SOURCE:
        return _of_source(link, section, weights)
    covered = _covered(weights)
    if section.export is not None:
        return Part(covered=covered, moving=_moving(link, section, section.export, timing))
    fraction = _fixed(section, link.target)
    check_range(fraction, link.target)
    return Part(fraction=fraction, covered=covered)


def _of_source(link: Link, section: FractionSection, weights: Regridder | None) -> Part:
    if section.is_covered and weights is not None and not weights.method.is_conservative:
        raise ConfigError(
            f"fraction: covered with {weights.method}, which knows no areas", hint="regrid: conservative"
        )
    if section.is_covered:
        field = link.source.layout.scatter(torch.from_numpy(link.source.layout.grid.mask).double())
    else:
        field = _fixed(section, link.source)
        check_range(field, link.source)
    share = field if weights is None else weights.forward(field)
    return Part(of_source=None if section.is_covered else field, share=share)


def _fixed(section: FractionSection, end: End) -> Tensor:
    if section.file is None or section.variable is None:
        return torch.full((end.layout.n_local,), float(section.value or 0.0), dtype=torch.float64)
    found = field_of(section.file, section.variable, end, ONE, assumed=ONE)
    if found.ndim > 1:
        raise ConfigError(f"{section.variable} of {section.file} has levels", hint="a fraction has none")
    return found


def _covered(weights: Regridder | None) -> Tensor | None:
    """Return the covered part of target cells where weights give means over it, None where all is."""
    if weights is None or not weights.method.is_conservative or weights.norm is Norm.DSTAREA:
        return None
    covered = weights.frac_target
    whole = bool((covered > 1.0 - WHOLE).all())
    return None if all(weights.target.comm.allgather(whole)) else covered


# ---------------------------------------------------------------------- moving ones
def _moving(link: Link, section: FractionSection, at: Endpoint, timing: Timing) -> Exchange:
    """Return the exchange that brings an export onto the target's cells, in step with the field."""
    source = _export(link, at)
    variable = Variable(f"{link.target.variable.name} by {at.variable}", ONE, link.target.layout.grid)
    target = End(link.target.component, variable, link.target.layout)
    reduction = Reduction.INSTANT if timing.reduction is Reduction.INSTANT else Reduction.MEAN
    initial = None if section.initial is None else initial_of(section.initial, source)
    steps = link.step(source.component), link.steps[1]
    when = replace(timing, reduction=reduction, initial=initial).between(*steps, f"fraction {at}")
    times = factor(source.variable.units, ONE)
    return Exchange(source, target, _onto(link, source, target), times, timing=when)


def _export(link: Link, at: Endpoint) -> End:
    member = link.assembly.members.get(at.component)
    if member is None:
        hint = did_you_mean(at.component, tuple(link.assembly.members))
        raise ConfigError(f"there is no component {at.component!r}, {hint}")
    known = {v.name: v for v in member.spec.exports}
    if at.variable not in known:
        raise ConfigError(f"{at.component} has no export {at.variable!r}, {did_you_mean(at.variable, known)}")
    if known[at.variable].extra:
        raise ConfigError(f"{at} has levels", hint="a fraction has none")
    return End(at.component, known[at.variable], member.layouts[at.variable])


def _onto(link: Link, source: End, target: End) -> LinearOperator:
    """Return what carries a fraction: of whole target cells, where both grids have any."""
    if source.layout == target.layout:
        return IdentityOperator(Distributed(source.layout))
    grids = source.layout.grid, target.layout.grid
    cells = all(grid.has_corners for grid in grids)
    whole = Scheme(Method.CONSERVATIVE, Norm.DSTAREA)
    scheme = whole if cells else choose(Kind.STATE_INTENSIVE, *grids).scheme
    weights = link.weights.between(source.layout, target.layout, scheme)
    link.note(f"fraction {source.port}: {scheme} by the {weights.backend} backend")
    return QuantityRegridder(weights, Kind.STATE_INTENSIVE)


# ---------------------------------------------------------------------- all that one import is made of
def check_sums(exchanges: Sequence[tuple[int, Exchange]], faults: Faults) -> None:
    """Find imports whose fixed fractions do not add up to 1; the run looks at moving ones at each delivery.

    Parameters
    ----------
    exchanges
        With their numbers in the config.
    """
    by_port: dict[str, list[tuple[int, Exchange]]] = {}
    for number, exchange in exchanges:
        parted = exchange.part is not None or exchange.moving is not None
        if exchange.merge is Merge.FRACTIONS and parted:
            by_port.setdefault(exchange.target.port, []).append((number, exchange))
    for several in by_port.values():
        number, last = several[-1]
        parts = [e.part for _, e in several if e.part is not None]
        if len(parts) == len(several):
            with faults.at("exchanges", number, "fraction"):
                check_fractions(parts, last.target)

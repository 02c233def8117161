"""Exchanges of a run config become those of a run; every fault is collected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from tradewind.assembly.exchanges.fractions import Part, check_sums, part_of, weighted_on
from tradewind.assembly.exchanges.levels import levels_of
from tradewind.assembly.exchanges.link import Link
from tradewind.assembly.exchanges.regridding import (
    operator_of,
    refuse_unmapped_states,
    unmapped_shares,
    weights_of,
)
from tradewind.assembly.exchanges.times import timing_of
from tradewind.assembly.exchanges.units import check_units, conversion_of
from tradewind.assembly.exchanges.weights import Weights
from tradewind.assembly.faults import Faults
from tradewind.assembly.parts import Assembly, Unfed
from tradewind.config.sections.values import Endpoint
from tradewind.config.source import Key
from tradewind.couplers.coupling.conserving import GloballyConserving
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.coupling.how import Merge, Side
from tradewind.couplers.coupling.time.timing import Timing
from tradewind.couplers.coupling.units import Conversion
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.errors import ConfigError, did_you_mean


def build_exchanges(assembly: Assembly, faults: Faults) -> None:
    """Build every exchange; find imports that none feeds, and fractions that do not add up."""
    built: list[tuple[int, Exchange]] = []
    weights = Weights(assembly.config.run.cache)
    for number in range(len(assembly.config.exchanges)):
        with faults.at("exchanges", number):
            link = _link(assembly, number, weights, faults)
            exchange = None if link is None else _exchange(link, faults)
            if exchange is not None:
                built.append((number, exchange))
    assembly.exchanges += [exchange for _, exchange in built]
    if len(built) == len(assembly.config.exchanges):
        # of a part of them, sums would be wrong
        check_sums(built, faults)
    _unfed(assembly, faults)


def _link(assembly: Assembly, number: int, weights: Weights, faults: Faults) -> Link | None:
    """Return both ends of an exchange; None where one is missing."""
    section = assembly.config.exchanges[number]
    source = _end(assembly, "exports", section.source, ("exchanges", number, "from"), faults)
    target = _end(assembly, "imports", section.target, ("exchanges", number, "to"), faults)
    if source is None or target is None:
        return None
    return Link(assembly, number, section, source, target, weights)


def _exchange(link: Link, faults: Faults) -> Exchange | None:
    number = link.number
    with faults.at("exchanges", number, "units"):
        check_units(link)
    # units first: they are wrong more often than grids, and both are reported
    timing = conversion = None
    with faults.at("exchanges", number):
        timing = timing_of(link)
    with faults.at("exchanges", number):
        conversion = conversion_of(link, Timing().reduction if timing is None else timing.reduction)
    found = _in_space(link, timing or Timing(), faults)
    if found is None or timing is None or conversion is None:
        return None
    return _with_factor(replace(found, timing=timing), conversion)


def _end(assembly: Assembly, role: str, at: Endpoint, path: tuple[Key, ...], faults: Faults) -> End | None:
    member = assembly.members.get(at.component)
    if member is None:
        return None  # reported where its component is
    known: Mapping[str, Variable] = {v.name: v for v in getattr(member.spec, role)}
    if at.variable not in known:
        hint = did_you_mean(at.variable, tuple(known))
        faults.add(path, f"{at.component} has no {role[:-1]} {at.variable!r}, {hint}")
        return None
    if at.variable not in member.layouts:
        faults.add(path, f"{at} lives on no grid, and an exchange is between cells")
        return None
    return End(at.component, known[at.variable], member.layouts[at.variable])


def _in_space(link: Link, timing: Timing, faults: Faults) -> Exchange | None:
    """Return the exchange but for units and times: levels, operator, fraction; None where one is wrong."""
    section, before = link.section, len(faults.found)
    levels = None
    with faults.at(*link.path("levels")):
        levels = levels_of(link)
    with faults.at(*link.path("tolerance")):
        _refuse_no_areas(link)
    operator = operator_of(link, weighted_on(section.fraction))
    part, weights = Part(), weights_of(operator)
    with faults.at(*link.path("fraction")):
        part = part_of(link, operator, timing)
    if weights is not None and not _left_to_others(link, part, weights):
        refuse_unmapped_states(link, weights, part.fraction)
    unmapped = None if weights is None else unmapped_shares(weights)
    if section.conserve is not None:
        with faults.at(*link.path("conserve")):
            operator, unmapped = GloballyConserving(operator, link.source, link.target), None
    if len(faults.found) > before:
        return None
    return Exchange(
        link.source, link.target, operator, 1.0 if part.of_source is None else part.of_source,
        levels=levels, fraction=part.fraction, moving=part.moving, share=part.share, covered=part.covered,
        merge=section.merge or (Merge.SUM if section.fraction is None else Merge.FRACTIONS),
        unmapped=unmapped, tolerance=section.tolerance,
    )  # fmt: skip


def _left_to_others(link: Link, part: Part, weights: Regridder) -> bool:
    """Return whether a fraction is 0 wherever the source does not reach."""
    if part.moving is not None:
        same = part.moving.source.layout == link.source.layout
        return same and weights.method.is_conservative
    return weighted_on(link.section.fraction) is Side.SOURCE


def _with_factor(exchange: Exchange, conversion: Conversion) -> Exchange:
    """Return the exchange with factor and offset, times the fraction of the source's cells."""
    of_source = exchange.factor
    if not isinstance(of_source, Tensor):
        return replace(exchange, factor=conversion.factor, offset=conversion.offset)
    offset = conversion.offset * of_source if conversion.offset else 0.0
    return replace(exchange, factor=conversion.factor * of_source, offset=offset)


def _refuse_no_areas(link: Link) -> None:
    if link.section.tolerance is None:
        return
    for end in (link.source, link.target):
        grid = end.layout.grid
        if not (end.variable.kind.is_extensive or grid.has_corners or grid.given_area is not None):
            raise ConfigError(
                f"{end.port} lives on {grid!r}, without areas: nothing can be held to a tolerance",
                hint="remove it, or give the grid corners or areas",
            )


def _unfed(assembly: Assembly, faults: Faults) -> None:
    if assembly.unfed is Unfed.BY_HOST or "host" in assembly.config.model_fields_set:
        return
    fed = {str(section.target) for section in assembly.config.exchanges}
    for name, member in assembly.members.items():
        for variable in member.spec.imports:
            if f"{name}.{variable.name}" not in fed:
                faults.add(("components", name), f"its import {variable.name!r} is fed by no exchange")

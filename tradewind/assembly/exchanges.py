"""Exchanges: ends, units and regridders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch

from tradewind.assembly.faults import Faults
from tradewind.assembly.parts import Assembly
from tradewind.config.models import ExchangeSection
from tradewind.config.regridding import Regrid, RegridSection
from tradewind.config.source import Key
from tradewind.config.values import Endpoint
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Kind, Variable
from tradewind.couplers.coupling.units import factor
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, IdentityOperator, LinearOperator
from tradewind.couplers.regrid.quantities import (
    AS_ASKED,
    Choice,
    QuantityRegridder,
    choose,
    quantity_operator,
    refuse_wrong_pair,
)
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Method, Norm
from tradewind.errors import ConfigError, did_you_mean

ROUNDING = 1e-9


def build_exchanges(assembly: Assembly, faults: Faults) -> None:
    """Build every exchange, and find imports that none of them feeds."""
    for number, section in enumerate(assembly.config.exchanges):
        with faults.at("exchanges", number):
            _exchange(assembly, number, section, faults)
    _unfed(assembly, faults)


def _exchange(assembly: Assembly, number: int, section: ExchangeSection, faults: Faults) -> None:
    source = _end(assembly, "exports", section.source, ("exchanges", number, "from"), faults)
    target = _end(assembly, "imports", section.target, ("exchanges", number, "to"), faults)
    if source is None or target is None:
        return
    with faults.at("exchanges", number, "units"):
        _check_units(section, target.variable)
    # units first: they are wrong more often than grids, and both are reported
    times = None
    with faults.at("exchanges", number):
        times = factor(source.variable.units, target.variable.units)
    operator = _operator(assembly, section, source, target)
    if times is not None:
        assembly.exchanges.append(Exchange(source, target, operator, times))


def _check_units(section: ExchangeSection, declared: Variable) -> None:
    if section.units is not None and factor(section.units, declared.units) != 1.0:
        raise ConfigError(f"{section.target} is in {declared.units!r}, not in {section.units!r}")


def _end(assembly: Assembly, role: str, at: Endpoint, path: tuple[Key, ...], faults: Faults) -> End | None:
    member = assembly.members.get(at.component)
    if member is None:
        return None  # reported where its component is
    known: Mapping[str, Variable] = {v.name: v for v in getattr(member.spec, role)}
    if at.variable not in known:
        hint = did_you_mean(at.variable, tuple(known))
        faults.add(path, f"{at.component} has no {role[:-1]} {at.variable!r}, {hint}")
        return None
    return End(at.component, known[at.variable], member.layouts[at.variable])


def _operator(assembly: Assembly, section: ExchangeSection, source: End, target: End) -> LinearOperator:
    quantity, same = _quantity(source, target), source.layout == target.layout
    wanted = section.regrid or RegridSection()
    if wanted.method is Regrid.NONE or (section.regrid is None and section.norm is None and same):
        if not same:
            raise ConfigError(f"{_ports(source, target)} live on different grids: {_grids(source, target)}",
                hint="name a method under regrid:, or leave it out and the import's kind chooses",
            )  # fmt: skip
        return IdentityOperator(Distributed(source.layout))
    grids = source.layout.grid, target.layout.grid
    chosen = _chosen(section, wanted, quantity, grids)
    cache = assembly.config.run.cache
    operator = quantity_operator(source.layout, target.layout, quantity, chosen.scheme, cache=cache)
    _refuse_unmapped_states(operator, target)
    notes = (*_how(operator, chosen), *operator.notes, *_uncovered(operator.regridder))
    assembly.notes += [f"{source.port} -> {target.port}: {note}" for note in notes]
    return operator


def _ports(source: End, target: End) -> str:
    return f"{source.port} and {target.port}"


def _grids(source: End, target: End) -> str:
    return f"{source.layout.grid!r} and {target.layout.grid!r}"


def _chosen(
    section: ExchangeSection, wanted: RegridSection, quantity: Variable, grids: tuple[Grid, Grid]
) -> Choice:
    """Return the scheme that the config asks for; what it leaves open, the kind chooses."""
    name = None if wanted.method is None else Method(wanted.method)
    chosen = choose(quantity, *grids, name)
    try:
        scheme = wanted.onto(chosen.scheme)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    scheme = scheme if section.norm is None else replace(scheme, norm=section.norm)
    refuse_wrong_pair(quantity, scheme)
    return replace(chosen, scheme=scheme)


def _quantity(source: End, target: End) -> Variable:
    """Return the import with the kind that both ends agree on: where one says flux, its total must be kept.

    Raises
    ------
    ConfigError
        Densities where amounts are expected, or the reverse: the values mean different things.
    """
    sent, taken = source.variable.kind, target.variable.kind
    if sent.is_extensive is not taken.is_extensive:
        raise ConfigError(
            f"{source.port} is a {sent}, {target.port} a {taken}",
            hint="one is an amount of the whole cell, the other holds everywhere in it: mend a declaration",
        )
    return replace(target.variable, kind=sent if sent.is_flux else taken)


def _refuse_unmapped_states(operator: QuantityRegridder, target: End) -> None:
    """Refuse to bring states to some cells only: the others would be 0 K, or air without water."""
    active = torch.from_numpy(target.layout.grid.mask)
    left_out = int((target.layout.gather(operator.regridder.unmapped.double()).bool() & active).sum())
    if left_out and operator.kind is Kind.STATE_INTENSIVE:
        raise ConfigError(
            f"{target.port} is a {operator.kind}, and {left_out} of its {int(active.sum())} cells "
            "receive nothing: they would be 0",
            hint="regrid: {method: bilinear, extrapolate: nearest}, or mask these cells in the import's grid",
        )


def _how(operator: QuantityRegridder, chosen: Choice) -> Iterator[str]:
    asked = "" if chosen.why == AS_ASKED else f" ({chosen.why})"
    yield f"{chosen.scheme} by the {operator.regridder.backend} backend{asked}"


def _uncovered(regridder: Regridder) -> Iterator[str]:
    """Say how much of the source's area sends nothing, because the target does not reach there.

    What cell j of the source sends is the sum of A_ij over targets i, to be compared with A_j.
    """
    if not regridder.method.is_conservative:
        return
    source, target = regridder.source, regridder.target
    area = target.scatter(torch.from_numpy(target.grid.polygon_area))
    covered = area * regridder.frac_target if regridder.norm is Norm.FRACAREA else area
    whole = torch.from_numpy(source.grid.polygon_area * source.grid.mask)
    lost = float(1.0 - source.gather(regridder.adjoint(covered)).sum() / whole.sum())
    if lost > ROUNDING:
        yield (
            f"{lost:.2%} of the source's area lies outside of the target's grid; what it sends from there "
            "is lost"
        )


def _unfed(assembly: Assembly, faults: Faults) -> None:
    fed = {str(section.target) for section in assembly.config.exchanges}
    for name, member in assembly.members.items():
        for variable in member.spec.imports:
            if f"{name}.{variable.name}" not in fed:
                faults.add(("components", name), f"its import {variable.name!r} is fed by no exchange")

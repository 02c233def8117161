"""Exchanges: ends, units and regridders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from tradewind.assembly.faults import Faults
from tradewind.assembly.parts import Assembly
from tradewind.config.models import ExchangeSection, Regrid
from tradewind.config.source import Key
from tradewind.config.values import Endpoint
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.coupling.units import factor
from tradewind.couplers.operators import Distributed, IdentityOperator, LinearOperator
from tradewind.couplers.regrid.regridder import Regridder
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
    operator = _regrid(assembly, section, source, target)
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


def _regrid(assembly: Assembly, section: ExchangeSection, source: End, target: End) -> LinearOperator:
    if section.regrid is Regrid.NONE:
        if source.layout != target.layout:
            grids = f"{source.layout.grid!r} and {target.layout.grid!r}"
            what = f"{source.port} and {target.port} live on different grids: {grids}"
            raise ConfigError(what, hint="name a method under regrid:")
        return IdentityOperator(Distributed(source.layout))
    regridder = Regridder.build(source.layout, target.layout, str(section.regrid), norm=str(section.norm))
    assembly.notes.append(
        f"{source.port} -> {target.port}: {section.regrid} by the {regridder.backend} backend"
    )
    if section.regrid is Regrid.CONSERVATIVE:
        assembly.notes += _uncovered(regridder, source, target)
    return regridder


def _uncovered(regridder: Regridder, source: End, target: End) -> Iterator[str]:
    """Say how much of the source's area sends nothing, because the target does not reach there.

    What cell j of the source sends is the sum over targets i of a_i f_i W_ij, to be compared with a_j.
    """
    area = target.layout.scatter(torch.from_numpy(target.layout.grid.area)) * regridder.frac_target
    whole = torch.from_numpy(source.layout.grid.area)
    lost = float(1.0 - source.layout.gather(regridder.adjoint(area)).sum() / whole.sum())
    if lost > ROUNDING:
        yield (
            f"{source.port} -> {target.port}: {lost:.2%} of the source's area lies outside of the target's "
            "grid; what it sends from there is lost"
        )


def _unfed(assembly: Assembly, faults: Faults) -> None:
    fed = {str(section.target) for section in assembly.config.exchanges}
    for name, member in assembly.members.items():
        for variable in member.spec.imports:
            if f"{name}.{variable.name}" not in fed:
                faults.add(("components", name), f"its import {variable.name!r} is fed by no exchange")

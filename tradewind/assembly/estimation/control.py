"""Control of an assimilation: what it may change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from tradewind.assembly.exchanges.fields import field_of
from tradewind.assembly.faults import Faults
from tradewind.assembly.parts import Assembly, Member
from tradewind.config.sections.control import ChangeBy, ControlSection, CorrelationSection, PriorIs
from tradewind.config.source import Key
from tradewind.couplers.assimilation.control import (
    Add,
    Bounded,
    Change,
    Clustering,
    Clusters,
    FieldControl,
    JointControl,
    Lognormal,
    Per,
    PeriodicControl,
    PriorError,
    Scale,
    ScaledField,
    joint_covariance,
)
from tradewind.couplers.assimilation.covariance import Correlation, DiffusionCovariance, Kernel
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.exchange import End
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.coupling.time.alarms import alarm
from tradewind.couplers.grids.shapes import region_labels, region_mask
from tradewind.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from tradewind.couplers.grids import Grid

Part: TypeAlias = FieldControl | PeriodicControl
Keys: TypeAlias = tuple[Key, ...]


def build_control(assembly: Assembly, faults: Faults) -> None:
    """Build what the assimilation may change, with everything that is wrong in any entry."""
    parts: list[Part] = []
    seen: set[str] = set()
    sections = assembly.config.control
    for number, section in enumerate(sections):
        at, field = assembly.config.source.entry("control", number), str(section.field)
        if field in seen:
            faults.add((*at, "field"), f"{field} is controlled by an entry before this one")
            continue
        seen.add(field)
        parts += _parts(assembly, section, at, faults)
    if sections and len(parts) == len(sections):
        with faults.at("control"):
            assembly.control = JointControl(parts) if len(parts) > 1 else _alone(parts[0])


def _alone(part: Part) -> Part:
    joint_covariance([part])  # refuses one that would go together with others
    return part


def _parts(assembly: Assembly, section: ControlSection, at: Keys, faults: Faults) -> Iterator[Part]:
    """Yield the control of one entry; nothing where something is wrong with it."""
    member = assembly.members.get(section.field.component)
    if member is None:
        return  # a component that is missing is reported where it stands
    variable, prior = _prior(section, member, at, faults)
    if variable is None or prior is None:
        return
    with faults.at(*at):
        clustering = _clustering(section, variable, member)
        made = _control(section, clustering, prior, member)
        assembly.notes += _notes(made)
        if section.every is None:
            yield made
            return
        with faults.at(*at, "every"):
            yield _periodic(assembly, section, made)


# ---------------------------------------------------------------------- the prior
def _prior(
    section: ControlSection, member: Member, at: Keys, faults: Faults
) -> tuple[Variable | None, Tensor | None]:
    """Return the field's variable and prior, None where there is none: a parameter's or a state's."""
    name, component = section.field.variable, section.field.component
    parameters = {v.name: v for v in member.spec.parameters}
    known = parameters | {v.name: v for v in member.spec.state if v.name not in parameters}
    if name not in known:
        what = f"{component} has no parameter {name!r} and no such state, {did_you_mean(name, known)}"
        faults.add((*at, "field"), what)
        return None, None
    if section.prior is not None:
        with faults.at(*at, "prior"):
            return known[name], _given(section, member, known[name])
    elif name not in parameters:
        with faults.at(*at, "field"):
            return known[name], _initial(name, member)
    elif name in member.defaults:
        return known[name], member.defaults[name][0]
    elif not hasattr(member.component, "defaults"):
        what = f"{component} gives {name!r} no prior value (say `prior: …`)"
        faults.add((*at, "field"), what)
    return None, None


def _given(section: ControlSection, member: Member, variable: Variable) -> Tensor:
    """Return the prior that the config gives."""
    prior, layout = section.prior, member.layouts.get(variable.name)
    extra = tuple(length for _, length in variable.extra)
    shape = extra if layout is None else (*extra, layout.n_local)
    if prior is None or prior.value is not None:
        return torch.full(shape, 0.0 if prior is None else float(prior.value or 0.0), dtype=torch.float64)
    if layout is None:
        raise ConfigError("a field without a grid is read from no file", hint="give a number")
    end = End(section.field.component, variable, layout)
    return field_of(Path(str(prior.file)), str(prior.variable), end, variable.units).expand(shape)


def _initial(name: str, member: Member) -> Tensor:
    """Return a state variable as the component begins.

    Raises
    ------
    ConfigError
        When the component remembers more than its variables: it would not follow what is put.
    """
    if member.spec.opaque:
        what = f"the state also lies in {', '.join(member.spec.opaque)}, which no value can be put into"
        raise ConfigError(what, hint="control a parameter, or declare all state as variables")
    return member.component.initialize(member.spec, member.layouts, 1).fields[name][0]


# ---------------------------------------------------------------------- the control
def _control(section: ControlSection, clustering: Clustering, prior: Tensor, member: Member) -> FieldControl:
    between = None if section.correlation is None else section.correlation.between
    together = _correlation(section.correlation)
    error = PriorError(section.prior_error, section.correlation_km, together, between)
    target, layout = str(section.field), member.layouts.get(section.field.variable)
    if section.change is ChangeBy.SCALE:
        return ScaledField(target, prior, layout, clustering, error)
    return FieldControl(target, prior, layout, clustering, error, _change(section))


def _clustering(section: ControlSection, variable: Variable, member: Member) -> Clustering:
    """Return which cells of a field change together.

    Raises
    ------
    ConfigError
        A region of a field that belongs to no place.
    DataError
        A file of regions that cannot be used.
    """
    per, layout = Per(section.per), member.layouts.get(variable.name)
    if layout is None:
        _refuse_places(section)
        return Clustering(per, section.tile, names=variable.labels)
    edge = section.exclude_edge
    if per is Per.REGION and section.regions is not None:
        labels, names = region_labels(section.regions, layout.grid)
        return Clustering(per, section.tile, labels, names, exclude_edge=edge)
    return Clustering(per, section.tile, clusters=_clusters(section, layout.grid), exclude_edge=edge)


def _refuse_places(section: ControlSection) -> None:
    given = {"clusters": section.clusters, "regions": section.regions, "exclude_edge": section.exclude_edge}
    if wrong := [name for name, value in given.items() if value]:
        what = f"{section.field} belongs to no place, so it has no {wrong[0]}"
        raise ConfigError(what, hint="per: cell gives each of its numbers an element")


def _clusters(section: ControlSection, grid: Grid) -> Clusters | None:
    said = section.clusters
    if said is None:
        return None
    inside = None if said.inside is None else region_mask(said.inside, grid, said.name)
    return Clusters(said.count, said.buffer, inside, said.seed)


def _change(section: ControlSection) -> Change:
    if section.bounds is not None:
        return Bounded(*section.bounds)
    if section.change is ChangeBy.LOGNORMAL:
        return Lognormal(section.prior_error if section.prior_is is PriorIs.MEAN else None)
    return Add() if section.change is ChangeBy.ADD else Scale()


def _correlation(section: CorrelationSection | None) -> Correlation | None:
    if section is None or section.length is None:
        return None
    kernel = Kernel(section.kind)
    return Correlation(section.length, kernel, section.distance, section.smoothness, section.samples)


def _periodic(assembly: Assembly, section: ControlSection, base: FieldControl) -> PeriodicControl:
    """Return the control of all periods.

    Raises
    ------
    ConfigError
        When a window goes on from one period into the next.
    """
    clock = assembly.clock
    rings = () if section.every is None else alarm(section.every, clock, "every").within(clock)
    edges = list(dict.fromkeys([clock.start, *rings, clock.stop]))
    periods = [Interval(a, b) for a, b in pairwise(edges)]
    memory: timedelta | None = None if section.correlation is None else section.correlation.time
    made = PeriodicControl(base, periods, memory)
    for window in assembly.windows:
        made.at(window)
    return made


def _notes(control: FieldControl) -> Iterator[str]:
    """Yield what a user should know of it."""
    if isinstance(control.covariance, DiffusionCovariance) and control.covariance.error:
        yield (
            f"{control.target}: the prior's standard deviations are estimated, "
            f"to {control.covariance.error / 2:.1%} (one sigma)"
        )
    if control.layout is not None and control.clustering.selects:
        yield from _kept(control)


def _kept(control: FieldControl) -> Iterator[str]:
    """Yield how many cells with something in them keep their prior, and how much of it that is."""
    layout = control.layout
    if layout is None or layout.n_local < layout.n_global or not layout.grid.has_corners:
        return
    weight = control.field.reshape(-1, layout.n_local).abs().sum(0) * torch.from_numpy(layout.grid.area)
    labels = control.labels.reshape(-1, layout.n_global)
    left = (labels < 0).all(0) & torch.from_numpy(layout.grid.mask) & (weight > 0)
    if bool(left.any()):
        share = float(weight[left].sum() / weight[torch.from_numpy(layout.grid.mask)].sum())
        what = f"{int(left.sum())} cells that are in no element keep their prior"
        yield f"{control.target}: {what}, {share:.1%} of it"

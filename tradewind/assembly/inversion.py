"""Control, observations and solver of an inversion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.assembly.faults import Faults
from tradewind.assembly.parts import Assembly, Member
from tradewind.config.sections.models import ControlSection, ObservationsSection
from tradewind.coupled.derivatives.paths import between
from tradewind.couplers.assimilation import ObservationOperator, Solver
from tradewind.couplers.assimilation.control import Clustering, Per, PriorError, ScaledField
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.coupling.units import factor
from tradewind.errors import ConfigError, DataError, UnitsError, did_you_mean
from tradewind.plugins.registry import Role

if TYPE_CHECKING:
    import numpy as np


def build_control(assembly: Assembly, faults: Faults) -> None:
    """Build what the inversion may change."""
    section = assembly.config.control
    member = None if section is None else assembly.members.get(section.field.component)
    if section is None or member is None:
        return  # a component that is missing is reported where it stands
    name = section.field.variable
    known = tuple(v.name for v in member.spec.parameters)
    if name not in known:
        what = f"{section.field.component} has no parameter {name!r}, {did_you_mean(name, known)}"
        faults.add(("control", "field"), what)
    elif name in member.defaults:
        with faults.at("control"):
            assembly.control = _control(section, member)
    elif not hasattr(member.component, "defaults"):
        faults.add(("control", "field"), f"{section.field.component} gives {name!r} no prior value")


def _control(section: ControlSection, member: Member) -> ScaledField:
    name = section.field.variable
    clustering = Clustering(Per(section.per), section.tile, _regions(section.regions))
    error = PriorError(section.prior_error, section.correlation_km)
    prior = member.defaults[name][0]
    return ScaledField(str(section.field), prior, member.layouts[name], clustering, error)


def _regions(path: Path | None) -> np.ndarray | None:
    """Return the labels of the file's variable ``region``, None without a file."""
    import numpy as np
    import xarray as xr

    if path is None:
        return None
    try:
        with xr.open_dataset(path) as ds:
            return np.asarray(ds["region"].values)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"no variable 'region' can be read: {error}", where=str(path)) from error


def build_observations(assembly: Assembly, faults: Faults) -> None:
    """Build the observation operator, once all components are there to be observed."""
    section = assembly.config.observations
    if section is None or len(assembly.members) < len(assembly.config.components):
        return
    if isinstance(section.options, dict) or faults.spoil("observations"):
        return  # reported where the settings were checked
    with faults.at("observations", "of"):
        component, variable = _observed(assembly, section, faults)
        with faults.at("observations", "options"):
            operator = _operator(assembly, section, assembly.members[component], variable)
            operator.observes = f"{component}.{variable.name}"
            if assembly.windows:
                operator.windows(assembly.windows)
            assembly.observe = operator
            assembly.notes += getattr(operator, "notes", [])


def _operator(
    assembly: Assembly, section: ObservationsSection, member: Member, variable: Variable
) -> ObservationOperator:
    descriptor = assembly.manager.descriptor(Role.OBSERVATION_OPERATOR, section.operator)
    operator: ObservationOperator = descriptor.build(section.options, member.layouts[variable.name])
    wanted = getattr(operator, "units", variable.units)
    if factor(variable.units, wanted) != 1.0:
        raise UnitsError(
            f"{section.operator!r} observes {wanted}, but {variable.name!r} is exported in {variable.units}",
            hint="observe another export",
        )
    return operator


def _observed(assembly: Assembly, section: ObservationsSection, faults: Faults) -> tuple[str, Variable]:
    """Return the export that is observed: the one named, or the only one that feeds no exchange."""
    exports = {f"{name}.{v.name}": (name, v) for name, m in assembly.members.items() for v in m.spec.exports}
    if section.of is not None:
        if str(section.of) not in exports:
            raise ConfigError(
                f"no component exports {str(section.of)!r}", hint=did_you_mean(str(section.of), exports)
            )
        return exports[str(section.of)]
    used = {str(e.source) for e in assembly.config.exchanges}
    if faults.spoil("exchanges"):
        # a misspelled export is not free for that: look on at what feeds nothing at all
        senders = {e.source.component for e in assembly.config.exchanges}
        used |= {port for port, (name, _) in exports.items() if name in senders}
    free = [port for port in exports if port not in used]
    if len(free) != 1:
        hint = f"set observations.of to one of {', '.join(exports)}"
        raise ConfigError("which export is observed?", hint=hint)
    return exports[free[0]]


def build_solver(assembly: Assembly, faults: Faults) -> None:
    """Build the method, and refuse one that needs gradients where a component has none."""
    section = assembly.config.solve
    if section is None or isinstance(section.options, dict):
        return
    with faults.at("solve", "method"):
        solver: Solver = assembly.manager.descriptor(Role.SOLVER, section.method).build(section.options)
        assembly.solver = solver
        if solver.needs_gradient:
            for name in _without_adjoint(assembly):
                what = f"has no adjoint, and the method {section.method!r} needs one"
                faults.add(("components", name), what)


def _without_adjoint(assembly: Assembly) -> Iterator[str]:
    """Yield components without an adjoint on the way from the control to the observations."""
    if assembly.control is None or assembly.observe is None:
        return  # what is missing is reported where it stands
    ends = (port.partition(".")[0] for port in (assembly.control.target, assembly.observe.observes))
    on_the_way = between(assembly.exchanges, *ends)
    for name, member in assembly.members.items():
        if name in on_the_way and not member.spec.differentiable and member.surrogate is None:
            yield name

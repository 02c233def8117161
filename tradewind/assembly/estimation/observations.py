"""Observation operators of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradewind.assembly.faults import Faults
from tradewind.assembly.parts import Assembly, Member
from tradewind.config.sections.observing import ObservationsSection
from tradewind.couplers.assimilation import ObservationOperator
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.coupling.units import factor
from tradewind.errors import ConfigError, UnitsError, did_you_mean
from tradewind.plugins.registry import Role

if TYPE_CHECKING:
    pass


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

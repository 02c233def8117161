"""Observation operators of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tradewind.assembly.estimation.preparing import prepared
from tradewind.assembly.estimation.screening import check_limits
from tradewind.assembly.faults import Faults
from tradewind.assembly.parts import Assembly, Member
from tradewind.config.sections.observing import ObservationsSection
from tradewind.config.source import Key
from tradewind.couplers.assimilation import ObservationOperator
from tradewind.couplers.assimilation.observing import ObservationNetwork, Observed, SummedOperator
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.coupling.units import factor
from tradewind.errors import ConfigError, UnitsError, did_you_mean
from tradewind.plugins.registry import Role


def build_observations(assembly: Assembly, faults: Faults) -> None:
    """Build the observation operators, once all components are there to be observed."""
    sections = assembly.config.observations
    if len(assembly.members) < len(assembly.config.components):
        return
    streams: dict[str, ObservationOperator] = {}
    for number, section in enumerate(sections):
        stream = _stream(assembly, section, _place(assembly, number), faults)
        if stream is not None:
            streams[_name(section, streams)] = stream
    if not sections or len(streams) < len(sections):
        return
    assembly.observe = ObservationNetwork(streams) if len(streams) > 1 else next(iter(streams.values()))
    assembly.notes += getattr(assembly.observe, "notes", [])


def _place(assembly: Assembly, number: int) -> tuple[Key, ...]:
    """Return where an entry stands: one mapping has no number."""
    alone = len(assembly.config.observations) == 1 and not assembly.config.source.is_list("observations")
    return ("observations",) if alone else ("observations", number)


def _name(section: ObservationsSection, taken: dict[str, ObservationOperator]) -> str:
    """Return the name of a stream: its own, else that of its operator, numbered where it is taken."""
    wanted = section.name or section.operator
    names = (wanted if k == 1 else f"{wanted}-{k}" for k in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _stream(
    assembly: Assembly, section: ObservationsSection, at: Sequence[Key], faults: Faults
) -> ObservationOperator | None:
    if isinstance(section.options, dict) or faults.spoil(*at):
        return None  # reported where the settings were checked
    check_limits(assembly, section, at, faults)
    with faults.at(*at, "of"):
        observed = _observed(assembly, section, faults)
        with faults.at(*at, "options"):
            operator = _operator(assembly, section, observed)
            found = operator.windows(assembly.windows) if assembly.windows else {}
            for window in assembly.windows[:1] if isinstance(operator, SummedOperator) else ():
                operator.looks(window)  # refuses what is not linear
            with faults.at(*at):
                return prepared(operator, section, found, assembly.windows)
    return None


def _operator(assembly: Assembly, section: ObservationsSection, observed: Observed) -> ObservationOperator:
    descriptor = assembly.manager.descriptor(Role.OBSERVATION_OPERATOR, section.operator)
    operator: ObservationOperator = descriptor.build(section.options, observed)
    own = observed.variable
    wanted = getattr(operator, "variable_units", own.units)
    if factor(own.units, wanted) != 1.0:
        raise UnitsError(
            f"{section.operator!r} observes {wanted}, but {own.name!r} is exported in {own.units}",
            hint="observe another export",
        )
    ports = [str(port) for port in section.of or ()]
    return SummedOperator(operator, ports) if len(ports) > 1 else operator


def _observed(assembly: Assembly, section: ObservationsSection, faults: Faults) -> Observed:
    """Return what is observed: what is named, or the only export that feeds no exchange."""
    if section.of is None:
        return _at(assembly, _free(assembly, faults))
    first, *others = (_at(assembly, str(port)) for port in section.of)
    for other in others:
        _refuse_unlike(first, other)
    return replace(first, initial=all(one.initial for one in (first, *others)))


def _refuse_unlike(first: Observed, other: Observed) -> None:
    """Refuse to add up what is not the same kind of field.

    Raises
    ------
    ConfigError
        Another grid, other levels, units or steps.
    """
    apart = {
        "units": () if _same(first, other) else (first.variable.units, other.variable.units),
        "levels": () if first.extra == other.extra else (first.extra, other.extra),
        "steps": () if first.step == other.step else (first.step, other.step),
    }
    found = [f"other {name} ({both[0]} and {both[1]})" for name, both in apart.items() if both]
    found += [] if first.layout == other.layout else ["another grid"]
    if found:
        what = f"{first.port} and {other.port} cannot be added up: {', '.join(found)}"
        raise ConfigError(what, hint="bring one to the other by an exchange, or observe them apart")


def _same(first: Observed, other: Observed) -> bool:
    """Return whether two variables are in one unit, however it is written."""
    try:
        return factor(first.variable.units, other.variable.units) == 1.0
    except UnitsError:
        return False


def _at(assembly: Assembly, port: str) -> Observed:
    """Return one variable as an operator meets it."""
    known = [f"{name}.{v.name}" for name, m in assembly.members.items() for v in _variables(m)]
    if port not in known:
        raise ConfigError(f"no component exports {port!r}", hint=did_you_mean(port, known))
    component, _, name = port.partition(".")
    member = assembly.members[component]
    variable = next(v for v in _variables(member) if v.name == name)
    initial = name in {v.name for v in member.spec.state}
    step = member.section.step or assembly.config.run.step
    return Observed(port, variable, member.layouts[name], step, initial)


def _variables(member: Member) -> tuple[Variable, ...]:
    return (*member.spec.exports, *member.spec.state)


def _free(assembly: Assembly, faults: Faults) -> str:
    exports = {f"{name}.{v.name}": name for name, m in assembly.members.items() for v in m.spec.exports}
    used = {str(e.source) for e in assembly.config.exchanges}
    if faults.spoil("exchanges"):
        # a misspelled export is not free for that: look on at what feeds nothing at all
        senders = {e.source.component for e in assembly.config.exchanges}
        used |= {port for port, name in exports.items() if name in senders}
    free = [port for port in exports if port not in used]
    if len(free) != 1:
        hint = f"set observations.of to one of {', '.join(exports)}"
        raise ConfigError("which export is observed?", hint=hint)
    return free[0]

"""From a checked run config to live objects; every fault is collected, with the line that it stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tradewind.config import ConfigSource, RunAs, RunConfig, open_config
from tradewind.config.faults import Fault, config_error
from tradewind.config.models import ComponentSection, ExchangeSection, Regrid
from tradewind.couplers.assimilation import Control, ObservationOperator, Solver
from tradewind.couplers.clock import Clock
from tradewind.couplers.component import Component, Interval
from tradewind.couplers.control import Clustering, Per, PriorError, ScaledField
from tradewind.couplers.exchange import End, Exchange
from tradewind.couplers.fields import Fields, Spec, Variable
from tradewind.couplers.layout import Layout
from tradewind.couplers.operators import Distributed, IdentityOperator, LinearOperator
from tradewind.couplers.parallel import Communicator, as_communicator
from tradewind.couplers.regridder import Regridder
from tradewind.couplers.units import factor
from tradewind.coupledrun import CoupledRun, Participant
from tradewind.errors import ConfigError, DataError, TradewindError, did_you_mean
from tradewind.forward import CoupledModel
from tradewind.output.files import check_writable
from tradewind.plugins.caller import Part, StepCaller
from tradewind.plugins.manager import PluginManager
from tradewind.plugins.registry import Role, StandsIn

POLICY_OF = {RunAs.GUARDED: "guard", RunAs.SHADOW: "shadow"}


class Faults:
    """Collects what is wrong, so that a user sees all of it at once.

    Parameters
    ----------
    source
        File and lines of the config.
    """

    def __init__(self, source: ConfigSource) -> None:
        self.source, self.found = source, list[Fault]()

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """Turn an error of ours raised inside into a fault of the setting at `path`."""
        try:
            yield
        except TradewindError as error:
            self.found.append(Fault(path, str(error)))

    def add(self, path: Sequence[str | int], what: str) -> None:
        """Add a fault."""
        self.found.append(Fault(tuple(path), what))

    def settle(self) -> None:
        """Raise what was found, if anything was.

        Raises
        ------
        ConfigError
            With all faults.
        """
        if self.found:
            raise config_error(self.found, self.source)


@dataclass
class Member:
    """A component on its way into the run."""

    section: ComponentSection
    component: Component
    spec: Spec
    layouts: dict[str, Layout]
    surrogate: Any = None
    policies: tuple[Part, ...] = ()


@dataclass
class Assembly:
    """Everything that a run config asks for, built and connected, nothing started.

    Attributes
    ----------
    notes
        What a user should know: backend of each regridder, observations left out.
    """

    config: RunConfig
    manager: PluginManager
    comm: Communicator
    clock: Clock
    windows: tuple[Interval, ...]
    members: dict[str, Member] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)
    callers: dict[str, StepCaller] = field(default_factory=dict)
    control: Control | None = None
    observe: ObservationOperator | None = None
    solver: Solver | None = None
    notes: list[str] = field(default_factory=list)

    def run(self, members: int = 1) -> CoupledRun:
        """Return the coupled run at its start."""
        participants = [self._participant(name, member) for name, member in self.members.items()]
        return CoupledRun(self.clock, participants, self.exchanges, members)

    def model(self) -> CoupledModel:
        """Return the forward model of the inversion.

        Raises
        ------
        ConfigError
            When the config has no control or no observations.
        """
        if self.control is None or self.observe is None:
            raise ConfigError(
                "nothing to estimate", where=str(self.config.source.file), hint="add control: and observations:"
            )
        return CoupledModel(self.run(), self.control, self.observe, self.windows, self.callers, self.comm)

    def _participant(self, name: str, member: Member) -> Participant:
        defaults: Fields = {}
        if hasattr(member.component, "defaults"):
            defaults = member.component.defaults(member.layouts)
        return Participant(name, member.component, member.spec, self.callers[name], member.layouts, defaults)


def assemble(path: Path | str, overrides: Sequence[str] = (), comm: object | None = None) -> Assembly:
    """Read, check and build everything that a run config asks for.

    Raises
    ------
    ConfigError
        With every fault, each with file and line.
    """
    config, manager = open_config(path, overrides, comm)
    clock = Clock(config.run.start, config.run.stop, config.run.step)
    faults = Faults(config.source)
    windows = _windows(config, clock, faults)
    assembly = Assembly(config, manager, as_communicator(comm), clock, windows)
    for build in (_members, _exchanges, _callers, _control, _observations, _solver, _outputs):
        build(assembly, faults)
    faults.settle()
    return assembly


def _windows(config: RunConfig, clock: Clock, faults: Faults) -> tuple[Interval, ...]:
    with faults.at("run", "window"):
        return clock.windows(config.run.window or config.run.stop - config.run.start)
    return ()


# ---------------------------------------------------------------------- components
def _members(assembly: Assembly, faults: Faults) -> None:
    for name, section in assembly.config.components.items():
        with faults.at("components", name):
            assembly.members[name] = _member(assembly, name, section, faults)


def _member(assembly: Assembly, name: str, section: ComponentSection, faults: Faults) -> Member:
    component = assembly.manager.descriptor(Role.COMPONENT, section.plugin).build(section.options)
    spec: Spec = component.describe()
    member = Member(section, component, spec, _layouts(spec))
    with faults.at("components", name, "options"):
        if hasattr(component, "verify"):
            component.verify(assembly.clock)
    if section.run_as is not RunAs.REFERENCE:
        with faults.at("components", name, "surrogate_options"):
            _stand_in(assembly, member)
    return member


def _layouts(spec: Spec) -> dict[str, Layout]:
    """Give every grid one layout: variables on the same grid share it."""
    by_grid: dict[str, Layout] = {}
    found: dict[str, Layout] = {}
    for variable in (*spec.imports, *spec.exports, *spec.state, *spec.parameters):
        if variable.grid is not None:
            layout = by_grid.setdefault(variable.grid.fingerprint, Layout(variable.grid))
            found[variable.name] = layout
    return found


def _stand_in(assembly: Assembly, member: Member) -> None:
    """Build the surrogate, and the policies that wrap it."""
    section, manager = member.section, assembly.manager
    descriptor = manager.descriptor(Role.SURROGATE, str(section.surrogate))
    member.surrogate = descriptor.build(section.surrogate_options, member.component)
    if hasattr(member.surrogate, "verify"):
        member.surrogate.verify(assembly.config.run.window)
    if descriptor.stands_in_for is StandsIn.STEP:
        # a network in place of the step is not linear, whatever the reference is
        member.spec = replace(member.spec, linear=False)
    member.policies = tuple(_policies(assembly, member))


def _policies(assembly: Assembly, member: Member) -> Iterator[Part]:
    asked = [(p.policy, p.options) for p in member.section.policies]
    if member.section.run_as in POLICY_OF:
        asked.append((POLICY_OF[member.section.run_as], {}))
    descriptors = [(assembly.manager.descriptor(Role.POLICY, name), options) for name, options in asked]
    for descriptor, options in sorted(descriptors, key=lambda pair: pair[0].order):
        settings = options or descriptor.options_model()()
        yield Part(descriptor.name, descriptor.build(settings, member.surrogate))


def _callers(assembly: Assembly, faults: Faults) -> None:
    for name, member in assembly.members.items():
        with faults.at("components", name):
            # in shadow the surrogate belongs to the policy: it answers nothing
            answers = member.surrogate is not None and member.section.run_as is not RunAs.SHADOW
            surrogate = Part(str(member.section.surrogate), member.surrogate) if answers else None
            reference = Part(member.section.plugin, member.component)
            assembly.callers[name] = StepCaller(name, reference, surrogate, member.policies)


# ---------------------------------------------------------------------- exchanges
def _exchanges(assembly: Assembly, faults: Faults) -> None:
    for number, section in enumerate(assembly.config.exchanges):
        with faults.at("exchanges", number):
            exchange = _exchange(assembly, number, section, faults)
            if exchange is not None:
                assembly.exchanges.append(exchange)
    _unfed(assembly, faults)


def _exchange(assembly: Assembly, number: int, section: ExchangeSection, faults: Faults) -> Exchange | None:
    source = _end(assembly, "exports", section.source, ("exchanges", number, "from"), faults)
    target = _end(assembly, "imports", section.target, ("exchanges", number, "to"), faults)
    if source is None or target is None:
        return None
    return Exchange(source, target, _regrid(assembly, section, source, target), factor(source.variable.units, target.variable.units))


def _end(assembly: Assembly, role: str, at: Any, path: tuple[str | int, ...], faults: Faults) -> End | None:
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
            raise ConfigError(
                f"{source.port} and {target.port} live on different grids: {source.layout.grid!r} and "
                f"{target.layout.grid!r}",
                hint="name a method under regrid:",
            )
        return IdentityOperator(Distributed(source.layout))
    regridder = Regridder.build(source.layout, target.layout, str(section.regrid), norm=str(section.norm))
    assembly.notes.append(f"{source.port} -> {target.port}: {section.regrid} by the {regridder.backend} backend")
    return regridder


def _unfed(assembly: Assembly, faults: Faults) -> None:
    fed = {str(section.target) for section in assembly.config.exchanges}
    for name, member in assembly.members.items():
        for variable in member.spec.imports:
            if f"{name}.{variable.name}" not in fed:
                faults.add(("components", name), f"its import {variable.name!r} is fed by no exchange")


# ---------------------------------------------------------------------- inversion
def _control(assembly: Assembly, faults: Faults) -> None:
    section = assembly.config.control
    member = None if section is None else assembly.members.get(section.field.component)
    if section is None or member is None:
        return
    name = section.field.variable
    known = [v.name for v in member.spec.parameters]
    if name not in known:
        faults.add(("control", "field"), f"{section.field.component} has no parameter {name!r}, {did_you_mean(name, tuple(known))}")
        return
    with faults.at("control"):
        prior = member.component.defaults(member.layouts)[name][0]  # type: ignore[attr-defined]
        clustering = Clustering(Per(section.per), section.tile, _regions(section.regions))
        error = PriorError(section.prior_error, section.correlation_km)
        assembly.control = ScaledField(str(section.field), prior, member.layouts[name], clustering, error)


def _regions(path: Path | None) -> Any:
    """Return the labels of the file's variable ``region``, None without a file."""
    import xarray as xr

    if path is None:
        return None
    try:
        with xr.open_dataset(path) as ds:
            return ds["region"].values
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"no variable 'region' can be read: {error}", where=str(path)) from error


def _observations(assembly: Assembly, faults: Faults) -> None:
    section = assembly.config.observations
    if section is None:
        return
    with faults.at("observations", "options"):
        component, variable = _observed(assembly)
        member = assembly.members[component]
        descriptor = assembly.manager.descriptor(Role.OBSERVATION_OPERATOR, section.operator)
        operator = descriptor.build(section.options, member.layouts[variable.name])
        operator.observes = f"{component}.{variable.name}"
        operator.windows(assembly.windows)
        assembly.observe = operator
        assembly.notes += operator.notes


def _observed(assembly: Assembly) -> tuple[str, Variable]:
    """Return the export that is observed: the one named, or the only one that feeds no exchange."""
    named = assembly.config.observations.of if assembly.config.observations else None
    used = {str(e.source) for e in assembly.config.exchanges}
    exports = {f"{name}.{v.name}": (name, v) for name, m in assembly.members.items() for v in m.spec.exports}
    free = [port for port in exports if port not in used]
    if named is not None and str(named) not in exports:
        raise ConfigError(f"no component exports {str(named)!r}", hint=did_you_mean(str(named), tuple(exports)))
    if named is None and len(free) != 1:
        raise ConfigError("which export is observed?", hint=f"set observations.of to one of {', '.join(exports)}")
    return exports[str(named) if named is not None else free[0]]


def _solver(assembly: Assembly, faults: Faults) -> None:
    section = assembly.config.solve
    if section is None:
        return
    with faults.at("solve"):
        assembly.solver = assembly.manager.descriptor(Role.SOLVER, section.method).build(section.options)
        if getattr(assembly.solver, "needs_gradient", False):
            _refuse_without_adjoint(assembly, faults)


def _refuse_without_adjoint(assembly: Assembly, faults: Faults) -> None:
    for name, member in assembly.members.items():
        if not member.spec.differentiable and member.surrogate is None:
            faults.add(("components", name), "has no adjoint, and the method under solve: needs one")


def _outputs(assembly: Assembly, faults: Faults) -> None:
    for key in ("file", "report"):
        path: Path | None = getattr(assembly.config.output, key)
        if path is not None:
            with faults.at("output", key):
                check_writable(path)

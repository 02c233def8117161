"""What a run config becomes: components, exchanges, callers, and what an inversion needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tradewind.config import RunAs, RunConfig
from tradewind.config.sections.models import ComponentSection
from tradewind.coupled.model import CoupledModel
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.assimilation import Control, Filter, ObservationOperator, Solver
from tradewind.couplers.coupling.component import Component, Interval
from tradewind.couplers.coupling.exchange import Exchange
from tradewind.couplers.coupling.fields import Fields, Spec, Variable
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import Communicator
from tradewind.errors import ConfigError, SpecError, blaming
from tradewind.plugins.caller import Part, StepCaller
from tradewind.plugins.manager import PluginManager
from tradewind.plugins.registry import Role, StandsIn


class Unfed(Enum):
    """Who gives a value to imports that no exchange feeds."""

    NOBODY = "nobody"
    BY_HOST = "by the host"


@dataclass
class Member:
    """A component on its way into the run.

    Attributes
    ----------
    section
        What the config says about it.
    defaults
        Values of its parameters until something is put.
    surrogate
        What may stand in for it; None where the reference model answers alone.
    """

    section: ComponentSection
    component: Component
    spec: Spec
    layouts: dict[str, Layout]
    defaults: Fields = field(default_factory=dict)
    surrogate: Any = None
    policies: tuple[Part, ...] = ()


@dataclass
class Assembly:
    """Everything that a run config asks for, built and connected, nothing started.

    Attributes
    ----------
    notes
        What a user should know: backend of each regridder, observations left out.
    unfed
        Who feeds imports that no exchange does.
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
    filter: Filter | None = None
    notes: list[str] = field(default_factory=list)
    unfed: Unfed = Unfed.NOBODY

    @property
    def ordered(self) -> dict[str, Member]:
        """The components in the order that ``run.sequence`` asks for, else as declared."""
        names = [*(self.config.run.sequence or ()), *self.members]
        return {name: self.members[name] for name in dict.fromkeys(names) if name in self.members}

    def run(self, members: int = 1) -> CoupledRun:
        """Return the coupled run at its start."""
        participants = [self.participant(name, member) for name, member in self.ordered.items()]
        return CoupledRun(self.clock, participants, self.exchanges, members)

    def model(self) -> CoupledModel:
        """Return the forward model of the inversion.

        Raises
        ------
        ConfigError
            When the config has no control or no observations.
        """
        if self.control is None or self.observe is None:
            hint = "add control: and observations:"
            raise ConfigError("nothing to estimate", where=str(self.config.source.file), hint=hint)
        return CoupledModel(
            self.run(), self.control, self.observe, self.windows, self.callers, self.comm, self.insisting
        )

    @property
    def insisting(self) -> frozenset[str]:
        """Components that run as a surrogate of their linearization: their model is not to be stepped."""
        return frozenset(name for name, member in self.members.items() if self._insists(member))

    def _insists(self, member: Member) -> bool:
        if member.surrogate is None or member.section.run_as is not RunAs.SURROGATE:
            return False
        descriptor = self.manager.descriptor(Role.SURROGATE, str(member.section.surrogate))
        return descriptor.stands_in_for is StandsIn.LINEARIZATION

    def variable(self, port: str) -> Variable:
        """Return the variable that a run's ``component.variable`` names: an export before a state or another.

        Raises
        ------
        SpecError
            When no component has it.
        """
        component, _, name = port.partition(".")
        spec = self.members[component].spec if component in self.members else Spec()
        for variable in (*spec.exports, *spec.state, *spec.parameters, *spec.imports):
            if variable.name == name:
                return variable
        raise SpecError("no component has such a variable", where=port)

    @property
    def parameters(self) -> frozenset[str]:
        """Every parameter, as ``component.variable``."""
        return frozenset(f"{name}.{v.name}" for name, m in self.members.items() for v in m.spec.parameters)

    def finalize(self) -> None:
        """Release what the components hold."""
        for name, member in self.members.items():
            with blaming(name):
                member.component.finalize()

    def participant(self, name: str, member: Member) -> Participant:
        """Return a component as it takes part in runs."""
        return Participant(
            name, member.component, member.spec, self.callers[name], member.layouts, member.defaults,
            member.section.plugin, member.section.step,
        )  # fmt: skip

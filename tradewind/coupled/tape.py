"""What a coupled run is made of, what it remembers between two steps, and what its tape holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

from torch import Tensor

from tradewind.couplers.coupling.component import Component, Interval, Key, Mode, Step, StepCall
from tradewind.couplers.coupling.fields import Fields, Layouts, Spec, State, Variable
from tradewind.couplers.operators import LinearOperator
from tradewind.couplers.ranks.parallel import Communicator, Serial

Port: TypeAlias = str
"""``component.variable``."""
Event: TypeAlias = tuple[Port, datetime]


@dataclass(frozen=True)
class Participant:
    """A component in a run.

    Attributes
    ----------
    answer
        Makes the step's hook call.
    layouts
        Layout of every variable that lives on a grid, by name.
    parameters
        Values that hold until something is put, shape ``(member or 1, *extra, cell)``.
    plugin
        Name by which the reference model signs its answers (`Step.answered_by`).
    """

    name: str
    component: Component
    spec: Spec
    answer: Callable[[StepCall], Step]
    layouts: Layouts = field(default_factory=dict)
    parameters: Fields = field(default_factory=dict)
    plugin: str = ""

    def port(self, variable: str) -> Port:
        """Return ``component.variable``."""
        return f"{self.name}.{variable}"

    def shape(self, variable: Variable) -> tuple[int, ...]:
        """Return ``(*extra, cell)`` of a variable on this rank."""
        layout = self.layouts.get(variable.name)
        cells = () if layout is None else (layout.n_local,)
        return (*(length for _, length in variable.extra), *cells)

    @property
    def given(self) -> Iterator[tuple[str, Variable]]:
        """Everything that a step takes, with its role, in the order in which halos are filled."""
        roles = {"state": self.spec.state, "import": self.spec.imports, "parameter": self.spec.parameters}
        return ((role, variable) for role, variables in roles.items() for variable in variables)

    @cached_property
    def halos(self) -> Mapping[Key, LinearOperator]:
        """What fetches the rings of neighbouring cells that the step asks for; collective at first use."""
        found: dict[Key, LinearOperator] = {}
        for role, variable in self.given:
            layout = self.layouts.get(variable.name)
            if variable.halo and layout is not None and not layout.is_serial:
                found[role, variable.name] = layout.redistribute(layout.with_halo(variable.halo))
        return found

    def filled(self, key: Key, value: Tensor) -> Tensor:
        """Return `value` with its halo, where it has one; collective."""
        halo = self.halos.get(key)
        return value if halo is None else halo.forward(value)

    def collected(self, key: Key, cotangent: Tensor) -> Tensor:
        """Return the cotangent of this rank's own cells from that with a halo; the adjoint of `filled`.

        What neighbours give back is added in the order of the ranks: the same for any number of them but
        for rounding.
        """
        halo = self.halos.get(key)
        return cotangent if halo is None else halo.adjoint(cotangent)


@dataclass(frozen=True)
class Moment:
    """Everything that a run remembers between two steps: a value, to be kept and returned to."""

    time: datetime
    states: Mapping[str, State]
    held: Mapping[Port, Tensor]
    exports: Mapping[Port, Tensor]


@dataclass(frozen=True)
class Put:
    """A value was set from outside, with one member for all or one for each."""

    port: Port
    time: datetime
    members: int


@dataclass(frozen=True)
class Taken:
    """One component's step: what it was given (without halos), and who answered.

    Attributes
    ----------
    branch
        Members for which the model had to answer in place of the surrogate.
    """

    participant: Participant
    interval: Interval
    state: State
    imports: Fields
    parameters: Fields
    branch: Tensor | None = None
    answered_by: str = ""

    @property
    def by_reference(self) -> bool:
        """Whether the reference model gave the answer, all of it."""
        return self.answered_by in {"", self.participant.plugin}

    def given(self) -> dict[Key, Tensor]:
        """Return all that the step was given, by role and name."""
        fields = {"state": self.state.fields, "import": self.imports, "parameter": self.parameters}
        return {(role, v.name): fields[role][v.name] for role, v in self.participant.given}

    def call(self, given: Mapping[Key, Tensor], mode: Mode, comm: Communicator | None = None) -> StepCall:
        """Return the step as a call, with `given` in place of what it was given."""
        fields = {role: _of_role(given, role) for role in ("state", "import", "parameter")}
        return StepCall(
            self.participant.name, State(fields["state"], self.state.extras), fields["import"],
            fields["parameter"], self.interval, mode, branch=self.branch, comm=comm or Serial(),
        )  # fmt: skip


def _of_role(given: Mapping[Key, Tensor], role: str) -> Fields:
    return {name: value for (r, name), value in given.items() if r == role}


@dataclass(frozen=True)
class Interim:
    """One coupling interval: the steps that were taken, in order."""

    interval: Interval
    taken: tuple[Taken, ...]


TapeEvent: TypeAlias = Put | Interim

"""What a coupled run is made of, what it remembers between two steps, and what its tape holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from torch import Tensor

from tradewind.couplers.coupling.component import Component, Interval, Key, Mode, Step, StepCall
from tradewind.couplers.coupling.fields import Fields, Layouts, Spec, State, Variable
from tradewind.couplers.operators import LinearOperator
from tradewind.couplers.ranks.parallel import Communicator, Serial

if TYPE_CHECKING:
    from tradewind.coupled.stepping.buffers import Buffer

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
    step
        How often it is called; None: at every coupling interval.
    """

    name: str
    component: Component
    spec: Spec
    answer: Callable[[StepCall], Step]
    layouts: Layouts = field(default_factory=dict)
    parameters: Fields = field(default_factory=dict)
    plugin: str = ""
    step: timedelta | None = None

    def port(self, variable: str) -> Port:
        """Return ``component.variable``."""
        return f"{self.name}.{variable}"

    def shape(self, variable: Variable) -> tuple[int, ...]:
        """Return ``(*extra, cell)`` of a variable on this rank."""
        layout = self.layouts.get(variable.name)
        cells = () if layout is None else (layout.n_local,)
        return (*(length for _, length in variable.extra), *cells)

    @cached_property
    def defaults(self) -> Mapping[Port, Tensor]:
        """Values of parameters until something is put, by port."""
        return {self.port(name): value for name, value in self.parameters.items()}

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


class Moment(NamedTuple):
    """Everything that a run remembers between two steps: a value, to be kept and returned to.

    Attributes
    ----------
    time
        That the run has reached.
    origin
        When it began, with initial states and empty buffers.
    number
        Steps that were made since then, of all components together.
    held
        What was put from outside.
    exports
        What was exported or delivered last.
    buffers
        By channel: half-full accumulations, and values that wait for their lag to pass.
    """

    time: datetime
    origin: datetime
    number: int
    states: Mapping[str, State]
    held: Mapping[Port, Tensor]
    exports: Mapping[Port, Tensor]
    buffers: tuple[Buffer, ...] = ()


@dataclass(frozen=True)
class Put:
    """A value was set from outside, with one member for all or one for each.

    Attributes
    ----------
    role
        ``import``, ``parameter`` or ``state``.
    """

    port: Port
    time: datetime
    value: Tensor
    role: str

    @property
    def members(self) -> int:
        """Length of the first axis as it was put."""
        return len(self.value)

    def applied(self, moment: Moment, members: int) -> Moment:
        """Return the moment with the value put into it, for a run of so many members."""
        if self.role != "state":
            return moment._replace(held={**moment.held, self.port: self.value})
        component, _, variable = self.port.partition(".")
        state, value = moment.states[component], self.value.expand(members, *self.value.shape[1:])
        changed = replace(state, fields={**state.fields, variable: value})
        return moment._replace(states={**moment.states, component: changed})


@dataclass(frozen=True, slots=True)
class Answered:
    """Who answered a step: what must be known to take it again.

    Attributes
    ----------
    by
        Name of the plugin.
    branch
        Members for which the model had to answer in place of the surrogate.
    """

    by: str
    branch: Tensor | None


@dataclass(frozen=True)
class Taken:
    """One component's step: what it was given (without halos), and who answered.

    Attributes
    ----------
    number
        Of the step, counted from the run's origin.
    branch
        Members for which the model had to answer in place of the surrogate.
    weighted
        By channel: the moving fraction that was given, and the field that it multiplied.
    chosen
        By channel that reduces to an extreme: where this step's export attained it.
    """

    participant: Participant
    interval: Interval
    state: State
    imports: Fields
    parameters: Fields
    branch: Tensor | None = None
    answered_by: str = ""
    weighted: Mapping[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    chosen: Mapping[int, Tensor] = field(default_factory=dict)
    number: int = 0

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


TapeEvent: TypeAlias = Put | Taken

"""The contract of a component, and of one call of it.

A component never hides what a method must rewind, perturb or save: its memory is a `State` that goes in
and comes out of every step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from tradewind.couplers.coupling.fields import Fields, Layouts, Spec, State
from tradewind.couplers.ranks.parallel import Communicator, Serial

if TYPE_CHECKING:
    import torch

Key: TypeAlias = tuple[str, str]
"""Role (``state``, ``import``, ``parameter``, ``export``) and name of what enters or leaves a step."""
Flat: TypeAlias = "Mapping[Key, torch.Tensor]"
"""Derivatives by role and name, shape ``(k, member, *extra, cell)``; what is absent is zero."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A half-open stretch of model time, ``[start, stop)``."""

    start: datetime
    stop: datetime

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.stop - self.start).total_seconds()

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M}/{self.stop:%Y-%m-%d %H:%M}"


@runtime_checkable
class Component(Protocol):
    """Something that advances: a reference model, a surrogate, an external program, a host."""

    def describe(self) -> Spec:
        """Return imports, exports, state and parameters; starts no model."""

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return the state at the start of the run for `members` members."""

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Advance over `interval`; return the exports and the new state."""

    def finalize(self) -> None:
        """Release what the component holds (files, processes)."""


class Mode(StrEnum):
    """Why a step is called."""

    FORWARD = "forward"
    REPLAY = "replay"
    TANGENT = "tangent"


@dataclass(frozen=True, slots=True)
class Step:
    """The answer to a step call.

    Attributes
    ----------
    valid
        Per member, shape ``(member,)``: False where the answerer stands outside its domain.
    answered_by
        Name of the plugin that answered.
    """

    exports: Fields
    state: State
    valid: torch.Tensor | None = None
    answered_by: str = ""


@dataclass(frozen=True, slots=True)
class StepCall:
    """One request to advance a component, handed to ``tradewind_step``.

    Attributes
    ----------
    reference
        Asks the reference model for all members (``None``) or for the given ones; a wrapper can yield
        only once, so this is how the guard and the shadow reach the model.
    branch
        In replay, the members for which the recorded forward step used the reference model.
    comm
        Ranks that take this step together, each on its own cells.
    """

    component: str
    state: State
    imports: Fields
    parameters: Fields
    interval: Interval
    mode: Mode = Mode.FORWARD
    reference: Callable[[torch.Tensor | None], Step] | None = None
    branch: torch.Tensor | None = None
    comm: Communicator = field(default_factory=Serial)


class OwnTangent(Protocol):
    """A component that torch cannot see through brings its tangent ..."""

    def jvp(self, call: StepCall, tangents: Flat) -> Flat:
        """Return tangents of exports and new state.

        Parameters
        ----------
        call
            The recorded step, to be linearized about.
        tangents
            By ``("state" | "import" | "parameter", name)``, shape ``(k, member, *extra, cell)``.
        """


class OwnAdjoint(Protocol):
    """... and its exact adjoint; `tradewind.testing` holds the two together by a dot test."""

    def vjp(self, call: StepCall, cotangents: Flat) -> Flat:
        """Return cotangents of state, imports and parameters.

        Parameters
        ----------
        call
            The recorded step, to be linearized about.
        cotangents
            By ``("export" | "state", name)``, shape ``(k, member, *extra, cell)``.
        """


class OwnMemory(Protocol):
    """A component whose state holds extras that are no plain values brings these into a restart file itself.

    Both methods are called on all ranks that share the component, and need not be local.
    """

    def save_state(self, state: State) -> Mapping[str, bytes]:
        """Return all of the state's extras, as bytes under names of the component's own.

        What the first rank returns is kept. The fields are kept without the component's help.
        """

    def load_state(self, fields: Fields, saved: Mapping[str, bytes]) -> State:
        """Return the state with `fields` and the extras that `save_state` gave, in this run or a later one.

        Parameters
        ----------
        fields
            This rank's cells of the state variables.
        saved
            What `save_state` gave; the same on all ranks.

        Raises
        ------
        DataError
            When `saved` is not what this component can use.
        """

"""What is verified: a component's step, the coupled run, and the observations' dependence on the control."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from tradewind.coupled.derivatives.replay import gradients, tangents
from tradewind.coupled.derivatives.steps import step_gradient, step_tangent
from tradewind.couplers.coupling.component import Mode
from tradewind.verification.flat import Scales, Vector, sizes

if TYPE_CHECKING:
    from tradewind.coupled.derivatives.checkpoints import Tape
    from tradewind.coupled.run import CoupledRun
    from tradewind.coupled.tape import Event, Moment, Port, Taken
    from tradewind.couplers.assimilation import Control, ForwardModel
    from tradewind.couplers.coupling.component import Interval, Key
    from tradewind.couplers.operators import LinearOperator


class Subject(Protocol):
    """A function ``y = M(x)`` with what claims to be its derivative.

    Attributes
    ----------
    name
        As the table calls it.
    steps
        How many steps it is made of: rounding grows with their number.
    """

    name: str
    steps: int

    @property
    def at(self) -> Vector:
        """x, about which the derivative is taken."""

    @property
    def scales(self) -> Scales:
        """How large a change of each part of x is."""

    def value(self, x: Vector) -> Vector:
        """Return ``M(x)``."""

    def tangent(self, dx: Vector) -> Vector:
        """Return ``M' dx``; what is absent is zero."""

    def gradient(self, dy: Vector) -> Vector:
        """Return ``M'ᵀ dy``; what is absent is zero."""


class StepSubject:
    """One step of a component, as the coupled run made it: by whoever answered then.

    Parameters
    ----------
    taken
        The step.
    roles
        Of what is changed: ``state``, ``import``, ``parameter``.
    name
        The component's where none is given.
    """

    steps = 1

    def __init__(self, taken: Taken, roles: Sequence[str], name: str = "") -> None:
        self.taken, self.roles, self.name = taken, tuple(roles), name or taken.participant.name

    @cached_property
    def given(self) -> dict[Key, Tensor]:
        """All that the step is given, in memory of its own."""
        filled = {k: self.taken.participant.filled(k, v) for k, v in self.taken.given().items()}
        return {k: v.detach().clone(memory_format=torch.contiguous_format) for k, v in filled.items()}

    @cached_property
    def at(self) -> Vector:
        """What of it is changed."""
        return {k: v for k, v in self.given.items() if k[0] in self.roles}

    @cached_property
    def scales(self) -> Scales:
        """The size of each field."""
        return sizes(self.at)

    def value(self, x: Vector) -> Vector:
        """Return exports and new state."""
        given = {k: x.get(k, v).clone() for k, v in self.given.items()}
        with torch.no_grad():
            step = self.taken.participant.answer(self.taken.call(given, Mode.REPLAY))
        exports = {("export", k): v.clone() for k, v in step.exports.items()}
        return exports | {("state", k): v.clone() for k, v in step.state.fields.items()}

    def tangent(self, dx: Vector) -> Vector:
        """Return the tangents of exports and new state."""
        return {k: v[0] for k, v in step_tangent(self.taken, _batched(dx)).items()}

    def gradient(self, dy: Vector) -> Vector:
        """Return the cotangents of what is changed."""
        found = step_gradient(self.taken, _batched(dy))
        return {k: v[0] for k, v in found.items() if k[0] in self.roles}


def _batched(x: Vector) -> dict[tuple[str, str], Tensor]:
    return {k: v[None] for k, v in x.items() if isinstance(k, tuple)}


class RunSubject:
    """The coupled run from a moment to a later time: from states and parameters to states and exports.

    Parameters
    ----------
    start
        Where it begins.
    until
        Where a coupling interval ends.
    """

    name = "coupled run"

    def __init__(self, run: CoupledRun, start: Moment, until: Interval) -> None:
        self.run, self.start, self.until = run, start, until.stop
        inputs = {port: place for port, place in run.ports.inputs.items() if place.role != "import"}
        self.inputs = {port: place.role for port, place in inputs.items()}
        outputs = (p for p, place in run.ports.outputs.items() if place.role != "import")
        self.outputs: list[Event] = [(port, self.until) for port in outputs]
        self.steps = len(run.plan) * ((until.stop - until.start) // run.clock.step)

    @cached_property
    def at(self) -> Vector:
        """States and parameters as the run begins with them."""
        return {port: self._begin(port, role) for port, role in self.inputs.items()}

    def _begin(self, port: Port, role: str) -> Tensor:
        component, _, variable = port.partition(".")
        if role == "state":
            value = self.start.states[component].fields[variable]
        else:
            defaults = {k: v for p in self.run.participants for k, v in p.defaults.items()}
            value = {**defaults, **self.start.held}[port]
        return value.detach().clone(memory_format=torch.contiguous_format)

    @cached_property
    def scales(self) -> Scales:
        """The size of each field."""
        return sizes(self.at)

    def value(self, x: Vector) -> Vector:
        """Return what is exported and kept at the end."""
        self._advance(x)
        return {event: self.run.get(event[0]).clone() for event in self.outputs}

    def _advance(self, x: Vector) -> None:
        self.run.rewind(self.start)
        for port in self.inputs:
            self.run.put(port, x[port])
        self.run.advance(self.until)

    @cached_property
    def _tape(self) -> Tape:
        self.run.rewind(self.start)
        with self.run.recording() as tape:
            for port in self.inputs:
                self.run.put(port, self.at[port])
            self.run.advance(self.until)
        return tape

    def tangent(self, dx: Vector) -> Vector:
        """Return the tangents at the end."""
        given = {(port, self.start.time): dx[port][None] for port in self.inputs}
        found = tangents(self.run, self._tape, given, self.outputs)
        return {event: tangent[0] for event, tangent in found.items()}

    def gradient(self, dy: Vector) -> Vector:
        """Return the cotangents at the start."""
        cotangents = {event: dy[event][None] for event in self.outputs}
        found = gradients(self.run, self._tape, cotangents)
        return {port: found[port, self.start.time][0] for port in self.inputs
                if (port, self.start.time) in found}  # fmt: skip


class ObservedSubject:
    """The simulated observations of one window: from the control vector, by the forward model and its K.

    Parameters
    ----------
    window
        One with observations.
    steps
        How many steps the model makes in it.
    """

    name = "observations (K)"

    def __init__(self, model: ForwardModel, control: Control, window: Interval, steps: int) -> None:
        self.model, self.control, self.window, self.steps = model, control, window, steps

    @property
    def at(self) -> Vector:
        """The prior."""
        return {"x": self.control.prior}

    @cached_property
    def scales(self) -> Mapping[Hashable, Tensor]:
        """The prior's standard deviations."""
        return {"x": self.control.covariance.diagonal().sqrt()}

    @cached_property
    def _operator(self) -> LinearOperator:
        return self.model.linearize(self.control.prior, self.window)

    def value(self, x: Vector) -> Vector:
        """Return the simulated observations."""
        return {"y": self.model(x["x"], self.window).detach().clone()}

    def tangent(self, dx: Vector) -> Vector:
        """Return ``K dx``."""
        return {"y": self._operator.forward(dx["x"])}

    def gradient(self, dy: Vector) -> Vector:
        """Return ``Kᵀ dy``."""
        return {"x": self._operator.adjoint(dy["y"])}

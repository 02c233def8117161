"""Tangents and adjoints of what a handle has run, as a host's own 4D-Var loop asks for them.

One call goes through one run: tangents from the first recorded run to the last, adjoints from the last back
to the first. Between two calls the host puts what enters there: perturbations of imports, parameters and
states, or the cost's derivatives by exports and states ("adjoint forcings"). The states' derivatives are
carried from run to run, as the states were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from math import sqrt
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.coupled.derivatives.steps import step_gradient, step_tangent
from tradewind.errors import did_you_mean
from tradewind.hosting.failing import CallError, Code

if TYPE_CHECKING:
    from tradewind.coupled.tape import Participant
    from tradewind.couplers.coupling.component import Key
    from tradewind.couplers.coupling.fields import Variable
    from tradewind.couplers.ranks.parallel import Communicator
    from tradewind.hosting.recording import Ran, Recording

Named: TypeAlias = "dict[Key, Tensor]"
SEED = 20_26


class What(IntEnum):
    """What an array of the host holds."""

    VALUE = 0
    TANGENT = 1
    ADJOINT = 2


class Columns(Protocol):
    """Between the columns of this rank, as the host has them, and the cells that the component has."""

    def shape(self, variable: Variable) -> tuple[int, ...]:
        """Return ``(*extra, column)`` as the host has it."""

    def kind(self, variable: Variable) -> torch.dtype:
        """Return in which kind of numbers the component has it."""

    def inward(self, variable: Variable, part: Tensor) -> Tensor:
        """Return the component's field, zero where no rank has a column; collective."""

    def outward(self, variable: Variable, whole: Tensor) -> Tensor:
        """Return this rank's columns of the component's field: the transpose of `inward`."""


class AsTheyAre:
    """The host has the component's own cells."""

    def __init__(self, participant: Participant) -> None:
        self.participant = participant

    def shape(self, variable: Variable) -> tuple[int, ...]:
        """Return ``(*extra, cell)``."""
        return self.participant.shape(variable)

    def kind(self, variable: Variable) -> torch.dtype:
        """Return float64."""
        return torch.float64

    def inward(self, variable: Variable, part: Tensor) -> Tensor:
        """Return `part`."""
        return part

    def outward(self, variable: Variable, whole: Tensor) -> Tensor:
        """Return `whole`."""
        return whole


@dataclass
class _Sweep:
    """A way through the runs.

    Attributes
    ----------
    done
        Runs that were gone through.
    moving
        By key of what is carried: states, imports and parameters.
    came
        Of the last run that was gone through; None before the first.
    """

    done: int = 0
    moving: Named = field(default_factory=dict)
    came: Mapping[Key, Tensor] | None = None


@dataclass
class Derivatives:
    """Derivatives of one handle.

    Attributes
    ----------
    members
        Length of the first axis of every field.
    columns
        How the host's columns become the component's cells.
    comm
        Ranks that call together.
    """

    participant: Participant
    members: int
    recording: Recording
    columns: Columns
    comm: Communicator
    _sweeps: dict[What, _Sweep] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.recording.changed = self.forget
        spec = self.participant.spec
        roles = {"import": spec.imports, "parameter": spec.parameters, "state": spec.state}
        self.inputs = {(role, v.name): v for role, several in roles.items() for v in several}
        self.outputs = {("export", v.name): v for v in spec.exports}
        self.outputs |= {("state", v.name): v for v in spec.state}

    def forget(self) -> None:
        """Begin both ways anew."""
        self._sweeps.clear()

    # ------------------------------------------------------------------ the host's arrays
    def got(self, what: What, name: str) -> Tensor:
        """Return a tangent or an adjoint of the last call, shape ``(member, *extra, column)``.

        Raises
        ------
        CallError
            When there is nothing of that name, or no call that made it.
        """
        known = self.outputs if what is What.TANGENT else self.inputs
        key = self._key(known, name, f"has no {what.name.lower()} to be got")
        sweep, variable = self._sweeps.get(what), self._variable(key)
        if sweep is None or sweep.came is None:
            call = what.name.lower()
            raise CallError(
                Code.ORDER, f"no {call} was made yet", component=self.participant.name, field=name,
                hint=f"call {call} first",
            )  # fmt: skip
        found = sweep.came.get(key)
        return self._zeros(variable) if found is None else self.columns.outward(variable, found)

    def put_key(self, what: What, name: str) -> Key:
        """Return role and name of what a tangent or an adjoint is put for.

        A tangent belongs to an import, else a parameter, else a state variable; an adjoint to an export, else
        a state variable.
        """
        known = self.inputs if what is What.TANGENT else self.outputs
        return self._key(known, name, f"takes no {what.name.lower()}")

    # ------------------------------------------------------------------ the calls
    def tangent(self, put: Mapping[Key, Tensor]) -> None:
        """Go forward through the next run; collective.

        Parameters
        ----------
        put
            By role and name of what it was given, what this rank has put since the last call: columns of
            shape ``(member, *extra, column)``.

        Raises
        ------
        CallError
            When nothing was run, or the way begins with nothing put.
        NotDifferentiableError
            When the component has no tangent.
        """
        runs = self.recording.need(self.participant.name)
        sweep, new = self._entered(What.TANGENT, put)
        ran = runs[sweep.done]
        for key in ran.put:
            sweep.moving.pop(key, None)
        for key, value in new.items():
            carried = sweep.moving.get(key) if key[0] == "state" else None
            sweep.moving[key] = value if carried is None else carried + value
        came = step_tangent(ran.taken(self.participant), _batched(sweep.moving), self.comm)
        sweep.came = {key: value[0] for key, value in came.items()}
        still = {key: value for key, value in sweep.moving.items() if key[0] != "state"}
        sweep.moving = still | {key: v for key, v in sweep.came.items() if key[0] == "state"}
        sweep.done += 1

    def adjoint(self, put: Mapping[Key, Tensor]) -> None:
        """Go back through the run before; collective.

        Parameters
        ----------
        put
            By role and name of exports and new state, what this rank has put since the last call: columns of
            shape ``(member, *extra, column)``.

        Raises
        ------
        CallError
            When nothing was run, or the way begins with nothing put.
        NotDifferentiableError
            When the component has no adjoint.
        """
        runs = self.recording.need(self.participant.name)
        sweep, new = self._entered(What.ADJOINT, put)
        ran = runs[-1 - sweep.done]
        carried = {key: value for key, value in sweep.moving.items() if key[0] == "state"}
        asked = carried | {key: carried[key] + v if key in carried else v for key, v in new.items()}
        back = self._back(ran, asked)
        for key, value in back.items():
            kept = sweep.moving.get(key) if key[0] != "state" else None
            back[key] = value if kept is None else kept + value
        sweep.came = back
        sweep.moving = {key: value for key, value in back.items() if key not in ran.put}
        sweep.done += 1

    def dot_test(self) -> float:
        """Return ``|<M x, y> - <x, Mᵀ y>| / (‖M x‖ ‖y‖)`` about the last run, x and y random; collective.

        It goes by the columns of the ranks. Where nothing depends on anything it is zero.

        Raises
        ------
        CallError
            When nothing was run.
        NotDifferentiableError
            When the component has no tangent or no adjoint.
        """
        ran = self.recording.need(self.participant.name)[-1]
        x, y = self._random(self.inputs, SEED), self._random(self.outputs, SEED + 1)
        into = _batched(self._inward(x))
        came = step_tangent(ran.taken(self.participant), into, self.comm) if into else {}
        forward = self._outward({key: value[0] for key, value in came.items()})
        back = self._outward(self._back(ran, self._inward(y)))
        gap = abs(self._dot(forward, y) - self._dot(x, back))
        size = sqrt(self._dot(forward, forward) * self._dot(y, y))
        return gap / size if size else gap

    # ------------------------------------------------------------------ parts
    def _entered(self, what: What, columns: Mapping[Key, Tensor]) -> tuple[_Sweep, Named]:
        """Return where a way stands, and what the ranks have put for its next run; collective."""
        runs, put = len(self.recording.runs), self._inward(columns)
        other = What.ADJOINT if what is What.TANGENT else What.TANGENT
        self._ended(other)
        sweep = self._sweeps.setdefault(what, _Sweep())
        if sweep.done == runs:
            sweep = self._sweeps[what] = _Sweep()
        if not sweep.done and not put:
            del self._sweeps[what]
            raise self._nothing_put(what)
        return sweep, put

    def _nothing_put(self, what: What) -> CallError:
        call, runs = what.name.lower(), len(self.recording.runs)
        through = f"all {runs} recorded runs were gone through, and " if runs > 1 else ""
        return CallError(
            Code.ORDER, f"{through}nothing was put to begin with", component=self.participant.name,
            hint=f"call put_{call} before {call}",
        )  # fmt: skip

    def _ended(self, what: What) -> None:
        """Let the next call of the other direction begin at its end; what it gave can still be got."""
        sweep = self._sweeps.get(what)
        if sweep is not None:
            sweep.done = len(self.recording.runs)

    def _back(self, ran: Ran, asked: Mapping[Key, Tensor]) -> Named:
        if not asked:
            return {}
        came = step_gradient(ran.taken(self.participant), _batched(asked), self.comm)
        return {key: self._summed(key, value[0]) for key, value in came.items()}

    def _summed(self, key: Key, cotangent: Tensor) -> Tensor:
        """Return the cotangent of what belongs to no place: of all cells, so of all ranks that share them."""
        shared = any(not layout.is_serial for layout in self.participant.layouts.values())
        if not shared or key[1] in self.participant.layouts or self.comm.size == 1:
            return cotangent
        parts = self.comm.allgather_array(cotangent.detach().numpy()[None])
        return torch.from_numpy(np.sum(np.concatenate(parts), axis=0))

    def _inward(self, columns: Mapping[Key, Tensor]) -> Named:
        """Return fields of all that any rank has put; collective."""
        if self.comm.size == 1:
            return {key: self._one(key, value) for key, value in columns.items()}
        every = self.comm.allgather(sorted(columns))
        found: Named = {}
        for key in sorted({key for part in every for key in part}):
            mine = columns.get(key)
            value = self._zeros(self._variable(key)) if mine is None else mine
            if key[1] not in self.participant.layouts:
                first = next(rank for rank, part in enumerate(every) if key in part)
                value = self.comm.bcast(value, root=first)
            found[key] = self._one(key, value)
        return found

    def _one(self, key: Key, value: Tensor) -> Tensor:
        return self.columns.inward(self._variable(key), value)

    def _outward(self, fields: Mapping[Key, Tensor]) -> Named:
        return {key: self.columns.outward(self._variable(key), value) for key, value in fields.items()}

    def _dot(self, a: Mapping[Key, Tensor], b: Mapping[Key, Tensor]) -> float:
        """Return the inner product of the ranks' columns; what belongs to no place counts once."""
        mine = sum(
            float((a[key].double() * b[key].double()).sum())
            for key in a
            if key in b and (self.comm.rank == 0 or key[1] in self.participant.layouts)
        )
        return float(sum(self.comm.allgather(mine)))

    def _random(self, known: Mapping[Key, Variable], seed: int) -> Named:
        """Return standard normal numbers: a rank's own where they belong to cells, else the same on all."""
        found = {}
        for number, (key, variable) in enumerate(known.items()):
            own = self.comm.rank if key[1] in self.participant.layouts else 0
            shape = (self.members, *self.columns.shape(variable))
            drawn = np.random.default_rng((seed, number, own)).standard_normal(shape)
            found[key] = torch.from_numpy(drawn).to(self.columns.kind(variable))
        return found

    def _zeros(self, variable: Variable) -> Tensor:
        shape = (self.members, *self.columns.shape(variable))
        return torch.zeros(shape, dtype=self.columns.kind(variable))

    def _variable(self, key: Key) -> Variable:
        return self.inputs[key] if key in self.inputs else self.outputs[key]

    def _key(self, known: Iterable[Key], name: str, what: str) -> Key:
        for key in known:
            if key[1] == name:
                return key
        hint = did_you_mean(name, [key[1] for key in known])
        raise CallError(Code.FIELD, what, component=self.participant.name, field=name, hint=hint)


def _batched(fields: Mapping[Key, Tensor]) -> Named:
    return {key: value[None] for key, value in fields.items()}

"""Tangents and adjoints of what a handle has run, as a host's own 4D-Var loop asks for them.

One call goes through one run: tangents from the first recorded run to the last, adjoints from the last back
to the first. Between two calls the host puts what enters there: perturbations of imports, parameters and
states, or the cost's derivatives by exports and states ("adjoint forcings"). The states' derivatives are
carried from run to run, as the states were.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import prod, sqrt
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.coupled.derivatives.steps import step_gradient, step_tangent
from tradewind.couplers.operators import Distributed, Replicated, Space
from tradewind.hosting.failing import CallError, Code

if TYPE_CHECKING:
    from tradewind.coupled.tape import Participant, Taken
    from tradewind.couplers.coupling.component import Key
    from tradewind.couplers.coupling.fields import State, Variable
    from tradewind.couplers.ranks.parallel import Communicator

Named: TypeAlias = "dict[Key, Tensor]"
SEED = 2026


class What(IntEnum):
    """What an array of the host holds."""

    VALUE = 0
    TANGENT = 1
    ADJOINT = 2


class Run(Protocol):
    """A model call that was made."""

    @property
    def taken(self) -> Taken:
        """The call as derivatives want it."""

    @property
    def exports(self) -> Mapping[str, Tensor]:
        """What was answered."""

    @property
    def state(self) -> State:
        """What was remembered after it."""

    @property
    def stands(self) -> bool:
        """Whether all that it was given still is what it was."""

    @property
    def put(self) -> Collection[Key]:
        """What the host has put, or bound, since the call before: what derivatives belong to."""


@dataclass
class _Way:
    """A way through the runs.

    Attributes
    ----------
    done
        Runs that were gone through.
    moving
        By key of what is carried: states, imports and parameters.
    """

    done: int = 0
    moving: Named = field(default_factory=dict)


class Derivatives:
    """Derivatives of one handle, in the component's own cells.

    Parameters
    ----------
    participant
        The component.
    comm
        Ranks that call together.
    """

    def __init__(self, participant: Participant, comm: Communicator) -> None:
        self.participant, self.comm = participant, comm
        self._ways: dict[What, _Way] = {}
        self._about: tuple[int, Run | None] = (0, None)

    # ------------------------------------------------------------------ the calls
    def tangent(self, runs: Sequence[Run], put: Mapping[Key, Tensor]) -> Named:
        """Go forward through the next run; collective.

        Parameters
        ----------
        runs
            All recorded ones, or the last alone.
        put
            By role and name of what the run was given, what the host has put since the last call: the same
            names on all ranks, shape ``(member, *extra, cell)``.

        Returns
        -------
        dict
            Tangents of exports and new state; what is absent is zero.

        Raises
        ------
        CallError
            When nothing was run, or the way begins with nothing put.
        NotDifferentiableError
            When the component has no tangent.
        """
        way = self._entered(What.TANGENT, runs, put)
        run = runs[way.done]
        moving = {key: value for key, value in way.moving.items() if key not in run.put}
        for key, value in put.items():
            carried = moving.get(key) if key[0] == "state" else None
            moving[key] = value if carried is None else carried + value
        came = step_tangent(run.taken, _batched(moving), self.comm) if moving else {}
        found = {key: value[0] for key, value in came.items()}
        held = {key: value for key, value in moving.items() if key[0] != "state"}
        way.moving = held | {key: value for key, value in found.items() if key[0] == "state"}
        way.done += 1
        return found

    def adjoint(self, runs: Sequence[Run], put: Mapping[Key, Tensor]) -> Named:
        """Go back through the run before; collective.

        Parameters
        ----------
        runs
            All recorded ones, or the last alone.
        put
            By role and name of exports and new state, what the host has put since the last call: the same
            names on all ranks, shape ``(member, *extra, cell)``.

        Returns
        -------
        dict
            Adjoints of the state, imports and parameters that the run was given; what is absent is zero. Of
            what was put before an earlier run: what has come together so far.

        Raises
        ------
        CallError
            When nothing was run, or the way begins with nothing put.
        NotDifferentiableError
            When the component has no adjoint.
        """
        way = self._entered(What.ADJOINT, runs, put)
        run = runs[-1 - way.done]
        carried = {key: value for key, value in way.moving.items() if key[0] == "state"}
        asked = carried | {key: carried[key] + v if key in carried else v for key, v in put.items()}
        found = {key: value for key, value in way.moving.items() if key[0] != "state"}
        for key, value in self._back(run, asked).items():
            found[key] = found[key] + value if key in found else value
        way.moving = {key: value for key, value in found.items() if key not in run.put}
        way.done += 1
        return found

    def dot_test(self, runs: Sequence[Run]) -> float:
        """Return ``|<M x, y> - <x, Mᵀ y>| / (‖M x‖ ‖y‖)`` about the last run, x and y random; collective.

        The same bits for any number of ranks. Where nothing depends on anything it is the gap itself.

        Raises
        ------
        CallError
            When nothing was run.
        NotDifferentiableError
            When the component has no tangent or no adjoint.
        """
        self._need(runs)
        run, given = runs[-1], runs[-1].taken.given()
        answered = {("export", name): value for name, value in run.exports.items()}
        answered |= {("state", name): value for name, value in run.state.fields.items()}
        x, y = self._random(given, SEED), self._random(answered, SEED + 1)
        came = step_tangent(run.taken, _batched(x), self.comm) if x else {}
        forward = {key: value[0] for key, value in came.items()}
        gap = abs(self._dot(forward, y) - self._dot(x, self._back(run, y)))
        size = sqrt(self._dot(forward, forward) * self._dot(y, y))
        return gap / size if size else gap

    # ------------------------------------------------------------------ ways
    def _need(self, runs: Sequence[Run]) -> None:
        if not runs:
            what = "there is no run to be differentiated"
            raise CallError(Code.ORDER, what, component=self.participant.name, hint="call run first")
        if not all(run.stands for run in runs):
            what, hint = "its arrays are bound, and may have changed since the run", "call record before run"
            raise CallError(Code.ORDER, what, component=self.participant.name, hint=hint)

    def _entered(self, what: What, runs: Sequence[Run], put: Mapping[Key, Tensor]) -> _Way:
        """Return where a way stands: it begins anew after its end, after other runs, and after turning round.

        Raises
        ------
        CallError
            When it begins, and nothing was put.
        """
        self._need(runs)
        if self._about[0] != len(runs) or self._about[1] is not runs[-1]:
            self._ways.clear()
            self._about = len(runs), runs[-1]
        self._ways.pop(What.ADJOINT if what is What.TANGENT else What.TANGENT, None)
        way = self._ways.get(what)
        if way is None or way.done == len(runs):
            if not put:
                raise self._nothing_put(what, 0 if way is None else way.done)
            way = self._ways[what] = _Way()
        return way

    def _nothing_put(self, what: What, done: int) -> CallError:
        call = what.name.lower()
        through = f"all {done} recorded runs were gone through, and " if done > 1 else ""
        return CallError(
            Code.ORDER, f"{through}nothing was put to begin with", component=self.participant.name,
            hint=f"call put_{call} before {call}",
        )  # fmt: skip

    # ------------------------------------------------------------------ one step
    def _back(self, run: Run, asked: Mapping[Key, Tensor]) -> Named:
        if not asked:
            return {}
        came = step_gradient(run.taken, _batched(asked), self.comm)
        return {key: self._summed(key, value[0]) for key, value in came.items()}

    def _summed(self, key: Key, cotangent: Tensor) -> Tensor:
        """Return the cotangent of what belongs to no place: of all cells, so of all ranks that share them."""
        layouts = self.participant.layouts
        if key[1] in layouts or all(layout.is_serial for layout in layouts.values()):
            return cotangent
        parts = self.comm.allgather_array(cotangent.detach().numpy()[None])
        return torch.from_numpy(np.sum(np.concatenate(parts), axis=0))

    # ------------------------------------------------------------------ vectors
    def _spaces(self, keys: Collection[Key]) -> Iterator[tuple[Key, Space]]:
        """Yield the spaces of fields, in the declared order."""
        p = self.participant
        several = (*p.given, *(("export", v) for v in p.spec.exports))
        for key, variable in (((role, v.name), v) for role, v in several):
            if key in keys:
                yield key, self._space(variable)

    def _space(self, variable: Variable) -> Space:
        layout = self.participant.layouts.get(variable.name)
        extra = tuple(length for _, length in variable.extra)
        return Replicated(prod(extra)) if layout is None else Distributed(layout, extra)

    def _dot(self, a: Mapping[Key, Tensor], b: Mapping[Key, Tensor]) -> float:
        return float(sum(
            space.dot(_flat(a[key]), _flat(b[key])) for key, space in self._spaces(a.keys() & b.keys())
        ))  # fmt: skip

    def _random(self, like: Mapping[Key, Tensor], seed: int) -> Named:
        return {
            key: space.random(seed + number, like[key].shape[:1]).reshape(like[key].shape).to(like[key].dtype)
            for number, (key, space) in enumerate(self._spaces(like.keys()))
        }


def _flat(value: Tensor) -> Tensor:
    return value.reshape(len(value), -1).double().contiguous()


def _batched(fields: Mapping[Key, Tensor]) -> Named:
    return {key: value[None] for key, value in fields.items()}

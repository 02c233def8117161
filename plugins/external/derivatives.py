"""External models with programs for their derivatives: an adjoint, and maybe a tangent.

Such a program runs in a directory like the model's, is given what the step was given, and the derivatives of
that (or of the answer) in one more file, as ``role_variable``. What is zero altogether is not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from torch import Tensor

from tradewind.couplers.coupling.component import Flat, Key, StepCall
from tradewind.couplers.ranks.parallel import agree
from tradewind.plugins.external.component import External, memory_of
from tradewind.plugins.external.files import Place
from tradewind.plugins.external.options import ExternalOptions
from tradewind.plugins.external.runs import ADJOINT, TANGENT, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Wholes: TypeAlias = dict[Key, Array]


def external(options: ExternalOptions) -> External:
    """Return an external model with the derivatives that the options name programs for."""
    if options.adjoint is None:
        return External(options)
    kind = ExternalWithAdjoint if options.tangent is None else ExternalWithBoth
    return kind(options)


class ExternalWithAdjoint(External):
    """A model whose adjoint is a program, too."""

    def vjp(self, call: StepCall, cotangents: Flat) -> dict[Key, Tensor]:
        """Return cotangents of state, imports and parameters; collective, as a step is.

        Parameters
        ----------
        cotangents
            By role and name of exports and new state, shape ``(k, member, *extra, cell)``.

        Raises
        ------
        ModelError
            When the adjoint's program fails.
        """
        given = {key: self._added(key, self._whole(key[1], value)) for key, value in cotangents.items()}
        found = self._derived(ADJOINT, call, given)
        return {key: self._share(key, whole) for key, whole in found.items()}

    def _added(self, key: Key, whole: Array) -> Array:
        """Return a cotangent as it is on all ranks together: what lives nowhere has a part on each."""
        if key[1] in self._layouts or self.comm.size == 1:
            return whole
        return np.asarray(np.sum(self.comm.allgather(whole), axis=0))

    def _share(self, key: Key, whole: Array) -> Tensor:
        """Return this rank's part of a cotangent; of what lives nowhere, the first rank has all."""
        mine = key[1] in self._layouts or self.comm.rank == 0
        return self._own(key[1], whole if mine else np.zeros_like(whole), self._layouts)

    def _derived(self, mode: str, call: StepCall, derivatives: Mapping[Key, Array]) -> Wholes:
        """Return the whole answer, shape ``(k, member, *extra, cell)``; the same on all ranks."""
        roles = {"import": call.imports, "parameter": call.parameters, "state": call.state.fields}
        given, found = self._gathered(roles), {}
        with agree(self.comm, f"running the {mode}"):
            if self.comm.rank == 0:
                found = self._answers(mode, call, given, derivatives)
        return self.comm.bcast(found)

    def _answers(self, mode: str, call: StepCall, given: Wholes, derivatives: Mapping[Key, Array]) -> Wholes:
        into, out = self._derivative_places(mode)
        shape = next(iter(derivatives.values())).shape[:2]
        found = {key: np.zeros((*shape, *place.flat)) for key, place in out.items()}
        tasks: dict[tuple[int, ...], Task] = {}
        for index in np.ndindex(*shape):
            asked = {place: _at(derivatives, key, place, index) for key, place in into.items()}
            if any(value.any() for value in asked.values()):
                tasks[index] = self._derivative_task(mode, call, given, asked, index[1])
        for index, outcome in zip(tasks, self.runner.run_all(list(tasks.values())), strict=True):
            for key, place in out.items():
                found[key][index] = outcome.fields[place]
        return found

    def _derivative_task(
        self, mode: str, call: StepCall, given: Wholes, asked: dict[Place, Array], member: int
    ) -> Task:
        point = {self.places.given[key]: whole[member] for key, whole in given.items()}
        wanted = tuple(self._derivative_places(mode)[1].values())
        return Task(mode, member, call.interval, point | asked, wanted, memory_of(call.state)[member])

    def _derivative_places(self, mode: str) -> tuple[dict[Key, Place], dict[Key, Place]]:
        """Return where a program finds the derivatives that it is given, and where it leaves its own.

        They are in the model's units. By the chain rule, those of what a step is given are scaled as that is
        on its way into the files, and those of its answer as that is on its way back: in the tangent and in
        the adjoint alike, only the program reads what it writes in the other.
        """
        files = self.runner.derivative(mode)
        first, last = (files.given, files.found) if mode == TANGENT else (files.found, files.given)
        into = {key: p.derivative(key[0], first, p.into.factor) for key, p in self.places.given.items()}
        back = {key: p.derivative(key[0], last, p.back.factor) for key, p in self.places.found.items()}
        return (into, back) if mode == TANGENT else (back, into)


class ExternalWithBoth(ExternalWithAdjoint):
    """A model whose adjoint and tangent are programs, too."""

    def jvp(self, call: StepCall, tangents: Flat) -> dict[Key, Tensor]:
        """Return tangents of exports and new state; collective, as a step is.

        Parameters
        ----------
        tangents
            By role and name of state, imports and parameters, shape ``(k, member, *extra, cell)``.

        Raises
        ------
        ModelError
            When the tangent's program fails.
        """
        given = {key: self._whole(key[1], value) for key, value in tangents.items()}
        found = self._derived(TANGENT, call, given)
        return {key: self._own(key[1], whole, self._layouts) for key, whole in found.items()}


def _at(derivatives: Mapping[Key, Array], key: Key, place: Place, index: tuple[int, ...]) -> Array:
    """Return one derivative for one member; what is not named is zero, as are cells that are masked out."""
    if key not in derivatives:
        return np.zeros(place.flat)
    value, grid = np.asarray(derivatives[key][index]), place.variable.grid
    return value if grid is None else np.where(grid.mask, value, 0.0)

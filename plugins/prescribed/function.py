"""A component that is a few lines of the user's own code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval, Key
from tradewind.couplers.coupling.fields import Fields, Kind, Layouts, PerMember, Spec, State, Variable
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import Communicator
from tradewind.errors import DataError, PluginError, SpecError
from tradewind.plugins.prescribed.constant import declared, spread
from tradewind.plugins.prescribed.draws import Random, of_bytes, seeded, to_bytes
from tradewind.plugins.prescribed.grids import make_grid
from tradewind.plugins.prescribed.options import FunctionOptions, ParameterOptions, PortOptions
from tradewind.plugins.prescribed.user_code import Function

GIVEN = ("imports", "state", "parameters", "interval", "cells", "random")
"""What a function may ask for, by the names of its arguments."""
RANDOM = "random"
"""The argument, and the key of the streams among the extras of a state."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Where a function computes.

    Attributes
    ----------
    lat, lon
        Centres of this rank's cells, degrees, shape ``(cell,)``.
    members
        Length of the first axis of every field.
    """

    lat: Tensor
    lon: Tensor
    members: int


class FunctionComponent:
    """Calls a function of the user's for every step, with torch tensors, and checks what it returns.

    It returns a mapping of exports, or, where the config declares state variables, two: exports and the
    new state. All are float64, of shape ``(member, *extra, cell)``. torch differentiates it.

    Parameters
    ----------
    options
        File, function, and what it takes and gives.
    """

    def __init__(self, options: FunctionOptions) -> None:
        self.options = options
        self.function = Function(options.file, options.function, GIVEN)
        self._layout: Layout | None = None
        self._lat = self._lon = torch.zeros(0, dtype=torch.float64)

    def share(self, comm: Communicator) -> None:
        """Read the file on rank 0, for all; collective.

        Raises
        ------
        PluginError
            When it cannot be read.
        """
        self.function.share(comm)

    @cached_property
    def grid(self) -> Grid:
        """Where all fields live."""
        return make_grid(self.options.grid)

    def inputs(self) -> Iterator[Path]:
        """Yield the Python file, and the grid's."""
        return (path for path in (self.options.file, self.options.grid.file) if path is not None)

    # ------------------------------------------------------------------ as a component
    def describe(self) -> Spec:
        """Return the spec; looks at the Python file, and runs nothing of it.

        Raises
        ------
        PluginError
            When it cannot be read, or has no such function.
        """
        self.function.check()
        said = self.options
        if said.linear and self.function.asks_for(RANDOM):
            raise self._error("draws random numbers", "then it is not `linear`")
        return Spec(
            imports=self._ports(said.imports),
            exports=self._ports(said.exports),
            state=self._ports(said.state),
            parameters=tuple(self._parameter(name, p) for name, p in said.parameters.items()),
            differentiable=said.differentiable,
            linear=said.linear,
        )

    def _ports(self, said: Mapping[str, PortOptions]) -> tuple[Variable, ...]:
        return tuple(declared(name, port, self.grid, port.levels) for name, port in said.items())

    def _parameter(self, name: str, said: ParameterOptions) -> Variable:
        grid = self.grid if said.per == "cell" else None
        return Variable(name, said.units, grid, Kind.STATE_INTENSIVE)

    def defaults(self, layouts: Layouts) -> Fields:
        """Return the parameters of the config, shape ``(1,)`` or ``(1, cell)``."""
        return {
            name: spread(p.value, layouts[name].n_local)[None]
            if p.per == "cell"
            else torch.tensor([p.value], dtype=torch.float64)
            for name, p in self.options.parameters.items()
        }

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return the initial state of the config, and where the stream of random numbers begins."""
        self._settle(layouts[next(iter(self.options.exports))])
        fields = {name: self._initial(name, members) for name in self.options.state}
        streams = seeded(self.options.seed, members)
        if self.function.may_ask_for(RANDOM) or not (spec.state or spec.imports or spec.parameters):
            return State(fields, {RANDOM: streams})  # they also tell how many members there are
        return State(fields)

    def _initial(self, name: str, members: int) -> Tensor:
        said = self.options.state[name]
        whole = spread(said.initial, self._owned.n_local)
        if said.count is not None and whole.ndim == 1:
            whole = whole.expand(said.count, -1)
        return whole.expand(members, *whole.shape).clone()

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Call the function.

        Raises
        ------
        PluginError
            What it raises, with file, function and line; and when it returns something else than declared.
        """
        given = {("state", k): v for k, v in state.fields.items()}
        given |= {("import", k): v for k, v in imports.items()}
        given |= {("parameter", k): v for k, v in parameters.items()}
        streams = state.extras.get(RANDOM, PerMember())
        members = next((len(v) for v in given.values()), len(streams))
        random = Random(streams, self._owned) if streams else None
        before = {key: value._version for key, value in given.items()}
        fields = {"imports": dict(imports), "state": dict(state.fields), "parameters": dict(parameters)}
        cells = Cells(self._lat, self._lon, members)
        answer = self.function({**fields, "interval": interval, "cells": cells, "random": random})
        self._refuse_changes(given, before)
        exports, new = self._checked(answer, members)
        return exports, State(new, {} if random is None else {RANDOM: random.streams})

    def _settle(self, layout: Layout) -> None:
        """Learn which cells are this rank's."""
        whole = (torch.from_numpy(x.reshape(-1).copy()) for x in (self.grid.lat, self.grid.lon))
        self._layout = layout
        self._lat, self._lon = (layout.scatter(x) for x in whole)

    @property
    def _owned(self) -> Layout:
        if self._layout is None:
            raise SpecError("was not initialized", where=self.function.where)
        return self._layout

    # ------------------------------------------------------------------ what it returned
    def _refuse_changes(self, given: Mapping[Key, Tensor], before: Mapping[Key, int]) -> None:
        for (role, name), value in given.items():
            if value._version != before[role, name]:
                hint = "write x = x + 1 in place of x += 1"
                raise self._error(f"changes {role} {name!r} in place", hint)

    def _checked(self, answer: Any, members: int) -> tuple[Fields, Fields]:
        exports, fields = self._parted(answer)
        self._refuse_other("export", exports, self.options.exports, members)
        self._refuse_other("state", fields, self.options.state, members)
        return exports, fields

    def _parted(self, answer: Any) -> tuple[Fields, Fields]:
        parts = answer if self.options.state else (answer, {})
        if not isinstance(parts, tuple) or len(parts) != 2 or not all(isinstance(p, Mapping) for p in parts):
            wanted = "two mappings, exports and state" if self.options.state else "a mapping of exports"
            raise self._error(f"returned {_told(answer)}", f"return {wanted}")
        return dict(parts[0]), dict(parts[1])

    def _refuse_other(
        self, role: str, found: Fields, wanted: Mapping[str, PortOptions], members: int
    ) -> None:
        missing, more = wanted.keys() - found.keys(), found.keys() - wanted.keys()
        if missing:
            raise self._error(f"returned no {role} {min(missing)!r}", f"it returned {sorted(found)}")
        if more:
            raise self._error(f"returned {role} {min(more)!r}", f"declared are {sorted(wanted)}")
        for name, said in wanted.items():
            extra = () if said.count is None else (said.count,)
            self._refuse_shape(f"{role} {name!r}", found[name], (members, *extra, self._owned.n_local))

    def _refuse_shape(self, what: str, value: Any, shape: tuple[int, ...]) -> None:
        hint = f"declared is a float64 tensor of shape {shape}"
        if not isinstance(value, Tensor) or value.dtype != torch.float64 or tuple(value.shape) != shape:
            raise self._error(f"returned {what} as {_told(value)}", hint)

    def _error(self, what: str, hint: str) -> PluginError:
        return PluginError(what, where=self.function.where, hint=hint)

    # ------------------------------------------------------------------ restart files
    def save_state(self, state: State) -> Mapping[str, bytes]:
        """Return where the random numbers stand; see `tradewind.couplers.coupling.component.OwnMemory`."""
        return {RANDOM: to_bytes(state.extras[RANDOM])} if RANDOM in state.extras else {}

    def load_state(self, fields: Fields, saved: Mapping[str, bytes]) -> State:
        """Return a state whose random numbers go on where they stood.

        Raises
        ------
        DataError
            When `saved` does not say where.
        """
        if RANDOM not in saved and self.function.asks_for(RANDOM):
            raise DataError("holds no streams of random numbers", where="restart file")
        return State(fields, {name: of_bytes(content) for name, content in saved.items()})

    def finalize(self) -> None:
        """Nothing is held."""


def _told(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a {str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return f"a {type(value).__name__}"

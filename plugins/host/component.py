"""A host model as a component: what it puts is exported; or it answers by a step that it has registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Flat, Interval, StepCall
from tradewind.couplers.coupling.fields import Fields, Kind, Layouts, Spec, State, Variable
from tradewind.couplers.grids import Grid
from tradewind.plugins.host.options import HostOptions, Precision
from tradewind.plugins.prescribed.constant import declared, spread
from tradewind.plugins.prescribed.grids import make_grid
from tradewind.plugins.prescribed.options import ParameterOptions, PortOptions

Stepping: TypeAlias = Callable[[State, Fields, Fields, Interval], tuple[Fields, State]]
Derivative: TypeAlias = Callable[[StepCall, Flat], Flat]
DTYPES = {Precision.SINGLE: torch.float32, Precision.DOUBLE: torch.float64}


class Host:
    """Exports what the host puts; imports are there for the host to get; the state stays as it was put.

    What is put is a parameter of the name of the export, so it holds until something else is put, and
    derivatives by it are known.

    Parameters
    ----------
    options
        What the host puts and gets.
    """

    def __init__(self, options: HostOptions) -> None:
        self.options = options
        self._lent: Grid | None = None

    # ------------------------------------------------------------------ where it lives
    @cached_property
    def _own(self) -> Grid | None:
        return None if self.options.grid is None else make_grid(self.options.grid)

    @property
    def grid(self) -> Grid | None:
        """The grid of the config, or the one that the host has told; None before."""
        return self._lent or self._own

    @property
    def gridless(self) -> bool:
        """Whether there is no grid yet."""
        return self.grid is None

    def adopt(self, grid: Grid) -> None:
        """Take the grid that the host has told."""
        self._lent = grid

    def inputs(self) -> Iterator[Path]:
        """Yield the grid's file, where it is that of one."""
        file = None if self.options.grid is None else self.options.grid.file
        return (path for path in (file,) if path is not None)

    # ------------------------------------------------------------------ as a component
    def describe(self) -> Spec:
        """Return the spec; without places before there is a grid.

        Raises
        ------
        DataError, GridError
            When the grid of the config cannot be made.
        """
        said = self.options
        exports = self._ports(said.exports)
        return Spec(
            imports=self._ports(said.imports),
            exports=exports,
            state=self._ports(said.state),
            parameters=(*exports, *self._parameters()),
            # with these at zero, what was put is still exported
            linear=not (said.imports or said.state),
        )

    def _ports(self, said: Mapping[str, PortOptions]) -> tuple[Variable, ...]:
        return tuple(declared(name, port, self.grid, port.levels) for name, port in said.items())

    def _parameters(self) -> tuple[Variable, ...]:
        return tuple(self._parameter(name, said) for name, said in self.options.parameters.items())

    def _parameter(self, name: str, said: ParameterOptions) -> Variable:
        grid = self.grid if said.per == "cell" else None
        return Variable(name, said.units, grid, Kind.STATE_INTENSIVE)

    @property
    def dtypes(self) -> Mapping[str, torch.dtype]:
        """The kind of numbers of every field."""
        said = self.options
        names = (*said.imports, *said.exports, *said.state, *said.parameters)
        return dict.fromkeys(names, DTYPES[said.precision])

    def defaults(self, layouts: Layouts) -> Fields:
        """Return the parameters of the config, shape ``(1,)`` or ``(1, cell)``; exports have none."""
        return {name: self._default(name, p, layouts) for name, p in self.options.parameters.items()}

    def _default(self, name: str, said: ParameterOptions, layouts: Layouts) -> Tensor:
        dtype = self.dtypes[name]
        if said.per == "run":
            return torch.tensor([said.value], dtype=dtype)
        cells = layouts[name].n_local if name in layouts else 0
        return spread(said.value, cells)[None].to(dtype)

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return the initial state of the config."""
        return State({v.name: self._initial(v.name, layouts[v.name].n_local, members) for v in spec.state})

    def _initial(self, name: str, cells: int, members: int) -> Tensor:
        said = self.options.state[name]
        whole = spread(said.initial, cells)
        if said.count is not None and whole.ndim == 1:
            whole = whole.expand(said.count, -1)
        return whole.expand(members, *whole.shape).to(self.dtypes[name]).clone()

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Export what was put."""
        return {name: parameters[name] for name in self.options.exports}, state

    def finalize(self) -> None:
        """Nothing is held."""


class Enlisted(Host):
    """A host model that answers by steps of its own.

    Parameters
    ----------
    host
        As the config has described it.
    stepping
        Advances it: state, imports, parameters and interval become exports and the new state.
    jvp, vjp
        Its derivatives, see `tradewind.couplers.coupling.component`; None where it has none.
    """

    def __init__(
        self, host: Host, stepping: Stepping, jvp: Derivative | None = None, vjp: Derivative | None = None
    ) -> None:
        super().__init__(host.options)
        self._lent, self._stepping = host.grid, stepping
        # only a component that has these attributes is asked for derivatives of its own
        for name, derivative in (("jvp", jvp), ("vjp", vjp)):
            if derivative is not None:
                setattr(self, name, derivative)

    def describe(self) -> Spec:
        """Return the spec: exports are answers, no parameters."""
        said = self.options
        both = hasattr(self, "jvp") and hasattr(self, "vjp")
        return Spec(
            imports=self._ports(said.imports),
            exports=self._ports(said.exports),
            state=self._ports(said.state),
            parameters=self._parameters(),
            differentiable=both,
            linear=said.linear,
        )

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Let the host step."""
        return self._stepping(state, imports, parameters, interval)

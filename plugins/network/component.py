"""A column network as a component: exports are what it makes of the imports, in every column by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Fields, Layouts, Spec, State
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.parallel import Communicator
from tradewind.plugins.network.columns import Columns, dtype_of, variable_of
from tradewind.plugins.network.options import NetworkOptions, Outside
from tradewind.plugins.prescribed.grids import make_grid
from tradewind.surrogates.columns.domain import refuse_outside

if TYPE_CHECKING:
    from tradewind.couplers.coupling.time.clock import Clock

HINT = "train it for these, or say `outside: answer`"


class NetworkComponent:
    """Component ``network``: a surrogate by itself, with no model behind it.

    It computes in the precision of its file; its exports are of single precision where all imports are.

    Parameters
    ----------
    options
        The file, and where the columns lie.
    """

    def __init__(self, options: NetworkOptions) -> None:
        self.options = options
        self.columns = Columns(options.checkpoint, options.precision)
        self._adopted: Grid | None = None

    # ------------------------------------------------------------------ what it is
    @cached_property
    def _given(self) -> Grid | None:
        return None if self.options.grid is None else make_grid(self.options.grid)

    @property
    def grid(self) -> Grid | None:
        """Where its columns lie: as its settings say, else as a host has told; None: it has one column."""
        return self._given if self._adopted is None else self._adopted

    @property
    def gridless(self) -> bool:
        """Whether a host must tell where the columns lie."""
        return self.grid is None

    def adopt(self, grid: Grid) -> None:
        """Take the grid of a host."""
        self._adopted = grid

    @property
    def dtypes(self) -> Mapping[str, torch.dtype]:
        """Types of the fields that a host puts and gets."""
        header = self.columns.header
        return {f.name: self.columns.dtype for f in (*header.inputs, *header.outputs)}

    def inputs(self) -> Iterator[Path]:
        """Yield the files that it reads."""
        yield self.options.checkpoint
        if self.options.grid is not None and self.options.grid.file is not None:
            yield self.options.grid.file

    def describe(self) -> Spec:
        """Return the spec: the fields of the file.

        Raises
        ------
        CheckpointError
            When the file cannot be used.
        """
        header = self.columns.header
        imports = tuple(variable_of(f, self.grid) for f in header.inputs)
        return Spec(imports=imports, exports=tuple(variable_of(f, self.grid) for f in header.outputs))

    def verify(self, clock: Clock) -> None:
        """Read the weights.

        Raises
        ------
        CheckpointError
            When they are damaged.
        """
        _ = self.columns.evaluator

    def share(self, comm: Communicator) -> None:
        """Learn whether there are other ranks."""
        if comm.size == 1:
            self.columns.alone()

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return an empty state."""
        return State()

    # ------------------------------------------------------------------ answers
    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Ask the network.

        Raises
        ------
        DomainError
            When a column lies outside its domain, unless the settings say that it answers there too.
        """
        columns = self.columns
        answer = columns.at_once(imports) if self.grid is not None else None
        if answer is not None:
            return answer, state
        values = [imports[f.name] for f in columns.header.inputs]
        shape = (len(values[0]), *(values[0].shape[-1:] if self.grid is not None else ()))
        x = columns.features(values, (shape[0], shape[-1] if len(shape) > 1 else 1))
        if self.options.outside is Outside.REFUSE:
            refuse_outside(columns.domain, x, str(self.options.checkpoint), HINT)
        return columns.fields(columns.evaluator(x), shape, dtype_of(imports)), state

    def finalize(self) -> None:
        """Nothing is held."""

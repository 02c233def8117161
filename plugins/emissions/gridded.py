"""An inventory on a grid of its own, constant in time: exports what its file, or a control, says."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Fields, Kind, Layouts, Spec, State, Variable
from tradewind.couplers.grids import Grid
from tradewind.errors import DataError
from tradewind.plugins.emissions.options import GriddedOptions

if TYPE_CHECKING:
    import xarray as xr


class GriddedEmissions:
    """Exports the flux that is its one parameter, so that a control can set it.

    Parameters
    ----------
    options
        File and variable.
    """

    def __init__(self, options: GriddedOptions) -> None:
        self.options = options

    @cached_property
    def _field(self) -> xr.DataArray:
        import xarray as xr

        path, name = self.options.file, self.options.variable
        if not path.is_file():
            raise DataError("inventory file not found", where=str(path))
        with xr.open_dataset(path) as ds:
            if name not in ds:
                known = ", ".join(map(str, ds.data_vars))
                raise DataError(f"no variable {name!r}", where=str(path), hint=f"it holds {known}")
            return ds[name].load()

    @cached_property
    def grid(self) -> Grid:
        """The inventory's grid."""
        return Grid.from_dataset(self._field.to_dataset())

    def describe(self) -> Spec:
        """Return the spec: one export, equal to one parameter."""
        units = str(self._field.attrs.get("units", ""))
        variable = Variable(self.options.variable, units, self.grid, Kind.FLUX_INTENSIVE)
        return Spec(exports=(variable,), parameters=(variable,), linear=True)

    def defaults(self, layouts: Layouts) -> Fields:
        """Return the parameters of the file, shape ``(1, cell)``.

        Raises
        ------
        DataError
            When the file holds NaN or infinite fluxes.
        """
        values = np.asarray(self._field.values, dtype=np.float64).ravel()
        missing = int((~np.isfinite(values)).sum())
        if missing:
            raise DataError(
                f"{self.options.variable} holds {missing} missing or infinite values",
                where=str(self.options.file), hint="write 0 where nothing is emitted",
            )  # fmt: skip
        whole = torch.from_numpy(values.copy())
        return {self.options.variable: layouts[self.options.variable].scatter(whole)[None]}

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return an empty state."""
        return State()

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Export the parameter."""
        flux: Tensor = parameters[self.options.variable]
        return {self.options.variable: flux}, state

    def finalize(self) -> None:
        """Nothing is held."""

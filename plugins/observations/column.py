"""Column averages, as a satellite retrieves them or a spectrometer on the ground."""

from __future__ import annotations

from tradewind.couplers.coupling.units import conversion
from tradewind.couplers.ranks.layout import Layout
from tradewind.plugins.observations.options import ColumnOptions
from tradewind.plugins.observations.sampled import Sampled

PPB = "1e-9"


class ColumnOperator(Sampled):
    """Operator ``column``: dry-air column averages at the end of a window.

    The observed export is a column average already, by default in ppb (1e-9), so H samples it. Averaging
    kernels and a priori profiles of a retrieval are not applied: they need the export by layer, and come
    with an operator of their own.

    Raises
    ------
    UnitsError
        When the export is no mole fraction.
    """

    def __init__(self, options: ColumnOptions, layout: Layout, units: str = PPB) -> None:
        conversion(units, PPB)
        super().__init__(options, layout, units)

"""The ledger of a forward run as CF variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from tradewind.budget import Budget, Counted
from tradewind.output.netcdf.coordinates import Variables, periods, variable

if TYPE_CHECKING:
    from tradewind.couplers.coupling.component import Interval

PARTS = {
    "left": "what left the source",
    "arrived": "what arrived at the target",
    "unmapped": "of what left, the part from where the target's grid does not reach",
    "withheld": "of what was regridded, the part that fractions of the target's cells kept back",
}
SUMMED = {
    Counted.FLUX: "rate: mean over the period",
    Counted.AMOUNT: "amount of the period",
    Counted.STATE: "mean over the period",
}


def ledger_variables(budgets: Sequence[Budget]) -> tuple[Variables, Variables]:
    """Return data and coordinates of the ledger, by period and exchange; NaN where one has no such period.

    Exchanges may have periods of their own: all that occur are listed, in the order of their ends, and of
    those that end together the longest last.
    """
    listed = sorted({e.interval for b in budgets for e in b.entries}, key=lambda i: (i.stop, i.seconds))
    data = dict(_figures(budgets, listed))
    coords = _exchanges(budgets) | periods("period_time", "period", listed, "end of the exchange's period")
    for figure in data.values():
        figure.encoding["coordinates"] = "period_time exchange_name"
    return data, coords


def _figures(budgets: Sequence[Budget], listed: Sequence[Interval]) -> Iterator[tuple[str, xr.Variable]]:
    row = {interval: number for number, interval in enumerate(listed)}
    units = {_units(budget) for budget in budgets}
    shared = units.pop() if len(units) == 1 else ""
    comment = "" if shared else "in the units that exchange_units names"
    for part, meaning in (PARTS | {"residual": "relative difference between what left and the rest"}).items():
        values = np.full((len(listed), len(budgets)), np.nan)
        for column, budget in enumerate(budgets):
            for entry in budget.entries:
                values[row[entry.interval], column] = getattr(entry, part)
        told = ("1", "") if part == "residual" else (shared, comment)
        yield f"ledger_{part}", variable(("period", "exchange"), values, told[0], meaning, told[1])


def _units(budget: Budget) -> str:
    return " ".join(p for p in (budget.units, "sr" * budget.per_area) if p)


def _exchanges(budgets: Sequence[Budget]) -> Variables:
    texts = {
        "exchange_name": ([b.exchange for b in budgets], "exchange"),
        "exchange_units": ([_units(b) for b in budgets], "units of the exchange's ledger"),
        "exchange_entries": ([SUMMED[b.counted] for b in budgets], "what an entry of the ledger is"),
    }
    return {
        name: variable("exchange", np.array(values, dtype=object), "", meaning)
        for name, (values, meaning) in texts.items()
    }

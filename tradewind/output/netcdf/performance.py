"""Who answered how many model calls: a dataset beside the results, as it varies from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from tradewind.output.netcdf.coordinates import Variables, variable

if TYPE_CHECKING:
    from tradewind.results import CallRecord

if TYPE_CHECKING:
    pass


def performance_dataset(name: str, records: Sequence[CallRecord]) -> xr.Dataset:
    """Return which plugin answered how many calls of the run `name`, and how long that took."""
    texts = {n: [getattr(r, n) for r in records] for n in ("component", "plugin", "what", "note")}
    data: Variables = {n: variable("record", np.array(v, dtype=object), "", n, "") for n, v in texts.items()}
    counts = {"calls": "answered calls, over all ranks", "columns": "Jacobian columns or members answered"}
    for count, meaning in counts.items():
        values = np.array([getattr(r, count) for r in records], dtype=np.int64)
        data[count] = variable("record", values, "1", meaning, "")
    took = np.array([r.seconds for r in records], dtype=np.float64)
    data["seconds"] = variable("record", took, "s", "wall-clock time, summed over ranks", "")
    return xr.Dataset(data, attrs={"title": f"Model calls of {name}: varies from run to run"})

"""Tables of which nodes make a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Index: TypeAlias = NDArray[np.int64]


def counted_from_zero(table: xr.DataArray, start: int, spared: tuple[int, ...] = ()) -> Index:
    """Return node indices from 0, and -1 where there is none, decoded by xarray or not.

    Parameters
    ----------
    start
        What the first node is called, where the attribute ``start_index`` does not say.
    spared
        Codes to be kept as they are.
    """
    values, about = np.asarray(table.values), {**table.encoding, **table.attrs}
    first = int(about.get("start_index", start))
    absent = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)
    for name in ("_FillValue", "missing_value"):
        if name in about and not np.isnan(about[name]):
            absent |= values == about[name]
    index = np.where(absent, first - 1, values).astype(np.int64)
    kept = np.isin(index, spared) & ~absent
    return np.where(kept, index, np.maximum(index - first, -1))

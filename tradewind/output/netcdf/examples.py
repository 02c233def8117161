"""A plume, a footprint, and what was dropped, as CF variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.coupling.fields import Variable
from tradewind.output.fit import array
from tradewind.output.netcdf.coordinates import Variables, variable

if TYPE_CHECKING:
    import xarray as xr

    from tradewind.couplers.coupling.component import Interval
    from tradewind.findings.dropped import Dropped
    from tradewind.findings.plumes import Footprint, Plume
    from tradewind.output.fit import Comparison
    from tradewind.output.netcdf.placing import Placing
    from tradewind.results import InversionResult

    Named: TypeAlias = Iterator[tuple[str, xr.Variable]]


def example_variables(
    result: InversionResult, comparison: Comparison, placing: Placing, units: str
) -> Variables:
    """Return the plume of one element, and the footprint of one observation.

    Parameters
    ----------
    units
        Of the observations.
    """
    out: Variables = {}
    found = result.examples
    if found is not None and found.plume is not None:
        out |= _plume(found.plume, result.windows, comparison, placing, units)
    if found is not None and found.footprint is not None:
        out |= _footprint(found.footprint, result.windows, comparison, units)
    return out


def _plume(
    plume: Plume, windows: Sequence[Interval], comparison: Comparison, placing: Placing, units: str
) -> Variables:
    where = comparison.window == windows.index(plume.window)
    seen = np.full(len(comparison), np.nan)
    seen[where] = array(plume.seen)
    comment = "column of the Jacobian; the other windows' observations are missing"
    long = "change of the observations for plume_element raised by one"
    out = {
        "plume_seen": variable("observation", seen, units, long, comment),
        "plume_element": _index(plume.element, "index along element of the plume"),
        "plume_window": _index(windows.index(plume.window), "index along window of the plume"),
    }
    if plume.field is None or plume.grid is None:
        return out
    declared = Variable("plume", units, plume.grid)
    long = f"change of {plume.port} at the end of plume_window for plume_element raised by one"
    return out | {"plume": placing.field(plume.port, declared, array(plume.field), long_name=long)}


def _footprint(
    footprint: Footprint, windows: Sequence[Interval], comparison: Comparison, units: str
) -> Variables:
    number = position(footprint, windows, comparison)
    long = "change of footprint_observation for each element raised by one"
    comment = "row of the Jacobian; its map: take element_of_cell as index"
    return {
        "footprint": variable("element", array(footprint.row), units, long, comment),
        "footprint_observation": _index(number, "index along observation of the footprint"),
    }


def position(footprint: Footprint, windows: Sequence[Interval], comparison: Comparison) -> int:
    """Return the position of a footprint's observation among those of all windows."""
    own = np.flatnonzero(comparison.window == windows.index(footprint.window))
    return int(own[footprint.observation])


def _index(number: int, long: str) -> xr.Variable:
    return variable((), np.int32(number), "", long)


def dropped_variables(found: Sequence[Dropped]) -> Variables:
    """Return what was dropped by stream and reason along ``dropping``; nothing where nothing was."""
    return dict(_dropped(found)) if found else {}


def _dropped(found: Sequence[Dropped]) -> Named:
    texts = {"stream": "stream of what was dropped", "reason": "why it was dropped"}
    for name, long in texts.items():
        words = np.array([getattr(one, name) for one in found], dtype=object)
        yield f"dropped_{name}", variable("dropping", words, "", long)
    counts = np.array([one.count for one in found], dtype=np.int64)
    yield "dropped_count", variable("dropping", counts, "1", "how many were dropped")

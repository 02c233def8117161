"""Single analyses by DAPPER, as cases for the filters here; and the filters of its Lorenz-96 twin.

Numbers: ``reference/dapper_l96.nc`` of the shared folder, made with DAPPER 1.7.1 (MIT).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tradewind.bench.assimilation.pdaf import Case
from tradewind.couplers.assimilation import Ensemble, Filter, Observations
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout

POINTS = 40
REACH = 3.64
"""Where DAPPER's taper reaches 0, in units of its ``loc_rad``."""
LEAST = 1e-3
"""DAPPER uses no observation with a smaller taper."""
DEGREES = 360.0 / POINTS
"""From one point of the ring to the next."""


def ring(comm: object | None = None) -> Layout:
    """Return the points of Lorenz-96, along the equator."""
    return Layout(Grid.points(np.arange(POINTS) * DEGREES, np.zeros(POINTS)), comm)


def localization(loc_rad: float) -> dict[str, Any]:
    """Return the options that amount to DAPPER's ``loc_rad``, in points of the ring."""
    near = {"radius": REACH * loc_rad * DEGREES, "distance": "degrees", "least": LEAST}
    return {"localization": near, "points_per_analysis": 2}


def cases(folder: Path, comm: object | None = None) -> Iterator[Case]:
    """Yield every analysis that is stored: LETKF, and without localisation Sqrt, DEnKF and Serial.

    Members of ``Serial`` are not to be compared, only their mean: DAPPER draws the order of observations.

    Parameters
    ----------
    folder
        ``reference`` of the shared folder.
    """
    import netCDF4

    from tradewind.plugins.filters.local.letkf import LETKF
    from tradewind.plugins.filters.options import LETKFOptions

    layout = ring(comm)
    with netCDF4.Dataset(folder / "dapper_l96.nc") as data:
        for name in ("analysis_LETKF_N7_loc4", "analysis_LETKF_N24_loc6"):
            near = LETKFOptions.model_validate(localization(float(data[name].loc_rad)))
            yield _case(name, data[name], "ens_ana", LETKF(near), layout)
        for name, method in _global().items():
            group = "analysis_global_N24"
            yield _case(f"{group}/{name}", data[group], f"ens_ana_{name}", method, layout)


def _global() -> dict[str, Filter]:
    from tradewind.plugins.filters.denkf import DEnKF
    from tradewind.plugins.filters.serial.eakf import EAKF
    from tradewind.plugins.filters.transform.etkf import ETKF

    return {"Sqrt": ETKF(), "DEnKF": DEnKF(), "Serial": EAKF()}


def _case(name: str, group: Any, after: str, method: Filter, layout: Layout) -> Case:
    observations = seen_everywhere(np.asarray(group["obs"][:], dtype=np.float64), layout)
    given, expected = (_ensemble(group, key, layout) for key in ("ens_for", after))
    return Case(name, given, observations, method, expected)


def seen_everywhere(y: Any, layout: Layout) -> Observations:
    """Return observations of all points with unit errors, from an array ``(40,)``."""
    errors = DiagonalCovariance(torch.ones(POINTS, dtype=torch.float64))
    places = {"longitude": layout.grid.lon, "latitude": layout.grid.lat}
    return Observations(torch.from_numpy(np.asarray(y, dtype=np.float64)), errors, places)


def _ensemble(group: Any, name: str, layout: Layout) -> Ensemble:
    members = torch.from_numpy(np.asarray(group[name][:], dtype=np.float64))
    return Ensemble({"x": layout.scatter(members)}, members, {"x": layout})

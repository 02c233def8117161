"""The analyses of PDAF's own tutorial and tests, as cases for the filters here.

Numbers: ``reference/pdaf`` of the shared folder, from github.com/PDAF/PDAF, commit 96dbaea (LGPL-3.0).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tradewind.couplers.assimilation import Ensemble, Filter, Observations
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout

GROUPS = ("tutorial_offline", "tests_offline_obsB", "tests_online")
MISSING = -999.0
TAPERS = {0: "boxcar", 2: "gaspari-cohn"}
"""What PDAF calls ``locweight``."""


class Case(NamedTuple):
    """One analysis and what PDAF made of it; ensembles hold the field ``state`` on 18 x 36 cells."""

    name: str
    ensemble: Ensemble
    observations: Observations
    filter: Filter
    expected: Ensemble


def cases(folder: Path, comm: object | None = None) -> Iterator[Case]:
    """Yield every analysis that is stored, cells dealt to the ranks of `comm`.

    Parameters
    ----------
    folder
        ``reference/pdaf`` of the shared folder.
    """
    import netCDF4

    layout = _layout(comm)
    with netCDF4.Dataset(folder / "pdaf_18x36.nc") as data:
        sigma = float(data.obs_error_sd)
        for group in GROUPS:
            for name, case in data[group].groups.items():
                before, seen = _inputs(data[group], case, name)
                given, observations = _given(before, seen, sigma, layout)
                expected = _given(_array(case, "ens_ana"), seen, sigma, layout)[0]
                yield Case(f"{group}/{name}", given, observations, _filter(case), expected)


def error(case: Case) -> float:
    """Return the largest difference of members, and of their mean, from PDAF's."""
    found = case.filter.analyse(case.ensemble, case.observations).fields["state"]
    wanted = case.expected.fields["state"]
    return float(max((found - wanted).abs().max(), (found.mean(0) - wanted.mean(0)).abs().max()))


def mean_of(data: Any, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return PDAF's analysed mean of a case, shape ``(648,)``, from the open file."""
    return _array(data[name], "mean_ana").reshape(-1)


def _inputs(group: Any, case: Any, name: str) -> tuple[Any, Any]:
    """Return the forecast ensemble and the observed field; steps of the online cases have their own."""
    if "ens_for" in case.variables:
        return _array(case, "ens_for"), _array(group, f"obs_{name.rpartition('_')[2]}")
    return _array(group, "ens_for"), _array(group, "obs")


def _array(group: Any, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(group[name][:], dtype=np.float64)


def _layout(comm: object | None) -> Layout:
    """Return the 18 x 36 cells; longitude and latitude count columns and rows."""
    y, x = np.meshgrid(np.arange(18.0), np.arange(36.0), indexing="ij")
    return Layout.blocks(Grid.points(x.reshape(-1), y.reshape(-1)), comm, block=64)


def _given(members: Any, seen: Any, sigma: float, layout: Layout) -> tuple[Ensemble, Observations]:
    flat, observed = members.reshape(len(members), -1), seen.reshape(-1)
    at = np.flatnonzero(observed > MISSING)
    coordinates = {"longitude": layout.grid.lon[at], "latitude": layout.grid.lat[at]}
    errors = DiagonalCovariance(torch.full((len(at),), sigma**2, dtype=torch.float64))
    observations = Observations(torch.from_numpy(observed[at]), errors, coordinates)
    fields = {"state": layout.scatter(torch.from_numpy(flat))}
    return Ensemble(fields, torch.from_numpy(flat[:, at].copy()), {"state": layout}), observations


def _filter(case: Any) -> Filter:
    from tradewind.plugins.filters import options
    from tradewind.plugins.filters.local.letkf import LESTKF, LETKF
    from tradewind.plugins.filters.transform.etkf import ESTKF, ETKF

    widened = {"forget": float(case.forget)}
    if case.filter == "ETKF":
        return ETKF(options.ETKFOptions.model_validate({"inflation": widened}))
    if case.filter == "ESTKF":
        return ESTKF(options.ESTKFOptions.model_validate({"inflation": widened}))
    near = {"radius": float(case.cradius), "taper": TAPERS[int(case.locweight)], "distance": "plane"}
    given = {"inflation": widened, "localization": near}
    if case.filter == "LETKF":
        return LETKF(options.LETKFOptions.model_validate(given))
    return LESTKF(options.LESTKFOptions.model_validate(given))

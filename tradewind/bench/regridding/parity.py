"""Native weights against ESMF's, entry by entry, on the grids in ESMF's own files; and those files applied.

Repeated pairs are added up. Entries below 1e-10 are ignored on both sides; of first-order conservative
methods, the overlap as a part of the smaller cell. Indices of nearest sources are compared where one source
is nearest, distances elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from tradewind.bench.regridding.reference import Reference, scheme_of
from tradewind.couplers.regrid.mapfile import WeightMap, read_map
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Method
from tradewind.couplers.regrid.weights import Triplets, generate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.assimilation import Progress

    Pairs: TypeAlias = Mapping[int, float]

SIGNIFICANT = 1e-10
EQUALLY_NEAR = 1e-12


@dataclass(frozen=True)
class Parity:
    """How far the native weights of one case are from ESMF's."""

    method: Method
    weight_error: float
    pattern_mismatches: int

    @property
    def is_second_order(self) -> bool:
        """Whether the weights are of second order, whose limit is wider."""
        return self.method is Method.CONSERVATIVE_2ND


def figures(reference: Reference, progress: Progress) -> dict[str, Any]:
    """Return the keys about parity and about applying ESMF's own weights."""
    files = reference.files
    step = progress("parity with ESMF", len(files))
    found, applied = [], []
    for path in files:
        applied.append(apply_error(path, reference.applied))
        found.append(parity(path))
        step()
    errors = {
        second: [p.weight_error for p in found if p.is_second_order == second] for second in (False, True)
    }
    return {
        "parity_cases": len(found),
        "parity_weight_error_max": max(errors[False], default=None),
        "parity_weight_error_2nd_max": max(errors[True], default=None),
        "parity_pattern_mismatches": sum(p.pattern_mismatches for p in found),
        "apply_error_max": max(applied),
    }


def parity(path: Path) -> Parity:
    """Return the comparison for one weight file."""
    content, scheme = read_map(path), scheme_of(path.stem)
    ours = generate(content.source, content.target, scheme)
    if scheme.method is Method.NEAREST_S2D:
        return Parity(scheme.method, 0.0, _other_neighbours(ours, content, path))
    a, b = (significant(w, content, scheme.method) for w in (ours, content.weights))
    both = a.keys() & b.keys()
    error = max((abs(a[k] - b[k]) for k in both), default=0.0)
    return Parity(scheme.method, error, len(a.keys() ^ b.keys()))


def significant(weights: Triplets, content: WeightMap, method: Method) -> Pairs:
    """Return the entries that count, by row * n_source + column."""
    size = np.abs(weights.value)
    if method is Method.CONSERVATIVE:
        here, there = content.target.polygon_area[weights.row], content.source.polygon_area[weights.col]
        size = size * here / np.minimum(here, there)
    counts = size > SIGNIFICANT
    place = weights.row[counts] * weights.n_source + weights.col[counts]
    return dict(zip(place.tolist(), weights.value[counts].tolist(), strict=True))


def _other_neighbours(ours: Triplets, content: WeightMap, path: Path) -> int:
    """Count rows with another neighbour than ESMF's; with a tie, with one that is not as near."""
    theirs = content.weights
    if not np.array_equal(ours.row, theirs.row):
        return len(set(ours.row.tolist()) ^ set(theirs.row.tolist()))
    tie = _ties(path)[ours.row]
    source, target = content.source.centres, content.target.centres
    near = [np.linalg.norm(source[w.col] - target[w.row], axis=1) for w in (ours, theirs)]
    other = np.where(tie, np.abs(near[0] - near[1]) > EQUALLY_NEAR, ours.col != theirs.col)
    return int(other.sum())


def _ties(path: Path) -> NDArray[np.bool_]:
    from netCDF4 import Dataset

    with Dataset(path) as ds:
        ties: NDArray[np.bool_] = np.asarray(ds["tie_b"][:]) != 0
    return ties


def apply_error(path: Path, applied: Path) -> float:
    """Return how far a file's own weights, applied here, are from what ESMPy returned, over its largest."""
    from netCDF4 import Dataset

    from tradewind.couplers.regrid.quality.standard_fields import vortex

    regridder = Regridder.from_file(path)
    grid = regridder.source.grid
    with Dataset(applied) as ds:
        fields = {
            "dst_random": np.asarray(ds["random_source"][: grid.size]),
            "dst_vortex": vortex(grid.lon, grid.lat),
        }
        expected = {name: np.asarray(ds[path.stem][name][:]) for name in fields}
    errors = []
    for name, field in fields.items():
        ours = regridder.forward(torch.from_numpy(np.array(field, dtype=np.float64))).numpy()
        errors.append(np.abs(ours - expected[name]).max() / np.abs(expected[name]).max())
    return float(max(errors))

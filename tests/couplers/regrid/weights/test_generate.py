"""The door to native weights: what it refuses, and what holds for every scheme behind it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.scheme import Creep, InverseDistance, NearestSource, PoleKind, Poles
from tradewind.couplers.regrid.weights import Method, Norm, Scheme, generate
from tradewind.errors import SpecError

B, S2D = Method.BILINEAR, Method.NEAREST_S2D
SCHEMES = [
    *(Scheme(Method.CONSERVATIVE, norm) for norm in Norm),
    *(Scheme(m) for m in (B, S2D, Method.NEAREST_D2S)),
    *(Scheme(B, poles=Poles(kind, 2)) for kind in PoleKind),
    *(Scheme(B, extrapolation=e) for e in (NearestSource(), InverseDistance(3, 1.5), Creep(2))),
    Scheme(B, poles=Poles(PoleKind.NONE), extrapolation=Creep(3)),
    Scheme(S2D, extrapolation=NearestSource()),
    Scheme(Method.PATCH),
    Scheme(Method.PATCH, poles=Poles(PoleKind.TEETH), extrapolation=Creep(2)),
]
every = pytest.mark.parametrize("scheme", SCHEMES, ids=str)


@every
def test_no_rows_make_no_weights(coarse, finer, scheme):
    made = generate(coarse, finer, scheme, np.array([], dtype=np.int64))
    assert len(made.row) == len(made.col) == len(made.value) == 0
    assert made.n_target == finer.size
    assert not made.frac_target.any()


@every
def test_rows_do_not_depend_on_which_others_are_made(coarse, finer, scheme):
    whole = generate(coarse, finer, scheme)
    for part in np.array_split(np.arange(finer.size), 3):
        made = generate(coarse, finer, scheme, part)
        mine = np.isin(whole.row, part)
        assert np.array_equal(made.row, whole.row[mine])
        assert np.array_equal(made.col, whole.col[mine])
        assert np.array_equal(made.value, whole.value[mine])
        assert np.array_equal(made.frac_target[part], whole.frac_target[part])


@every
def test_entries_come_sorted_and_once(coarse, finer, scheme):
    made = generate(coarse, finer, scheme)
    key = made.row * coarse.size + made.col
    assert (np.diff(key) > 0).all()
    assert made.row.dtype == made.col.dtype == np.int64
    assert made.value.dtype == np.float64


@every
def test_nothing_comes_from_masked_sources_or_goes_to_masked_targets(finer, scheme):
    rng = np.random.default_rng(2)
    lats, lons = np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30)
    source = Grid.latlon(lats, lons, mask=rng.random((6, 12)) > 0.3)
    target = Grid.latlon(
        np.arange(80.0, -90, -20), np.arange(-168.75, 180, 22.5), mask=rng.random((9, 16)) > 0.3
    )
    made = generate(source, target, scheme)
    assert len(made.row) > 0
    assert source.mask[made.col].all()
    assert target.mask[made.row].all()
    assert np.isfinite(made.value).all()


@every
def test_sources_and_targets_without_active_cells(coarse, finer, scheme):
    dark = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=np.zeros((6, 12)))
    for source, target in ((dark, finer), (finer, dark), (dark, dark)):
        made = generate(source, target, scheme)
        assert len(made.row) == 0
        assert not made.frac_target.any()


@every
def test_mapped_rows_are_those_with_entries(coarse, finer, scheme):
    made = generate(coarse, finer, scheme)
    assert np.array_equal(np.flatnonzero(made.frac_target), np.unique(made.row))


@every
def test_the_convention_of_longitudes_does_not_matter(coarse, scheme):
    lats, lons = np.arange(-70.0, 80, 17), np.arange(3.0, 360, 24)
    east, west = (
        Grid.latlon(lats, lons),
        Grid.latlon(
            lats, np.where(lons > 180, lons - 360, lons)[np.argsort(np.where(lons > 180, lons - 360, lons))]
        ),
    )
    order = np.argsort(np.where(lons > 180, lons - 360, lons))
    index = np.arange(east.size).reshape(east.shape)[:, order].ravel()
    plain, turned = np.zeros((2, east.size, coarse.size))
    for out, target in ((plain, east), (turned, west)):
        made = generate(coarse, target, scheme)
        np.add.at(out, (made.row, made.col), made.value)
    assert turned == pytest.approx(plain[index], abs=1e-9)


@pytest.mark.parametrize("method", [Method.CONSERVATIVE, S2D, Method.NEAREST_D2S])
@pytest.mark.parametrize("kind", [PoleKind.ALLAVG, PoleKind.NPNTAVG, PoleKind.TEETH])
def test_poles_mean_nothing_to_other_methods(coarse, method, kind):
    with pytest.raises(SpecError, match=r"does not look beyond the last row.*use bilinear or patch"):
        generate(coarse, coarse, Scheme(method, poles=Poles(kind)))


def test_kernels_are_loaded_with_the_method_that_needs_them():
    code = "import sys, tradewind.couplers.regrid.weights; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

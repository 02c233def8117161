"""Patch weights: where they must be bilinear, what they keep, that they are better, and ESMF's own file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.mapfile import read_map
from tradewind.couplers.regrid.quality.standard_fields import harmonic
from tradewind.couplers.regrid.scheme import PoleKind, Poles
from tradewind.couplers.regrid.weights import Method, Scheme, generate
from tradewind.couplers.regrid.weights.points.patch import _quad_points, _samples, _triangle_points
from tradewind.errors import SpecError

PATCH, BILINEAR = Scheme(Method.PATCH), Scheme(Method.BILINEAR)
FIVE = Grid.latlon(np.arange(-87.5, 90, 5), np.arange(2.5, 360, 5))


def test_a_rectangle_alone_is_bilinear(matrix):
    # its four corners lie in a plane, where the bilinear field is 1, x, y, xy: the fit is exact
    quad = Grid.latlon([-1.0, 1.0], [9.0, 11.0])
    target = Grid.points([10.0, 9.3, 10.9, 11.0], [0.0, 0.7, -0.2, 1.0])
    assert matrix(quad, target, PATCH) == pytest.approx(matrix(quad, target, BILINEAR), abs=1e-11)


def test_outside_and_beside_masked_corners_as_bilinear(matrix, scattered):
    mask = np.random.default_rng(1).random((10, 12)) > 0.2
    grid = Grid.latlon(np.arange(10.0), np.arange(12.0), mask=mask)
    target = Grid.latlon(np.arange(-1.0, 11, 0.7), np.arange(-1.0, 13, 0.7))
    ours, plain = (generate(grid, target, s) for s in (PATCH, BILINEAR))
    assert np.array_equal(ours.frac_target, plain.frac_target)
    assert grid.mask[ours.col].all()


def test_constants_are_kept(matrix, globe, scattered):
    for source in (FIVE, globe):
        assert matrix(source, scattered, PATCH).sum(axis=1) == pytest.approx(np.ones(300), abs=1e-12)


def test_a_patch_reaches_over_the_cells_around(matrix):
    # of a quadrilateral's corners each has four elements around: 4 x 4 centres in all
    got = matrix(FIVE, Grid.points([10.3], [11.1]), PATCH)[0]
    rows, columns = np.nonzero(got.reshape(36, 72))
    assert set(rows.tolist()) == {18, 19, 20, 21}
    assert len(set(columns.tolist())) == 4
    assert (got < 0).any()


def test_short_waves_come_out_closer_than_bilinear(matrix):
    target = Grid.latlon(np.arange(22.0, 70, 4), np.arange(0.0, 90, 5))
    truth = harmonic(target.lon, target.lat)
    field = harmonic(FIVE.lon, FIVE.lat)
    patch, plain = (np.abs(matrix(FIVE, target, s) @ field - truth).mean() for s in (PATCH, BILINEAR))
    # ESMF's figures between two grids of this size: 0.0130 and 0.0164
    assert patch < 0.9 * plain


@settings(max_examples=10)
@given(st.floats(-180, 180), st.floats(-60, 60))
def test_directions_come_out_as_they_went_in(matrix, lon, lat):
    target = Grid.points([lon], [lat])
    got = (matrix(FIVE, target, PATCH) @ FIVE.centres)[0]
    assert np.cross(got, target.centres[0]) == pytest.approx(np.zeros(3), abs=1e-4)


def test_about_the_pole_the_whole_last_row_counts(matrix):
    got = matrix(FIVE, Grid.points([0.0], [90.0]), PATCH)[0].reshape(36, 72)
    assert got[-1].all()
    assert not got[:-1].any()
    assert got.sum() == pytest.approx(1, abs=1e-14)


def test_poles_of_few_points_are_left_to_esmpy():
    with pytest.raises(SpecError, match=r'poles npntavg\(2\) has no native weights.*backend="esmpy"'):
        generate(FIVE, FIVE, Scheme(Method.PATCH, poles=Poles(PoleKind.NPNTAVG, 2)))


def test_blocks_of_points_do_not_show(monkeypatch, matrix, coarse, scattered):
    from tradewind.couplers.regrid.weights.points import patch

    whole = matrix(coarse, scattered, PATCH)
    monkeypatch.setattr(patch, "NUMBERS", 1)
    assert np.array_equal(matrix(coarse, scattered, PATCH), whole)


@pytest.mark.parametrize(
    ("count", "quads", "triangles"), [(1, 9, 12), (2, 9, 6), (3, 4, 3), (4, 4, 3), (9, 4, 3)]
)
def test_there_are_enough_samples_for_all_coefficients(count, quads, triangles):
    assert count * quads >= 9
    assert count * triangles >= 9
    shapes = _samples(count)
    assert shapes[0].any(axis=1).sum() == quads
    assert shapes[1].any(axis=1).sum() == triangles
    assert shapes.sum(axis=2)[shapes.any(axis=2)] == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("order", [2, 3])
def test_points_of_a_square_integrate_as_they_should(order):
    # the mean of u^2 over the unit square is 1/3; equal weights do for two points
    u = _quad_points(order)[:, 0]
    weight = np.full(4, 0.25) if order == 2 else np.outer([5, 8, 5], [5, 8, 5]).ravel() / 324
    assert u**2 @ weight == pytest.approx(1 / 3, abs=1e-14)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_points_of_a_triangle_are_inside_and_even(count):
    points = _triangle_points(count)
    assert (points > 0).all()
    assert points.mean(axis=0) == pytest.approx([1 / 3] * 3, abs=1e-14)


@pytest.mark.shared
def test_the_weights_of_esmfs_own_file(shared):
    content = read_map(shared / "reference" / "esmf_weights" / "a_ll5_to_4x5_patch.nc")
    ours, theirs = generate(content.source, content.target, PATCH), content.weights
    big = np.abs(ours.value) > 1e-10, np.abs(theirs.value) > 1e-10
    assert np.array_equal(ours.row[big[0]], theirs.row[big[1]])
    assert np.array_equal(ours.col[big[0]], theirs.col[big[1]])
    assert np.abs(ours.value[big[0]] - theirs.value[big[1]]).max() <= 1e-10

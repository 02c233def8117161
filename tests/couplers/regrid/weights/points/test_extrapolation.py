"""Extrapolation by the nearest sources: by hand, and where it begins and ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.scheme import Creep, InverseDistance, NearestSource
from tradewind.couplers.regrid.weights import Method, Scheme, generate
from tradewind.errors import SpecError

QUAD = Grid.latlon([-1.0, 1.0], [9.0, 11.0])
PLAIN = Scheme(Method.BILINEAR)


def by(how, method: Method = Method.BILINEAR) -> Scheme:
    return Scheme(method, extrapolation=how)


def chord(degrees: float) -> float:
    return 2 * np.sin(np.deg2rad(degrees) / 2)


def test_outside_the_nearest_source_is_taken(matrix):
    got = matrix(QUAD, Grid.points([15.0, 8.0], [2.0, -0.4]), by(NearestSource()))
    assert got.tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]


def test_inside_nothing_changes(matrix):
    inside = Grid.points([10.2, 9.7], [0.3, -0.9])
    for how in (NearestSource(), InverseDistance()):
        assert np.array_equal(matrix(QUAD, inside, by(how)), matrix(QUAD, inside, PLAIN))


def test_beside_a_masked_corner_the_nearest_active_source_is_taken(matrix):
    masked = Grid.latlon([-1.0, 1.0], [9.0, 11.0], mask=[[1, 1], [1, 0]])
    assert matrix(masked, Grid.points([10.9], [0.8]), by(NearestSource())).tolist() == [[0, 1, 0, 0]]


def test_inverse_distance_by_hand(matrix):
    # along the equator from 0: sites at 1 and 2 degrees on either side of no element
    sites = Grid.latlon([0.0], [1.0, 2.0], lat_bounds=[-1, 1])
    a, b = 1 / chord(1) ** 2, 1 / chord(2) ** 2
    got = matrix(sites, Grid.points([0.0], [0.0]), by(InverseDistance(8, 2.0)))
    assert got == pytest.approx(np.array([[a, b]]) / (a + b), rel=1e-12)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 3.0])
def test_the_exponent_is_the_power_of_distance(matrix, exponent):
    sites = Grid.latlon([0.0], [1.0, 2.0], lat_bounds=[-1, 1])
    got = matrix(sites, Grid.points([0.0], [0.0]), by(InverseDistance(2, exponent)))[0]
    assert got[0] / got[1] == pytest.approx((chord(2) / chord(1)) ** exponent, rel=1e-12)


def test_only_as_many_points_as_asked_for_count(matrix):
    got = matrix(QUAD, Grid.points([20.0], [3.0]), by(InverseDistance(2)))[0]
    assert (got > 0).tolist() == [False, True, False, True]


def test_fewer_sources_than_asked_for_all_count(matrix):
    got = matrix(QUAD, Grid.points([20.0], [3.0]), by(InverseDistance(50)))[0]
    assert (got > 0).all()
    assert got.sum() == pytest.approx(1, abs=1e-15)


def test_one_point_is_the_nearest_source(matrix, scattered):
    one = matrix(QUAD, scattered, by(InverseDistance(1)))
    assert np.array_equal(one, matrix(QUAD, scattered, by(NearestSource())))


def test_at_the_very_place_of_a_source_it_alone_counts(matrix):
    # an active cell beside masked ones only: no element holds it
    lonely = Grid.latlon([-1.0, 1.0], [9.0, 11.0, 13.0], mask=[[1, 0, 1], [0, 1, 0]])
    got = matrix(lonely, Grid.points([9.0], [-1.0]), by(InverseDistance()))[0]
    assert got.tolist() == [1, 0, 0, 0, 0, 0]


def test_several_at_the_very_place_share(matrix):
    lon, lat = np.array([[9.0, 9.0, 14.0]]), np.array([[1.0, 1.0, 1.0]])
    twins = Grid.curvilinear(lon, lat)
    got = matrix(twins, Grid.points([9.0], [1.0]), by(InverseDistance()))[0]
    assert got == pytest.approx([0.5, 0.5, 0], abs=1e-15)


def test_large_powers_do_not_overflow(matrix):
    got = matrix(QUAD, Grid.points([11.0 + 1e-4], [1.0]), by(InverseDistance(4, 80.0)))[0]
    assert got == pytest.approx([0, 0, 0, 1], abs=1e-12)


def test_masked_sources_are_passed_over_and_masked_targets_left_out(matrix):
    masked = Grid.latlon([-1.0, 1.0], [9.0, 11.0], mask=[[1, 1], [1, 0]])
    target = Grid.points([20.0, 20.0], [5.0, 5.0], mask=[1, 0])
    got = matrix(masked, target, by(InverseDistance(4)))
    assert got[0, 3] == 0
    assert got[0].sum() == pytest.approx(1, abs=1e-15)
    assert not got[1].any()


def test_mapped_extrapolated_and_unmapped_can_be_told_apart():
    target = Grid.points([10.0, 20.0, 20.0], [0.0, 0.0, 0.0], mask=[1, 1, 0])
    made = generate(QUAD, target, by(NearestSource()))
    assert made.frac_target.tolist() == [1, 1, 0]
    assert made.extrapolated.tolist() == [False, True, False]
    assert generate(QUAD, target, PLAIN).extrapolated is None


@pytest.mark.parametrize("how", [NearestSource(), InverseDistance(3), Creep(2)])
def test_without_active_sources_nothing_can_be_extrapolated(matrix, coarse, how):
    dark = Grid.latlon([-1.0, 1.0], [9.0, 11.0], mask=np.zeros((2, 2)))
    made = generate(dark, coarse, by(how))
    assert len(made.row) == 0
    assert not made.extrapolated.any()


@pytest.mark.parametrize("how", [NearestSource(), InverseDistance(3), Creep(2)])
def test_nearest_leaves_nothing_to_extrapolate(matrix, coarse, finer, how):
    plain = matrix(coarse, finer, Scheme(Method.NEAREST_S2D))
    assert np.array_equal(matrix(coarse, finer, by(how, Method.NEAREST_S2D)), plain)


def test_nearest_destination_is_not_extrapolated(coarse):
    with pytest.raises(SpecError, match=r"nearest_d2s.*ESMF leaves out too"):
        generate(coarse, coarse, by(NearestSource(), Method.NEAREST_D2S))


@pytest.mark.parametrize("how", [NearestSource(), InverseDistance(5, 1.0), Creep(1), Creep(3)])
def test_rows_do_not_depend_on_which_others_are_made(matrix, box, how):
    target = Grid.latlon(np.arange(20.0, 45, 1.7), np.arange(-115.0, -90, 1.9))
    whole = matrix(box, target, by(how))
    flags = generate(box, target, by(how)).extrapolated
    rng = np.random.default_rng(0)
    for size in (0, 1, 20, 100):
        some = np.sort(rng.choice(target.size, size, replace=False))
        part = generate(box, target, by(how), some)
        assert np.array_equal(matrix(box, target, by(how), some)[some], whole[some])
        assert np.isin(part.row, some).all()
        assert np.array_equal(part.extrapolated[some], flags[some])
        assert not np.delete(part.extrapolated, some).any()


@settings(max_examples=25)
@given(st.integers(0, 999), st.integers(1, 9), st.floats(0.5, 4))
def test_extrapolated_rows_sum_to_one_and_are_never_negative(matrix, seed, points, exponent):
    rng = np.random.default_rng(seed)
    source = Grid.latlon(np.arange(5.0), np.arange(6.0), mask=rng.random((5, 6)) > 0.3)
    if not source.mask.any():
        return
    target = Grid.points(rng.uniform(-3, 9, 15), rng.uniform(-3, 8, 15))
    got = matrix(source, target, by(InverseDistance(points, exponent)))
    assert got.sum(axis=1) == pytest.approx(np.ones(15), abs=1e-14)
    assert (got >= 0).all()
    assert not got[:, ~source.mask].any()

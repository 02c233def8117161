"""The tree of boxes against asking every pair."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid, sphere
from tradewind.couplers.regrid.weights import tree
from tradewind.couplers.regrid.weights.tree import BoxTree, boxes_around, boxes_at

Boxes = tuple[np.ndarray, np.ndarray]


def scattered(seed: int, n: int, size: float) -> Boxes:
    rng = np.random.default_rng(seed)
    middle, half = rng.uniform(-1, 1, (n, 3)), size * rng.random((n, 3))
    return (middle - half).astype(np.float32), (middle + half).astype(np.float32)


def all_that_touch(queries: Boxes, boxes: Boxes) -> list[tuple[int, int]]:
    below = queries[0][:, None] <= boxes[1]
    above = boxes[0] <= queries[1][:, None]
    return [(int(i), int(j)) for i, j in np.argwhere((below & above).all(axis=-1))]


def found(boxes: Boxes, queries: Boxes) -> list[tuple[int, int]]:
    i, j = BoxTree.over(*boxes).pairs(*queries)
    return list(zip(i.tolist(), j.tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 999), st.integers(0, 200), st.integers(0, 60), st.sampled_from([0.01, 0.2, 1.5]))
def test_every_pair_that_touches_is_found_once_and_in_order(seed, n, m, size):
    boxes, queries = scattered(seed, n, size), scattered(seed + 1, m, 0.2)
    assert found(boxes, queries) == all_that_touch(queries, boxes)


@pytest.mark.parametrize("n", [1, 2, 4, 5, 16, 17, 64, 65])
def test_levels_that_are_not_full_lose_nothing(n):
    boxes = scattered(3, n, 0.3)
    assert found(boxes, boxes) == all_that_touch(boxes, boxes)


def test_equal_boxes_are_all_found():
    box = np.zeros((9, 3), dtype=np.float32), np.ones((9, 3), dtype=np.float32)
    assert found(box, (box[0][:1], box[1][:1])) == [(0, j) for j in range(9)]


def test_boxes_that_share_a_face_touch():
    here = np.array([[0, 0, 0]], dtype=np.float32), np.array([[1, 1, 1]], dtype=np.float32)
    beside = np.array([[1, 0, 0]], dtype=np.float32), np.array([[2, 1, 1]], dtype=np.float32)
    assert found(here, beside) == [(0, 0)]


def test_one_huge_box_finds_all_small_ones():
    boxes = scattered(5, 3000, 0.001)
    huge = np.full((1, 3), -2, dtype=np.float32), np.full((1, 3), 2, dtype=np.float32)
    assert found(boxes, huge) == [(0, j) for j in range(3000)]


def test_a_huge_box_among_small_queries_changes_nothing_for_them():
    boxes, small = scattered(6, 500, 0.01), scattered(7, 40, 0.01)
    low, high = small[0].copy(), small[1].copy()
    low[20], high[20] = -2, 2
    expected = [pair for pair in all_that_touch(small, boxes) if pair[0] != 20]
    assert [pair for pair in found(boxes, (low, high)) if pair[0] != 20] == expected


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.integers(1, 50))
def test_what_a_query_finds_does_not_depend_on_the_others(seed, start):
    boxes, queries = scattered(seed, 300, 0.1), scattered(seed + 1, 60, 0.1)
    part = queries[0][start:], queries[1][start:]
    expected = [(i - start, j) for i, j in found(boxes, queries) if i >= start]
    assert found(boxes, part) == expected


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.integers(1, 400))
def test_pieces_join_to_the_whole_and_hold_whole_queries(seed, most):
    boxes, queries = scattered(seed, 200, 0.2), scattered(seed + 1, 50, 0.2)
    pieces = list(BoxTree.over(*boxes).chunks(*queries, most=most))
    whole = BoxTree.over(*boxes).pairs(*queries)
    assert np.array_equal(np.concatenate([p[0] for p in pieces]), whole[0])
    assert np.array_equal(np.concatenate([p[1] for p in pieces]), whole[1])
    assert all(here[0][-1] < there[0][0] for here, there in pairwise(p for p in pieces if len(p[0])))
    assert all(len(i) <= most or len(set(i.tolist())) == 1 for i, _ in pieces)


def test_in_double_precision_no_pair_is_lost_and_only_near_ones_are_added():
    rng = np.random.default_rng(8)
    middle = rng.uniform(-1, 1, (400, 3))
    boxes, queries = (middle - 0.1, middle + 0.1), (middle[::7] + 0.19999999, middle[::7] + 0.3)
    got = set(found(boxes, queries))
    wider = queries[0] - 1e-6, queries[1] + 1e-6
    assert set(all_that_touch(queries, boxes)) <= got <= set(all_that_touch(wider, boxes))


def test_no_boxes_and_no_queries_find_nothing():
    nothing, some = scattered(0, 0, 1.0), scattered(0, 5, 1.0)
    assert found(nothing, some) == found(some, nothing) == found(nothing, nothing) == []


def middles_of_sides(corners: np.ndarray) -> np.ndarray:
    middles = corners + np.roll(corners, -1, axis=1)
    return middles / np.linalg.norm(middles, axis=-1, keepdims=True)


def test_boxes_hold_the_sides_of_their_polygons(coarse):
    low, high = boxes_around(coarse.corners)
    middles = middles_of_sides(coarse.corners)
    assert (middles >= low[:, None]).all()
    assert (middles <= high[:, None]).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9999), st.floats(0.001, 80), st.integers(3, 7))
def test_boxes_hold_every_place_within_their_polygons(seed, size, nv):
    rng = np.random.default_rng(seed)
    corners = _convex_polygon(rng, size, nv)
    part = rng.dirichlet(np.ones(nv), 50) @ corners
    places = part / np.linalg.norm(part, axis=1, keepdims=True)
    low, high = boxes_around(corners[None])
    assert (places >= low).all()
    assert (places <= high).all()


def _convex_polygon(rng, size, nv):
    """Corners on a circle of some degrees about a place anywhere."""
    turn = np.sort(rng.uniform(0, 2 * np.pi, nv))
    r = np.deg2rad(size)
    ring = np.stack([np.sin(r) * np.cos(turn), np.sin(r) * np.sin(turn), np.full(nv, np.cos(r))], axis=-1)
    rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    return ring @ rotation.T


def test_the_box_of_a_small_cell_is_small():
    cell = Grid.latlon([10.0, 10.001], [20.0, 20.001]).corners
    low, high = boxes_around(cell)
    assert (high - low).max() < 2.1e-5


def test_boxes_at_points_hold_them():
    points = sphere.unit_vectors(np.array([0.0, 90.0]), np.array([0.0, 45.0]))
    low, high = boxes_at(points)
    assert ((low < points) & (points < high)).all()


def test_the_curve_visits_the_corners_of_a_cube_in_turn():
    # x runs fastest, then y, then z: one bit of each coordinate
    corners = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], dtype=np.float32)
    shuffled = np.array([5, 0, 7, 2, 4, 1, 6, 3])
    points = corners[shuffled]
    order = BoxTree.over(points, points).nodes.order
    assert np.array_equal(shuffled[order], np.arange(8))


def test_boxes_at_one_place_keep_their_order():
    same = np.zeros((50, 3), dtype=np.float32)
    assert np.array_equal(BoxTree.over(same, same).nodes.order, np.arange(50))


def test_a_box_of_the_tree_holds_the_four_below():
    low, high = scattered(9, 100, 0.2)
    nodes = BoxTree.over(low, high).nodes
    for below, above in zip(nodes.starts[:-2], nodes.starts[1:-1], strict=True):
        group = nodes.boxes[below : min(below + tree.FAN, above)]
        assert np.array_equal(nodes.boxes[above, :3], group[:, :3].min(axis=0))
        assert np.array_equal(nodes.boxes[above, 3:], group[:, 3:].max(axis=0))

"""The covariance of the errors of plumes."""

from __future__ import annotations

import pytest
import torch

from tradewind.errors import DataError, SpecError
from tradewind.surrogates.calibration import Places, error_maps, fit_structure, likeness
from tradewind.surrogates.calibration.structure import INFLATION, LENGTH, POWER, neighbours, plume_shapes
from tradewind.surrogates.checkpoint import ErrorStructure


def structure(root=None, rest=(0.0, 0.0, 0.0), length=5.0, power=1.0) -> ErrorStructure:
    return ErrorStructure(root=root or ((0.0,),) * 12, rest=rest, length=length, power=power)


def only(shape: int, size: float) -> tuple[tuple[float, ...], ...]:
    return tuple((size if k == shape else 0.0,) for k in range(12))


def places(situation, row, column) -> Places:
    return Places(*(torch.tensor(part) for part in (situation, row, column)))


# ---------------------------------------------------------------------- shapes
def test_the_parts_of_a_plume_make_the_plume(displaced):
    f, _ = displaced(2, 0.0)
    shapes = plume_shapes(f)
    assert shapes.shape == (2, 12, 41, 41)
    assert torch.allclose(shapes[:, 0] + shapes[:, 6], f)


def test_every_shape_is_as_large_as_its_part_of_the_plume(displaced):
    f, _ = displaced(2, 0.0)
    sizes = plume_shapes(f).flatten(2).norm(dim=2)
    assert torch.allclose(sizes[:, 1:6], sizes[:, :1].expand(-1, 5), rtol=1e-6)
    assert torch.allclose(sizes[:, 7:], sizes[:, 6:7].expand(-1, 5), rtol=1e-6)


def test_what_moves_or_widens_a_plume_makes_no_mass(displaced):
    f, _ = displaced(3, 0.0)
    masses = plume_shapes(f).sum(dim=(2, 3)).abs()
    moving = [1, 2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert float(masses[:, moving].max()) < 1e-6


def test_a_plume_of_nothing_has_errors_of_nothing():
    assert not plume_shapes(torch.zeros(1, 41, 41, dtype=torch.float64)).any()


def test_variances_by_hand():
    # a tenth of the near part of the plume, and a floor of 0.01: a single cell above its source
    f = torch.zeros(1, 41, 41, dtype=torch.float64)
    f[0, 20, 20] = 0.5
    found = error_maps(f, structure(only(0, 0.1), (1e-4, 0.0, 0.0))).variance
    assert float(found[0, 20, 20]) == pytest.approx(0.05**2 + 1e-4)
    assert float(found[0, 0, 0]) == pytest.approx(1e-4)


def test_the_rest_spreads_beyond_the_plume():
    # f = 1 in one cell: its mean over 5 x 5 cells is 1/25 two cells away, nothing three cells away
    f = torch.zeros(1, 41, 41, dtype=torch.float64)
    f[0, 20, 20] = 1.0
    rest = error_maps(f, structure(rest=(0.0, 0.0, 1.0))).rest[0]
    assert float(rest[20, 22]) == pytest.approx(1 / 625)
    assert float(rest[20, 23]) == 0.0


# ---------------------------------------------------------------------- the fit
def test_displacements_are_recognised(displaced):
    """Of plumes that are moved and nothing else, the shapes must explain nearly all of the error."""
    emulated, reference = displaced(200, 0.3)
    found = fit_structure(emulated, reference)
    maps = error_maps(emulated, found)
    error = (reference - emulated).square().sum()
    assert float(maps.variance.sum() / error) == pytest.approx(INFLATION, rel=0.1)
    assert float(maps.rest.sum()) < 0.1 * float(maps.variance.sum())


def test_the_total_of_a_displaced_plume_is_known(displaced):
    """Independent errors would claim an uncertain mass; displacements make none."""
    emulated, reference = displaced(200, 0.3)
    maps = error_maps(emulated, fit_structure(emulated, reference))
    mass = maps.shapes.sum(dim=(2, 3)).square().sum(1).mean()
    independent = maps.shapes.square().sum(dim=(1, 2, 3)).mean()
    assert float(mass) < 0.15 * float(independent)


def test_twice_the_error_has_four_times_the_variance(displaced):
    emulated, reference = displaced(100, 0.2)
    once = fit_structure(emulated, reference)
    twice = fit_structure(emulated, emulated + 2.0 * (reference - emulated))
    ratio = error_maps(emulated, twice).variance.sum() / error_maps(emulated, once).variance.sum()
    assert float(ratio) == pytest.approx(4.0, rel=1e-6)


def test_without_error_there_is_none(displaced):
    emulated, _ = displaced(50, 0.0)
    assert float(error_maps(emulated, fit_structure(emulated, emulated)).variance.max()) < 1e-12


def test_without_places_the_usual_lengths_are_taken(displaced):
    found = fit_structure(*displaced(50, 0.3))
    assert (found.length, found.power) == (LENGTH, POWER)


def test_no_samples_are_refused():
    nothing = torch.zeros(0, 41, 41)
    with pytest.raises(DataError, match="held-out set is empty"):
        fit_structure(nothing, nothing)


# ---------------------------------------------------------------------- neighbours
def test_likeness_by_hand():
    found = likeness(torch.tensor([0.0, 5.0, 10.0]), structure(length=5.0, power=2.0))
    assert found.tolist() == pytest.approx([1.0, 0.367879, 0.018316], rel=1e-4)


def test_neighbours_by_hand():
    # one cell apart: 3 of (1 + 9) / 2; two cells apart in another situation: opposite
    error = torch.zeros(4, 41 * 41, dtype=torch.float64)
    error[:, 0] = torch.tensor([1.0, 3.0, 2.0, -2.0])
    lags, found = neighbours(error, places([0, 0, 1, 1], [5, 5, 5, 7], [5, 6, 5, 5]))
    assert dict(zip(lags.tolist(), found.tolist(), strict=True)) == pytest.approx({1.0: 0.6, 2.0: -1.0})


def test_a_known_length_is_found():
    """Errors drawn with correlation exp(-(d/4)^1.5) along a row of sources, in many situations."""
    count, situations = 12, 60
    at = torch.arange(count, dtype=torch.float64)
    covariance = torch.exp(-(((at[:, None] - at).abs() / 4.0) ** 1.5))
    root = torch.linalg.cholesky(covariance)
    noise = torch.randn(situations, count, 200, generator=torch.Generator().manual_seed(3)).double()
    error = torch.zeros(situations * count, 41 * 41, dtype=torch.float64)
    error[:, :200] = (root @ noise).reshape(-1, 200)
    row = torch.zeros(situations * count, dtype=torch.int64)
    where = Places(torch.arange(situations).repeat_interleave(count), row, at.long().repeat(situations))
    from tradewind.surrogates.calibration.structure import fit_likeness

    length, power = fit_likeness(error.view(-1, 41, 41), where)
    assert length == pytest.approx(4.0, rel=0.05)
    assert power == pytest.approx(1.5, rel=0.1)


def test_places_of_other_samples_are_refused(displaced):
    emulated, reference = displaced(5, 0.3)
    with pytest.raises(SpecError, match="2 places for 5 samples"):
        fit_structure(emulated, reference, places([0, 0], [1, 2], [1, 2]))


def test_places_that_do_not_fit_together_are_refused():
    with pytest.raises(SpecError, match="places of shapes"):
        places([0], [1, 2], [1, 2])

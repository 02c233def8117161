"""Twins of the emulator's errors: what is drawn, and how it is judged."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.bench.methane import twins
from tradewind.bench.methane.twins import Place, Seen, Twin
from tradewind.surrogates.checkpoint import Calibration, ErrorStructure, Recalibration

SOURCES, EDGE = 64, twins.SIDE + 2 * twins.MARGIN


def plumes(seed: int) -> torch.Tensor:
    """Return a plume to the north-east of each source, of changing width."""
    axis = torch.arange(41.0, dtype=torch.float64) - 20.0
    width = 1.5 + torch.rand(SOURCES, 1, 1, generator=torch.Generator().manual_seed(seed)).double()
    distance = (axis[:, None] - 2.0).square() + (axis[None] - 2.0).square()
    plume = torch.exp(-0.5 * distance / width.square())
    return plume / plume.sum(dim=(1, 2), keepdim=True)


@pytest.fixture
def perfect():
    """Return a place where the emulator is the reference."""
    return Place([Seen.of(plumes(k), plumes(k), None) for k in range(twins.WINDOWS)], None)


def test_maps_about_their_sources_by_hand():
    # a map that holds its own column number: the source in column j lies MARGIN + j from the western edge
    maps = torch.arange(41.0).expand(SOURCES, 1, 41, 41)
    found = twins.around(maps).view(SOURCES, EDGE, EDGE)
    for source, column in ((0, 0), (5, 5), (63, 7)):
        assert float(found[source, 3, twins.MARGIN + column]) == 20.0


def test_sources_are_ordered_row_by_row():
    maps = torch.arange(41.0)[:, None].expand(SOURCES, 1, 41, 41)
    found = twins.around(maps).view(SOURCES, EDGE, EDGE)
    assert float(found[8, twins.MARGIN + 1, 0]) == 20.0
    assert float(found[7, twins.MARGIN, 0]) == 20.0


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_every_inventory_emits_the_same_total(kind):
    draw = np.random.default_rng(0)
    once, twice = twins.inventory(draw, kind, 1.0), twins.inventory(draw, kind, 2.0)
    assert once.shape == (SOURCES, 16)
    assert float(twice.sum() / once.sum()) == pytest.approx(2.0)
    assert bool((once >= 0).all())


def test_each_cell_belongs_to_one_tile_of_four():
    tiles = twins.inventory(np.random.default_rng(0), 0, 1.0).ne(0.0)
    assert tiles.sum(1).tolist() == [1] * SOURCES
    assert tiles.sum(0).tolist() == [4] * 16
    assert tiles[[0, 1, 8, 9], 0].all()


def test_judged_by_hand():
    # errors 1, 3 of sigmas 2, 2: one of two within, (1/4 + 9/4) / 2; their sum 4 of a sigma of sqrt(8)
    found = twins.judged(torch.tensor([1.0, 3.0]), torch.diag(torch.tensor([4.0, 4.0])))
    assert found == {"coverage": 0.5, "nees": pytest.approx(1.25), "total_coverage": 0.0}


def test_with_a_perfect_emulator_twins_know_what_they_claim(perfect):
    found = twins.summary([Twin([perfect], k, 3.2).scores() for k in range(60)])
    assert found["coverage_without"] == pytest.approx(0.683, abs=0.05)
    assert found["nees_without"] == pytest.approx(1.0, abs=0.12)


def test_the_same_number_is_the_same_twin(perfect):
    one, same, other = (Twin([perfect], k, 3.2).scores() for k in (4, 4, 5))
    assert one == same != other


def test_an_error_that_is_known_of_costs_no_truth():
    """Plumes that are a fifth too strong or too weak, all alike: known of, the claims hold."""
    root = tuple((0.3 * (k in (0, 6)),) for k in range(12))
    structure = ErrorStructure(root=root, rest=(0.0, 0.0, 0.0), length=1e6, power=1.0)
    same = Recalibration(knots=(0.0, 1.0), values=(0.0, 1.0))
    calibration = Calibration(recalibration=same, structure=structure)
    draw = np.random.default_rng(1)

    def wrong(f: torch.Tensor) -> Seen:
        return Seen.of(f * (1 + 0.3 * draw.standard_normal()), f, calibration)

    places = [Place([wrong(plumes(k)) for k in range(10)], calibration) for _ in range(12)]
    found = twins.summary([Twin(places, k, 10.0).scores() for k in range(60)])
    assert found["nees_without"] > 2.0
    assert found["nees_with"] == pytest.approx(1.0, abs=0.25)
    assert found["nees_recalibrated"] == pytest.approx(found["nees_without"])

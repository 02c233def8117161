"""A field of one x among many has the bits that it has alone: members depend on nobody's company."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation.control import (
    Add,
    Bounded,
    Clustering,
    FieldControl,
    JointControl,
    Lognormal,
    Per,
    Scale,
)
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout

CELLS = 101
LAYOUT = Layout(Grid.latlon([0.0], np.arange(CELLS) * 3.0, lat_bounds=[-5.0, 5.0]))
CHANGES = [Scale(), Add(), Lognormal(), Bounded(0.0, 5.0)]


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def control(change, port="a.b"):
    prior = 0.1 + torch.arange(3.0 * CELLS, dtype=torch.float64).reshape(3, CELLS) / 100
    return FieldControl(port, prior, LAYOUT, Clustering(Per.CELL), change=change)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: type(change).__name__)
def test_of_every_change(change):
    made = control(change)
    x = 3.0 * draw(23, len(made.prior))
    together = made.to_fields(x)["a.b"]
    assert torch.equal(together, torch.stack([made.to_fields(row)["a.b"] for row in x]))


def test_of_several_fields():
    made = JointControl([control(change, f"a.{k}") for k, change in enumerate(CHANGES)])
    x = 3.0 * draw(5, len(made.prior))
    together = made.to_fields(x)
    for k, row in enumerate(x):
        assert all(torch.equal(field, together[port][k]) for port, field in made.to_fields(row).items())


def test_what_is_bounded_stays_inside_however_far_x_goes():
    made = control(Bounded(0.0, 5.0))
    far = torch.stack([torch.full_like(made.prior, 800.0), torch.full_like(made.prior, -800.0)])
    most, least = made.to_fields(far)["a.b"]
    assert (float(most.min()), float(least.max())) == (5.0, 0.0)
    assert not bool(made.linearize(far[1]).forward(torch.ones_like(made.prior)).any())

"""Windows around sources: what they hold is what the whole domain would show there."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import torch

from tradewind.plugins.transport.model import FLUX, TRACER
from tradewind.plugins.transport.windows import Windows

END = datetime(1996, 1, 15, 18)
HALF = 4
WIDE = {"west": -112, "east": -92, "south": 24, "north": 42}


@pytest.fixture(scope="module")
def model(make_transport):
    return make_transport(region=WIDE)


def windows(model, hours=3, half=HALF):
    return Windows(model.flows, model.solver, half, timedelta(hours=hours))


def test_an_hour_in_a_window_is_an_hour_in_the_whole_domain(model):
    # nothing reaches the sides of a window of 1-degree cells within an hour of four substeps
    row, column = 9, 10
    seen = windows(model, hours=1).fractions([(row, column)], END)[0]
    flux = torch.zeros(1, *model.domain.shape, dtype=torch.float64)
    flux[0, row, column] = 1.0 / float(model.domain.area[row, 0]) / 3600.0
    start = model.initialize(model.describe(), {}, 1)
    (interval,) = windows(model, hours=1).intervals(END)
    _, state = model.step(start, {FLUX: flux.flatten(1)}, {}, interval)
    whole = state.fields[TRACER].sum(1).view(model.domain.shape)
    around = whole[row - HALF : row + HALF + 1, column - HALF : column + HALF + 1]
    assert torch.allclose(seen, around, rtol=1e-12, atol=1e-18)


def test_fractions_are_positive_and_sum_to_one_until_something_leaves(model):
    early = windows(model, hours=1).fractions([(9, 10), (8, 7)], END)
    assert float(early.min()) >= 0.0
    assert early.sum((1, 2)).tolist() == pytest.approx([1.0, 1.0], rel=1e-12)


def test_what_has_left_a_window_is_lost_to_it(model):
    late = windows(model, hours=12, half=1).fractions([(9, 10)], END)
    assert 0.0 < float(late.sum()) < 0.95


def test_a_source_is_answered_alike_alone_and_among_others(model):
    cells = [(9, 10), (8, 7), (5, 12)]
    together = windows(model).fractions(cells, END)
    alone = windows(model).fractions(cells[1:2], END)
    assert torch.allclose(together[1], alone[0], rtol=1e-13, atol=0)


def test_single_precision_is_near(model):
    single = windows(model).fractions([(9, 10)], END, torch.float32)
    assert single.dtype == torch.float32
    assert torch.allclose(single.double(), windows(model).fractions([(9, 10)], END), atol=1e-5)


@pytest.mark.parametrize(
    ("end", "hours", "expected"),
    [("18:00", 12, [6.0, 6.0]), ("18:00", 6, [6.0]), ("20:00", 12, [4.0, 6.0, 2.0]), ("17:00", 3, [3.0])],
)
def test_a_window_is_cut_where_the_analyses_change(model, end, hours, expected):
    cut = windows(model, hours).intervals(datetime.fromisoformat(f"1996-01-15T{end}"))
    assert [part.seconds / 3600 for part in cut] == expected
